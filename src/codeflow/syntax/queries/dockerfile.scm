(from_instruction (image_spec) @name) @definition.stage
(arg_instruction (arg_pair name: (_) @name)) @definition.argument
(env_instruction (env_pair name: (_) @name)) @definition.variable
(expose_instruction (expose_port) @name) @definition.port
(entrypoint_instruction (_) @name) @definition.command
(cmd_instruction (_) @name) @definition.command
