(function_declaration name: [(identifier) (dot_index_expression)] @name) @definition.function
(function_declaration name: (method_index_expression table: (_) @owner method: (identifier) @name)) @definition.method
(assignment_statement
  (variable_list name: [(identifier) (dot_index_expression)] @name)
  (expression_list value: (function_definition body: (_)? @body))) @definition.function

(function_call name: [
  (identifier) @reference
  (dot_index_expression field: (identifier) @member)
  (method_index_expression method: (identifier) @member)])
