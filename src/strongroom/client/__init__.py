"""Ask any KMIP server.

Rule: the conversation does no I/O; two thin shells, sync and async, do it.
"""
