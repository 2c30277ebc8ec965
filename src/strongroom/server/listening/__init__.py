"""Connections: how they are accepted, limited, given their turns, answered and ended.

Rule: nothing here knows what is asked; `ttlv.py` and `http.py` beside this room do.
"""
