"""Processes: the supervisor, and the workers and the writer that it starts and looks after.

Rule: each may be killed at any moment, and nothing that was acknowledged is lost by it.
"""
