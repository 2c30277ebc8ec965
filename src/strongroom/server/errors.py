"""What stops a server or an administration command.

Rule: the message is one line for the person at the terminal: what is wrong, then what to do. It never holds a
secret. The command line turns each class into an exit code; nothing here knows of one.
"""


class OperatorError(Exception):
    """Something only the operator can put right."""


class InvalidOption(OperatorError):
    """An option of the command line has a value that cannot be."""


class NotFound(OperatorError):
    """What the command names does not exist."""


class Unreachable(OperatorError):
    """A server that should answer does not."""


class DirectoryLocked(OperatorError):
    """Another process works on the data directory."""
