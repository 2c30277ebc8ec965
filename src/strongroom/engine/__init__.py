"""From a decoded request to a committed answer.

Rule: the one place that authorises, commits and turns errors into answers.
"""
