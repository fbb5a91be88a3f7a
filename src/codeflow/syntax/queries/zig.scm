(variable_declaration . (identifier) @name [(struct_declaration) (enum_declaration) (union_declaration)] @body) @definition.type
(source_file (function_declaration name: (identifier) @name) @definition.function)
(function_declaration name: (identifier) @name) @definition.method
(test_declaration (string) @name (block) @body) @definition.test

(call_expression function: [(identifier) @reference (field_expression member: (identifier) @member)])
