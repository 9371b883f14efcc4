"""The reference of all commands, ``docs/cli.md``, made from what click knows: ``make reference``."""

import functools
import sys
from collections.abc import Iterator
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
    above = click.Context(awssts, info_name="awssts", **awssts.context_settings)
    return "\n".join([*parts, *(chapter for name, command in commands for chapter in _chapters(name, command, above))])


def _chapters(name: str, command: click.Command, above: click.Context) -> Iterator[str]:
    """Yield one for the command, and one for each below it."""
    context = click.Context(command, info_name=name, parent=above, terminal_width=_WIDTH, max_content_width=_WIDTH)
    yield f"## {context.command_path}\n\n```text\n{_help(context).strip()}\n```\n"
    if isinstance(command, click.Group):
        for below in sorted(command.commands):
            yield from _chapters(below, command.commands[below], context)


def _help(context: click.Context) -> str:
    if context.info_name == "sidecar":  # does without click
        parser = sidecar.parser("awssts sidecar")
        shape: Any = parser.formatter_class
        parser.formatter_class = functools.partial(shape, width=_WIDTH)
        return parser.format_help()
    return context.command.get_help(context)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference())
