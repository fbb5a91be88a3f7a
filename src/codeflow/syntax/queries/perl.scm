(package_statement name: (package) @name) @definition.package
(subroutine_declaration_statement name: (bareword) @name) @definition.function

(function_call_expression function: (function) @reference)
(ambiguous_function_call_expression function: (function) @reference)
(method_call_expression method: (method) @member)
(use_statement module: (package) @reference)
