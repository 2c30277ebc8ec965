"""PKCS#12 containers."""
