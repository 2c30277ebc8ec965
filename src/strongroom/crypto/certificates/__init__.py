"""Certificates: what they say, issuing them, judging chains."""
