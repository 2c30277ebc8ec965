"""Adapter: where objects are kept.

Rule: key material passes through here sealed.
"""
