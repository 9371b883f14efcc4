"""The reference of all commands, ``docs/cli.md``, made from what click knows: ``make reference``."""

import functools
import sys
from pathlib import Path
from typing import Any

import click

from awssts.entry.cli import main as awssts
from awssts.entry.sidecar import command as sidecar

_HEAD = """\
# Commands

Made from the commands themselves by `make reference`; `awssts COMMAND --help` says the same. With `awssts` on the
PATH, kubectl has them too: `kubectl awssts status`. How to use them: [the kubectl plugin](howto-kubectl-plugin.md),
[on a laptop](howto-laptop.md).
"""
_WIDTH = 100


def reference() -> str:
    """Return the document."""
    commands = sorted(awssts.commands.items())
    table = [f"| [`{name}`](#awssts-{name}) | {command.get_short_help_str(_WIDTH)} |" for name, command in commands]
    parts = [_HEAD, "\n".join(["| command | |", "| --- | --- |", *table]) + "\n"]
    return "\n".join([*parts, *(_chapter(name, command) for name, command in commands)])


def _chapter(name: str, command: click.Command) -> str:
    return f"## awssts {name}\n\n```text\n{_help(name, command).strip()}\n```\n"


def _help(name: str, command: click.Command) -> str:
    if name == "sidecar":  # does without click
        parser = sidecar.parser("awssts sidecar")
        shape: Any = parser.formatter_class
        parser.formatter_class = functools.partial(shape, width=_WIDTH)
        return parser.format_help()
    group = click.Context(awssts, info_name="awssts", **awssts.context_settings)
    return command.get_help(
        click.Context(command, info_name=name, parent=group, terminal_width=_WIDTH, max_content_width=_WIDTH)
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference())
