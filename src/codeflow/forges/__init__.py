"""Code forges, GitHub and GitLab, as `codeflow ci` talks to them. No agent reaches this room, nor its tokens."""
