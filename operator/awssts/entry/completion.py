"""Completion of ``kubectl awssts …`` in the shell: kubectl asks ``kubectl_complete-awssts`` for words."""

import sys

import click
from click.shell_completion import ShellComplete

from awssts.entry.cli import main as awssts

NO_FILES = 4  # Cobra's ShellCompDirectiveNoFileComp: the shell is not to offer files instead
DEFAULT = 0


def words(arguments: list[str]) -> list[str]:
    """Return the lines for kubectl: words that can stand for the last argument, then what to do without any."""
    *given, incomplete = arguments or [""]
    found = ShellComplete(awssts, {}, "awssts", "_AWSSTS_COMPLETE").get_completions(given, incomplete)
    plain = [item for item in found if item.type == "plain"]
    lines = [f"{item.value}\t{item.help}" if item.help else item.value for item in plain]
    return [*lines, f":{NO_FILES if len(plain) == len(found) else DEFAULT}"]


def main() -> None:
    """Answer kubectl."""
    click.echo("\n".join(words(sys.argv[1:])))
