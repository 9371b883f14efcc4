"""What the chart passes to a command is something that the command knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from awssts.entry.cli import main
from tests.chart.profiles import PROFILES, pods, values

if TYPE_CHECKING:
    from testbed.helm import Helm


def known() -> set[str]:
    """Each command, and each of its options."""
    found = set(main.commands)
    for name, command in main.commands.items():
        options = [each for each in command.params if isinstance(each, click.Option)]
        found |= {f"{name} {flag}" for option in options for flag in (*option.opts, *option.secondary_opts)}
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_the_commands_know_what_they_are_given(helm: Helm, profile: str) -> None:
    given = set()
    for _, spec in pods(helm.render(values(profile))):
        for container in spec["containers"]:
            if "command" not in container:  # the image's own: awssts
                command, *options = container["args"]
                given |= {command, *(f"{command} {option.split('=')[0]}" for option in options)}
    assert given - known() == set()
