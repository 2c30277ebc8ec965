"""Secrets split into parts."""
