"""What a shell line would run, read from its syntax tree."""
