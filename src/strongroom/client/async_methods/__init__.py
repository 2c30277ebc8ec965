"""The common operations as methods, one theme a file.

Rule: each method builds a request and picks from the answer; nothing is decided here. The folder `methods` is
made from this one by `tools/gen_client_methods.py`.
"""
