"""`phalanx COMMAND`: each command's module is imported when it is called, so that --help answers at once."""

from __future__ import annotations

import importlib
import sys

import typer

from phalanx.commands._exit import guarded

_COMMANDS = (
    "phantom",
    "check",
    "vote",
    "ensemble",
    "search",
    "score",
    "compare",
    "lint",
    "convert",
    "view",
    "report",
    "runs",
    "store",
    "log",
)


def main() -> None:
    """Entry point of the `phalanx` command; exits 0 done, 1 input at fault, 2 wrong usage."""
    status = 0

    def call() -> None:
        nonlocal status
        status = int(_app(sys.argv[1:])(standalone_mode=True) or 0)

    sys.exit(guarded(call) or status)


def _app(arguments: list[str]) -> typer.Typer:
    """An application of all commands, or of the one that is called: its imports are the only ones paid for."""
    app = typer.Typer(
        name="phalanx",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="From raw annotations to a checked segmentation submission. The main job is `python run.py config=NAME`.",
    )
    called = arguments[0] if arguments and arguments[0] in _COMMANDS else None
    for name in (called,) if called else _COMMANDS:
        module = importlib.import_module(f"phalanx.commands.{name}")
        app.command(name)(getattr(module, name))
    if called:
        # One command alone would lose its name; a hidden second one keeps `phalanx NAME` the way to call it.
        app.command("version", hidden=True)(_version)
    return app


def _version() -> None:
    """Print the version."""
    from phalanx import __version__

    print(__version__)
