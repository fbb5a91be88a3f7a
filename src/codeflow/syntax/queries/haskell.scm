(data_type name: (name) @name) @definition.type
(newtype name: (name) @name) @definition.type
(type_synonym name: (name) @name) @definition.type
(class name: (name) @name declarations: (_)? @body) @definition.class
(instance name: (name) @name declarations: (_)? @body) @definition.instance
(class_declarations (signature name: (variable) @name) @definition.method)
(declarations (signature name: (variable) @name) @definition.signature)
(declarations (function name: (variable) @name) @definition.function)
(declarations (bind name: (variable) @name) @definition.value)

(variable) @reference
(constructor) @reference
(type (name) @reference)
(import_name) @reference
