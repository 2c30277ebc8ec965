"""Items to Structs and back: what KMIP messages and objects look like in each version.

Rule: version and dialect differences end here; nothing above compares versions.
"""
