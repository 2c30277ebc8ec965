"""Certificates: the internal authority and its life cycle, and the revocation lists of every authority.

Rule: a private key leaves this room sealed, or in the hands of whoever it was made for.
"""
