"""What a specialist can do to a workspace: plain async functions that return a ToolResult."""
