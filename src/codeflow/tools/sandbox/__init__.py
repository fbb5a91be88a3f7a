"""Where commands run: what they can reach, and the programs of the operating system that hold them to it."""
