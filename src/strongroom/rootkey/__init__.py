"""Adapter: where the root key comes from.

Rule: a root key wraps store keys and their like, and nothing else. `keyring.py` wraps and unwraps,
`stored.py` keeps the record of which root keys there are, and each provider is a file of its own.
"""
