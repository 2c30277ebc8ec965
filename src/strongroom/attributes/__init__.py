"""The attributes of managed objects, one declaration each.

Rule: every rule about an attribute is in its declaration and applied by `rules.py`.
"""

# Whichever module of this package is imported first: the order of declaration is that of Get Attributes.
from strongroom.attributes import catalogue as catalogue
