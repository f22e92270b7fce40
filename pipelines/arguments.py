"""Arguments that commands of the command line have in common, and what their values may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from dataprep.errors import ConfigError

Command = Callable[[argparse.Namespace], int]
"""Runs with the parsed options; returns the exit status."""


def add_command(
    commands: Any, name: str, command: Command, summary: str, example: str
) -> argparse.ArgumentParser:
    """Add a command; ``summary`` is one line of help, ``example`` a command line to copy."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show log lines and tracebacks")
    parser.set_defaults(command=command)
    return parser


def add_scaling(parser: argparse.ArgumentParser) -> None:
    """Add the options that change a mixture as a whole."""
    parser.add_argument(
        "--tokens", type=token_count, metavar="N", help="scale the mixture to N tokens, e.g. 20M or 1.5B"
    )
    parser.add_argument("--seed", type=natural, metavar="N", help="seed in place of the mixture's own")


def natural(text: str) -> int:
    """Read a whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, got {text}")
    return value


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {text}")
    return value


def token_count(text: str) -> int:
    """Read a number of tokens, such as 20M or 1.5B."""
    from dataprep.mixture import parse_count

    try:
        return parse_count(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
