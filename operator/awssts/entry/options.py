"""What commands for people have in common: how to reach the cluster, errors in a line, names that complete."""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from awssts.domain.errors import AwsstsError

Command = Callable[..., Any]


def connected(command: Command) -> Command:
    """Give the command ``kubectl``, made of kubectl's own options; an error becomes a line."""

    @functools.wraps(command)
    def run(*arguments: Any, namespace: str | None, context: str | None, kubeconfig: str | None, **options: Any) -> Any:
        from awssts.adapters.kubectl import Kubectl

        kubectl = Kubectl(context=context, kubeconfig=kubeconfig, chosen=namespace)
        return in_words(command)(kubectl, *arguments, **options)

    for option in (
        click.option("--kubeconfig", metavar="FILE", help="The kubeconfig to use. Default: as kubectl has it."),
        click.option("--context", metavar="NAME", help="The kubeconfig's context to use. Default: the current one."),
        click.option("-n", "--namespace", metavar="NAME", help="Namespace. Default: that of the context."),
    ):
        run = option(run)
    return run


def in_words(command: Command) -> Command:
    """Have errors of awssts end the command with a line on standard error and exit code 1."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except AwsstsError as error:
            raise click.ClickException(error.message) from None

    return run


def request_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of requests that begin so, for the shell; none where the cluster can't be asked."""
    from awssts.adapters.kubectl import Kubectl, request_path

    given = context.params
    kubectl = Kubectl(given.get("context"), given.get("kubeconfig"), given.get("namespace"))
    try:
        names = [body["metadata"]["name"] for body in kubectl.items(request_path(kubectl.namespace))]
    except AwsstsError:
        return []
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def say(text: str) -> None:
    """Tell the person how it goes; standard output is for results."""
    click.echo(text, err=True)


def colours() -> bool | None:
    """Return False where the environment says no (https://no-color.org); None: as the terminal is."""
    return False if os.environ.get("NO_COLOR") else None


def secret_line(prompt: str) -> str:
    """Return a line that is not shown: typed at the terminal, else the next of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, default="", show_default=False, err=True))
    return sys.stdin.readline().rstrip("\r\n")
