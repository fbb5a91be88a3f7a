"""`codeflow ci`: reviews and repairs that a forge's events ask for."""
