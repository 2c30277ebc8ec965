"""Work that time starts.

Rule: it calls the engine as any caller does.
"""
