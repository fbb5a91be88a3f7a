(class_declaration "interface" name: (identifier) @name [(class_body) (enum_class_body)]? @body) @definition.interface
(class_declaration name: (identifier) @name [(class_body) (enum_class_body)]? @body) @definition.class
(object_declaration name: (identifier) @name (class_body)? @body) @definition.object
(source_file (function_declaration name: (identifier) @name (function_body)? @body) @definition.function)
(function_declaration name: (identifier) @name (function_body)? @body) @definition.method
(source_file (property_declaration (variable_declaration (identifier) @name)) @definition.property)
(class_body (property_declaration (variable_declaration (identifier) @name)) @definition.property)
(type_alias type: (identifier) @name) @definition.type

(call_expression . (identifier) @reference)
(call_expression . (navigation_expression (identifier) @member .))
(user_type (identifier) @reference)
(import (qualified_identifier (identifier) @reference .))
