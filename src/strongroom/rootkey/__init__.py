"""Adapter: where the root key comes from.

Rule: a root key wraps store keys and nothing else.
"""
