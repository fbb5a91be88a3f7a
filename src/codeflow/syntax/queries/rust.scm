(function_item name: (identifier) @name) @definition.function
(function_signature_item name: (identifier) @name) @definition.function
(struct_item name: (type_identifier) @name) @definition.struct
(enum_item name: (type_identifier) @name) @definition.enum
(union_item name: (type_identifier) @name) @definition.union
(trait_item name: (type_identifier) @name) @definition.trait
(type_item name: (type_identifier) @name) @definition.type
(mod_item name: (identifier) @name body: (_)) @definition.module
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.constant
(macro_definition name: (identifier) @name) @definition.macro
(impl_item type: (_) @name) @definition.impl

(call_expression function: [
  (identifier) @reference
  (field_expression field: (field_identifier) @member)
  (scoped_identifier name: (identifier) @reference)
  (scoped_identifier path: (identifier) @reference)])
(macro_invocation macro: (identifier) @reference)
(type_identifier) @reference
(use_declaration argument: (scoped_identifier name: (identifier) @reference))
(use_list (identifier) @reference)
