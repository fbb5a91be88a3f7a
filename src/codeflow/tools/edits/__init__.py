"""The edit engine: what a model wants changed becomes a change of a file, or a refusal; never a wrong change."""
