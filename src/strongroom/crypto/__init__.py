"""Adapter: ciphers, key generation and formats, on top of the cryptography library.

Rule: no cipher, padding or random generator is written here, only called.
"""
