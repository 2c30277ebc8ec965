"""Adapter: where audit events go.

Rule: an event carries no secret.
"""
