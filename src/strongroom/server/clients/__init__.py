"""Clients: their records, which of them a certificate belongs to, and every way to become one.

Rule: what stands in a certificate or a request decides nothing; a person or an invitation has typed the
name.
"""
