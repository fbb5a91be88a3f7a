(function_declaration name: (_) @name) @definition.function
(generator_function_declaration name: (_) @name) @definition.function
(class_declaration name: (_) @name) @definition.class
(export_statement "default" @name value:
  [(function_expression !name body: (_) @body) (generator_function !name body: (_) @body)
   (arrow_function body: (_) @body)]) @definition.function
(export_statement "default" @name value: (class !name body: (_) @body)) @definition.class
(method_definition name: (_) @name) @definition.method
(lexical_declaration (variable_declarator name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])) @definition.function
(variable_declaration (variable_declarator name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])) @definition.function
(assignment_expression left: (member_expression object: (_) @owner property: (property_identifier) @name)
  right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method
(program (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.constant)
(program (export_statement
  (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.constant))

(call_expression function: [(identifier) @reference (member_expression property: (_) @member)])
(new_expression constructor: [(identifier) @reference (member_expression property: (_) @member)])
(import_specifier name: (identifier) @reference)
(import_clause (identifier) @reference)
