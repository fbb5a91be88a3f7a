(create_table (object_reference name: (identifier) @name)) @definition.table
(create_view (object_reference name: (identifier) @name)) @definition.view
(create_materialized_view (object_reference name: (identifier) @name)) @definition.view
(create_function . (keyword_create) (object_reference name: (identifier) @name) (function_body)? @body) @definition.function
(create_index column: (identifier) @name) @definition.index
(create_type (object_reference name: (identifier) @name)) @definition.type
(create_schema (identifier) @name) @definition.schema
(create_trigger (keyword_trigger) . (object_reference name: (identifier) @name)) @definition.trigger
