"""Backups: making them of a live server, proving them, and making a data directory of one.

Rule: what is written outside the data directory is encrypted before it is written.
"""
