"""Algorithms that the main library lacks, each computation in a process of its own."""
