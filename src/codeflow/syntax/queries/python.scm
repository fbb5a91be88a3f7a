(class_definition name: (identifier) @name) @definition.class
(function_definition name: (identifier) @name) @definition.function
(module (expression_statement (assignment left: (identifier) @name)) @definition.constant
  (#match? @name "^_?[A-Z][A-Z0-9_]+$"))

(call function: [(identifier) @reference (attribute attribute: (identifier) @member)])
(class_definition superclasses: (argument_list
  [(identifier) @reference (attribute attribute: (identifier) @member)]))
(decorator [(identifier) @reference (attribute attribute: (identifier) @member)])
(import_from_statement name: (dotted_name (identifier) @reference))
(import_from_statement name: (aliased_import name: (dotted_name (identifier) @reference)))
(type (identifier) @reference)
