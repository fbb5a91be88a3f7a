"""`codeflow` on a terminal: tasks one after the other in one session, and commands that begin with a slash."""
