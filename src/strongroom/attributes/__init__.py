"""The attributes of managed objects, one declaration each.

Rule: every rule about an attribute is in its declaration and applied by `rules.py`.
"""
