"""What administrators may do to a server: one file for each noun of the command line.

`command.py` says how a command is declared. A module beside it is found by itself.
"""
