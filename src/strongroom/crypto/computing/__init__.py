"""Hash functions, MACs, signatures and random bytes."""
