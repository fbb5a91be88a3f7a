"""Event consumers that show a run: text for people, JSON and a stream of JSON lines for programs."""
