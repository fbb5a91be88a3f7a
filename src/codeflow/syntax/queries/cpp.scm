(class_specifier name: (_) @name body: (_)) @definition.class
(namespace_definition name: (_) @name) @definition.namespace
(alias_declaration name: (type_identifier) @name) @definition.type
(concept_definition name: (identifier) @name) @definition.concept
(function_definition declarator: (function_declarator declarator:
  [(field_identifier) (qualified_identifier) (destructor_name) (operator_name)] @name)) @definition.method
(function_definition declarator: (_ (function_declarator declarator:
  [(field_identifier) (qualified_identifier) (operator_name)] @name))) @definition.method
(field_declaration declarator: (function_declarator declarator:
  [(field_identifier) (operator_name)] @name)) @definition.declaration
(field_declaration declarator: (_ (function_declarator declarator:
  [(field_identifier) (operator_name)] @name))) @definition.declaration
(declaration declarator: (function_declarator declarator: (destructor_name) @name)) @definition.declaration
(declaration declarator: (operator_cast) @name) @definition.declaration
(function_definition declarator: (operator_cast) @name) @definition.method

(call_expression function: (qualified_identifier name: (identifier) @reference))
(base_class_clause (type_identifier) @reference)
(template_type name: (type_identifier) @reference)
