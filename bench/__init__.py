"""The yardstick: what a request costs Strongroom, PyKMIP and a bare TLS echo, side by side.

Rule: it prints, it never judges; a test that asserts a time would fail on a busy machine.
"""
