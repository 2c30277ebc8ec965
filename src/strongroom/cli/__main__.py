"""`python -m strongroom.cli` is the command `strongroom`."""

from strongroom.cli.main import main

main()
