"""Bytes to Items and back, in the three encodings of KMIP, without I/O.

Rule: strict, bounded, and ignorant of what a message means.
"""
