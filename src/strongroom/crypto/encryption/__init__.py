"""Encrypt and Decrypt."""
