((rule (targets) @name) @definition.target (#not-match? @name "^\\."))
(define_directive name: (word) @name) @definition.variable
(makefile (variable_assignment name: (word) @name) @definition.variable)
