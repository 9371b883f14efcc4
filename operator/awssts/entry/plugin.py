"""Commands on requests in a cluster, as ``awssts …`` and as ``kubectl awssts …``.

Imports that take time happen in the commands: ``status`` is to be there at once.
"""

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from awssts.entry.options import colours, connected, request_names, say, secret_line

if TYPE_CHECKING:
    from awssts.adapters.kubectl import Kubectl

NOT_READY = 3  # exit code of ``status --check``
CANT_RUN, NO_SUCH_COMMAND = 126, 127  # exit codes, as shells have them
SHORT = 15 * 60  # seconds: SDKs would have renewed by then


@click.command()
@click.argument("name", required=False, shell_complete=request_names)
@connected
@click.option("-A", "--all-namespaces", is_flag=True, help="Requests of all namespaces.")
@click.option("-o", "--output", type=click.Choice(["table", "wide", "json"]), default="table", help="How to show it.")
@click.option("--check", is_flag=True, help=f"Exit with {NOT_READY} unless all of them are Ready.")
def status(kubectl: "Kubectl", name: str | None, output: str, *, all_namespaces: bool, check: bool) -> None:
    """Show requests: whether they are ready, how long, what happens next, and why.

    With NAME, all about one. Colours are for terminals, and left out where NO_COLOR is set.
    """
    from awssts.adapters.kubectl import request_path
    from awssts.domain.overview import read
    from awssts.entry import showing
    from awssts.entry.following import found

    if name and all_namespaces:
        raise click.UsageError("NAME and --all-namespaces don't go together")
    home = "" if all_namespaces else kubectl.namespace
    bodies = [found(kubectl, name)] if name else kubectl.items(request_path(home))
    all_of_them = sorted((read(body) for body in bodies), key=lambda one: (one.namespace, one.name))
    now = datetime.now(UTC)
    if output == "json":
        told = [showing.as_json(one, now) for one in all_of_them]
        click.echo(json.dumps(told[0] if name else told, indent=2))
    elif not all_of_them:
        say("no AwsStsRequests" + (f" in namespace {home}" if home else ""))
    elif name and output == "table":
        click.echo("\n".join(showing.detail(all_of_them[0], now)), color=colours())
    else:
        lines = showing.table(all_of_them, now, namespaces=all_namespaces, wide=output == "wide")
        click.echo("\n".join(lines), color=colours())
    if check and not all(one.live(now) for one in all_of_them):
        sys.exit(NOT_READY)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=request_names)
@connected
@click.option("--all", "everything", is_flag=True, help="All requests of the namespace.")
@click.option("--wait", is_flag=True, help="Wait for the new credentials, and tell how it goes.")
@click.option(
    "--timeout",
    type=click.IntRange(1, 3600),
    default=90,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait: a TOTP code can take two steps of 30 s.",
)
def renew(kubectl: "Kubectl", names: tuple[str, ...], timeout: int, *, everything: bool, wait: bool) -> None:
    """Ask for new credentials now, for each NAME.

    The old ones stay until the new ones are written. With --wait it exits with 1 unless all were renewed.
    """
    from awssts.adapters.kubectl import request_path
    from awssts.entry import following

    if bool(names) == everything:
        raise click.UsageError("give the NAME of a request, or --all")
    if everything:
        names = tuple(body["metadata"]["name"] for body in kubectl.items(request_path(kubectl.namespace)))
    before = following.renew(kubectl, dict.fromkeys(names), datetime.now(UTC).isoformat())
    if not wait:
        click.echo("\n".join(f"{name}: renewal asked for" for name in before))
        return
    if before:
        say(f"asked for; waiting up to {timeout} s")
    failed = following.until_renewed(kubectl, before, timeout, click.echo)
    for line in failed:
        say(f"Error: {line}")
    sys.exit(1 if failed else 0)


@click.command()
@click.argument("name", shell_complete=request_names)
@click.argument("code", required=False)
@connected
@click.option(
    "--timeout",
    type=click.IntRange(1, 600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the operator, and then for AWS.",
)
def mfa(kubectl: "Kubectl", name: str, code: str | None, timeout: int) -> None:
    """Give the MFA code that the request NAME waits for, and wait for what comes of it.

    Without CODE it is asked for and not shown, or read from standard input: everybody on this machine can see a
    command's arguments. A code is tried once; if AWS refuses it, the next one of the device is wanted.

    Exit codes: 0 accepted, 3 not accepted and another is wanted, 4 nobody took it or answered in time, 1 all else.
    """
    from awssts.entry import giving

    given = giving.checked(code) if code else ""
    before = giving.asked(kubectl, name)
    given = given or giving.checked(secret_line("MFA code"))
    click.echo(giving.give(kubectl, before, given, say, timeout))


@click.command()
@click.argument("name", required=False, shell_complete=request_names)
@connected
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
    help="Judge by manifests (a request, policies, a Namespace, a Secret) instead of a cluster. May be repeated.",
)
@click.option(
    "--operator-namespace",
    default="awssts-system",
    show_default=True,
    metavar="NAME",
    help="Where the operator keeps the key that it signs stamps with, to check who applied the request.",
)
def explain(kubectl: "Kubectl", name: str | None, files: tuple[Path, ...], operator_namespace: str) -> None:
    """Tell what policies say of the request NAME, step by step and why.

    Each policy, trigger, bypass and failure mode is listed: whether it was considered, and whether it fired.
    Endpoints and AWS are not asked; what is assumed instead is listed at the end.
    """
    from awssts.adapters import plugins
    from awssts.entry import checking, scenes
    from awssts.entry.explaining import Explanation

    if files:
        try:
            scene = scenes.from_manifests(checking.documents(files), name, kubectl.chosen)
        except checking.Unreadable as error:
            raise click.ClickException(str(error)) from None
    elif name:
        scene = scenes.from_cluster(kubectl, name, operator_namespace)
    else:
        raise click.UsageError("give the NAME of a request, or manifests with -f")
    click.echo("\n".join(Explanation(scene, datetime.now(UTC), plugins.installed()).lines()))


@click.command("exec")
@click.argument("name", shell_complete=request_names)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARGUMENT]...")
@connected
def execute(kubectl: "Kubectl", name: str, command: tuple[str, ...]) -> None:
    """Run a command with the credentials of the request NAME in its environment.

    They are nowhere else: not on the disk, not in arguments. Variables that name other AWS credentials, AWS_PROFILE
    for one, are taken out. The command replaces awssts, so signals and its exit code are its own. A command that
    runs for longer than the credentials live has to be started again: environment variables can't be renewed.
    """
    from awssts.domain.held import CONFLICTING
    from awssts.domain.overview import span
    from awssts.entry import holding

    now = datetime.now(UTC)
    held = holding.of_request(kubectl, name).live(now)
    left = held.expiration - now
    if left.total_seconds() < SHORT:
        say(f"warning: the credentials expire in {span(left)}; `awssts renew {name} --wait` gets new ones")
    kept = {key: value for key, value in os.environ.items() if key not in CONFLICTING}
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and the command would inherit it
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, kept | held.environment())  # noqa: S606 - what the user asked for
    except FileNotFoundError:
        say(f"Error: {command[0]}: no such command")
        sys.exit(NO_SUCH_COMMAND)
    except OSError as error:
        say(f"Error: {command[0]}: {error.strerror}")
        sys.exit(CANT_RUN)


COMMANDS = (status, renew, mfa, explain, execute)
