"""Keys from keys."""
