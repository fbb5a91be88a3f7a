(protocol_declaration name: (type_identifier) @name) @definition.protocol
(class_declaration "extension" name: (user_type) @name) @definition.extension
(class_declaration "struct" name: (type_identifier) @name) @definition.struct
(class_declaration "enum" name: (type_identifier) @name) @definition.enum
(class_declaration name: (type_identifier) @name) @definition.class
(source_file (function_declaration name: (simple_identifier) @name) @definition.function)
(function_declaration name: (simple_identifier) @name) @definition.method
(protocol_function_declaration name: (simple_identifier) @name) @definition.method
(init_declaration "init" @name) @definition.constructor
(source_file (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.property)
(class_body (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.property)
(typealias_declaration name: (type_identifier) @name) @definition.type

(call_expression . (simple_identifier) @reference)
(call_expression . (navigation_expression suffix: (navigation_suffix suffix: (simple_identifier) @member)))
(user_type (type_identifier) @reference)
