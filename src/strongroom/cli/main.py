"""The command `strongroom`: finds the noun, runs it, turns what it raised into a line and an exit code.

Rule: a noun is a module beside this one, listed in COMMANDS and loaded only when it is called, so that no
command pays for another. Nobody ever sees a traceback, unless with `--debug`.
"""

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import typer

from strongroom.cli.exit import ExitCode, exit_code
from strongroom.cli.output import printable
from strongroom.version import VERSION

COMMANDS: Final = {
    "init": "strongroom.cli.init:init",
    "serve": "strongroom.cli.serve:serve",
    "dev": "strongroom.cli.dev:dev",
    "client": "strongroom.cli.client:app",
    "tenant": "strongroom.cli.tenant:app",
    "grant": "strongroom.cli.grant:app",
    "policy": "strongroom.cli.policy:app",
    "person": "strongroom.cli.person:app",
    "why": "strongroom.cli.why:why",
    "key": "strongroom.cli.key:app",
    "object": "strongroom.cli.object:app",
    "attr": "strongroom.cli.attr:app",
    "locate": "strongroom.cli.locate:locate",
    "crypt": "strongroom.cli.crypt:app",
    "certificate": "strongroom.cli.certificate:app",
    "approval": "strongroom.cli.approval:app",
    "hold": "strongroom.cli.hold:app",
    "safeguard": "strongroom.cli.safeguard:app",
    "server": "strongroom.cli.server:app",
    "store": "strongroom.cli.store:app",
    "backup": "strongroom.cli.backup:app",
    "audit": "strongroom.cli.audit:app",
    "wire": "strongroom.cli.wire:app",
    "conform": "strongroom.cli.conform:conform",
}
"""Noun to where it is: a Typer application with verbs, or one function."""

_DEBUG: Final = "--debug"


def main() -> None:
    """Run the command line of this process and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    debug = _DEBUG in arguments
    try:
        return _run([word for word in arguments if word != _DEBUG])
    except BrokenPipeError:
        # Whoever read our output has left (`| head`). Nothing may be flushed into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILURE
    except (KeyboardInterrupt, typer.Abort):
        return _complain("stopped", ExitCode.FAILURE)
    except typer.TyperException as error:
        return _complain(error.format_message(), error.exit_code)
    except Exception as error:  # noqa: BLE001 (the edge of the program)
        if debug:
            import traceback

            traceback.print_exc()
        code = exit_code(error)
        if code is not None:
            return _complain(str(error), code)
        what = f"{type(error).__name__}: {error}" if isinstance(error, OSError) else type(error).__name__
        return _complain(f"unexpected error ({what}); please report it with what {_DEBUG} shows", 1)


def _run(words: Sequence[str]) -> int:
    # Help, and a word that is no command, need all of them; everything else needs one.
    known = words[:1] if words and words[0] in COMMANDS else COMMANDS
    command = typer.main.get_command(_application(known))
    result = command.main(list(words) or ["--help"], prog_name="strongroom", standalone_mode=False)
    return result if isinstance(result, int) else ExitCode.OK


def _application(names: Iterable[str]) -> typer.Typer:
    """Return the Typer application that has these commands."""
    application = typer.Typer(add_completion=False, rich_markup_mode=None)
    application.callback()(strongroom)
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, typer.Typer):
            application.add_typer(command, name=name)
        else:
            application.command(name)(command)
    return application


def _complain(message: str, code: int) -> int:
    # A noun without a verb is answered with its help, which speaks for itself.
    # Any other message may quote a server.
    print(message if message.startswith("Usage:") else f"strongroom: {printable(message)}", file=sys.stderr)
    return code


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"strongroom {VERSION}")
        raise typer.Exit


def strongroom(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """A key manager that speaks KMIP 1.0 to 3.0.

    Every command takes --debug, which adds a traceback to an error.
    """
