((element [
    (start_tag (attribute (attribute_name) @_id (quoted_attribute_value (attribute_value) @name)))
    (self_closing_tag (attribute (attribute_name) @_id (quoted_attribute_value (attribute_value) @name)))
  ]) @definition.element (#eq? @_id "id"))
((element (start_tag (tag_name) @_tag) . (text) @name) @definition.heading
  (#match? @_tag "^([hH][1-6]|title)$"))
