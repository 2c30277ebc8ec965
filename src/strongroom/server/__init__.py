"""Listeners, processes and configuration.

Rule: bytes and processes only; what a request means is the engine's.
"""
