(class name: (_) @name) @definition.class
(module name: (_) @name) @definition.module
(method name: (_) @name) @definition.method
(singleton_method name: (_) @name) @definition.method
(assignment left: (constant) @name) @definition.constant

(call method: (identifier) @member)
(call receiver: (constant) @reference)
(superclass (constant) @reference)
(scope_resolution name: (constant) @reference)
(argument_list (constant) @reference)
