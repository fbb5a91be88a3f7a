"""The terminal front door: argv to a task, events to what a person or a program reads."""
