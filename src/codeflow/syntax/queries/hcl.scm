(block (string_lit (template_literal) @name) . (block_start) (body)? @body) @definition.block
(block . (identifier) @name . (block_start) (body)? @body) @definition.block

(variable_expr (identifier) @reference)
(get_attr (identifier) @member)
