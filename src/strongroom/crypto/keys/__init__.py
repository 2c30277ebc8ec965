"""Keys: their formats, curves and groups, fresh ones, and what one tells."""
