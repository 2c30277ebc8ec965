"""Replay published test cases against any server and report.

Rule: it speaks Items, never Structs, so that it judges a server by bytes and not by our own model.
"""
