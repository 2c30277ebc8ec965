"""The command `strongroom`: finds the noun, runs it, turns what it raised into a line and an exit code.

Rule: a noun is a module beside this one, listed in COMMANDS and loaded only when it is called, so that no
command pays for another. Nobody ever sees a traceback, unless with `--debug`, whatever stdin, stdout and
stderr are.
"""

import codecs
import errno
import importlib
import io
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


_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> None:
    """Run the command line of this process and exit."""
    _have_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    debug = _DEBUG in arguments
    try:
        done = _run([word for word in arguments if word != _DEBUG])
        # At exit it would be too late to say what went wrong.
        sys.stdout.flush()
        return done
    except BrokenPipeError:
        # Whoever read our output has left (`| head`).
        _print_no_more()
        return ExitCode.FAILURE
    except (KeyboardInterrupt, typer.Abort):
        return _complain("stopped", ExitCode.FAILURE)
    except typer.TyperException as error:
        return _complain(_with_help(error), error.exit_code)
    except Exception as error:  # noqa: BLE001 (the edge of the program)
        if debug:
            import traceback

            traceback.print_exc()
        code = exit_code(error)
        if code is not None:
            return _complain(str(error), code)
        if isinstance(error, OSError) and error.errno in _FULL:
            if error.filename is None:
                _print_no_more()
            return _complain(f"cannot write {error.filename or 'the output'}: {error.strerror}", 1)
        what = f"{type(error).__name__}: {error}" if isinstance(error, OSError) else type(error).__name__
        return _complain(f"unexpected error ({what}); please report it with what {_DEBUG} shows", 1)


def _print_no_more() -> None:
    """Let what is not printed yet go nowhere: Python flushes it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _have_streams() -> None:
    """Open what is closed of stdin, stdout and stderr, and let the others print whatever they cannot encode.

    The next file would take the number of one that is closed: what is printed would go into the store.
    """
    while (nothing := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(nothing, True)
    os.close(nothing)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors="backslashreplace")


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


def _with_help(error: typer.TyperException) -> str:
    """Return what is wrong with a command line, and which help says how it is written."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    if context is None or message.startswith("Usage:"):
        return message
    return f"{message.rstrip('.')} (see {context.command_path} --help)"


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
