"""Values, events, errors and settings that every room shares."""
