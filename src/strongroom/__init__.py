"""Strongroom: a key manager that speaks KMIP 1.0 to 3.0."""
