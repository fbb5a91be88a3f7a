(class_declaration name: (name) @name) @definition.class
(interface_declaration name: (name) @name) @definition.interface
(trait_declaration name: (name) @name) @definition.trait
(enum_declaration name: (name) @name) @definition.enum
(function_definition name: (name) @name) @definition.function
(method_declaration name: (name) @name) @definition.method
(const_declaration (const_element (name) @name)) @definition.constant

(function_call_expression function: (name) @reference)
(member_call_expression name: (name) @member)
(scoped_call_expression name: (name) @member)
(scoped_call_expression scope: (name) @reference)
(object_creation_expression (name) @reference)
(base_clause (name) @reference)
(class_interface_clause (name) @reference)
(namespace_use_clause (qualified_name (name) @reference))
(named_type (name) @reference)
