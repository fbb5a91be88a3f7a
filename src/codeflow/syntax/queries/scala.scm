(trait_definition name: (identifier) @name) @definition.trait
(class_definition name: (identifier) @name) @definition.class
(object_definition name: (identifier) @name) @definition.object
(enum_definition name: (identifier) @name) @definition.enum
(compilation_unit (function_definition name: (identifier) @name) @definition.function)
(function_definition name: (identifier) @name) @definition.method
(function_declaration name: (identifier) @name) @definition.method
(type_definition name: (type_identifier) @name) @definition.type
(given_definition name: (identifier) @name) @definition.given
(template_body (val_definition pattern: (identifier) @name) @definition.value)
(compilation_unit (val_definition pattern: (identifier) @name) @definition.value)

(call_expression function: [(identifier) @reference (field_expression field: (identifier) @member)])
(type_identifier) @reference
(import_declaration path: (identifier) @reference)
