"""The operations of KMIP, one file each.

Rule: a file holds response, request and handler of one operation; the loader finds it by being here.
"""
