"""The root key of a running server: opening it, replacing it, and what is wrapped by it.

Rule: which provider stands behind it is the business of `strongroom.rootkey`; here it is a `ports.RootKeys`.
"""
