"""What a key manager is: identities, life cycle, access, errors and the ports to the outside.

Rule: no I/O, no clock of its own, no wire format.
"""
