(class_definition name: (identifier) @name) @definition.class
(mixin_declaration (identifier) @name (class_body) @body) @definition.mixin
(extension_declaration name: (identifier) @name) @definition.extension
(enum_declaration name: (identifier) @name) @definition.enum
(type_alias . (type_identifier) @name) @definition.type
(program (function_signature name: (identifier) @name) @definition.function . (function_body) @end)
((method_signature (function_signature name: (identifier) @name)) @definition.method . (function_body) @end)
((method_signature (getter_signature name: (identifier) @name)) @definition.getter . (function_body) @end)
((method_signature (setter_signature name: (identifier) @name)) @definition.setter . (function_body) @end)
((method_signature (constructor_signature name: (identifier) @name .)) @definition.constructor . (function_body) @end)
(declaration (constructor_signature name: (identifier) @name . parameters: (_))) @definition.constructor
(declaration (function_signature name: (identifier) @name)) @definition.method

((identifier) @reference . (selector (argument_part)))
(unconditional_assignable_selector (identifier) @member)
(type_identifier) @reference
