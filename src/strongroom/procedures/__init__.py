"""What several operations have in common.

Rule: a procedure is given the context, as a handler is, and decides nothing that belongs to one operation.
"""
