(rule_set (selectors) @name (block) @body) @definition.rule
(media_statement . (_) @name (block) @body) @definition.media
(keyframes_statement (keyframes_name) @name (keyframe_block_list) @body) @definition.keyframes
(supports_statement . (_) @name (block) @body) @definition.supports
