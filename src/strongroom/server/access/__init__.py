"""Access rules and restrictions: as people write them, as workers have them, and tried before they count.

Rule: what they decide is in `domain/access.py`; here is where they come from and how they are explained.
"""
