"""The whole server, with less patience for processes that hang: `python -m tests.e2e.impatient_server`."""

from strongroom.cli import main
from strongroom.server.processes import crew, status, writer_process

PATIENCE = 5
"""Seconds that it waits for a sign of life, instead of a minute; after one it says so."""

if __name__ == "__main__":
    vars(crew)["LONGEST_SILENCE"] = vars(writer_process)["LONGEST_SILENCE"] = PATIENCE
    vars(status)["NOTED_SILENCE"] = 1
    main.main()
