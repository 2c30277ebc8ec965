"""The command line: parse, call, print.

Rule: nothing is decided here.
"""
