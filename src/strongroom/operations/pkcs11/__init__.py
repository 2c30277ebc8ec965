"""The functions of PKCS#11 3.0, done with KMIP operations on the caller's own objects.

Rule: a function translates. Whatever touches an object or a key goes through `perform`, so that permission,
mask, state, dates and limits are those of the KMIP operation.
"""
