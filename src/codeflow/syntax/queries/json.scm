(pair key: (string) @name value: (object) @body) @definition.key
(pair key: (string) @name value: (array) @body) @definition.key
(pair key: (string) @name) @definition.key
