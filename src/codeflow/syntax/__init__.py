"""What source code says: its definitions, references and syntax errors, and a map of a whole repository of it."""
