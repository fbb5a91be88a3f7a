(binary_operator lhs: (identifier) @name rhs: (function_definition body: (braced_expression)? @body)) @definition.function

(call function: [(identifier) @reference (namespace_operator rhs: (identifier) @member)])
