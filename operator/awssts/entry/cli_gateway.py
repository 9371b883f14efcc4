"""``awssts gateway`` and ``awssts user``. Heavy imports happen in the commands that need them."""

import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import click

from awssts.domain.errors import AwsstsError
from awssts.entry.flags import logs, option, with_cluster
from awssts.entry.flags import namespace as in_namespace


def _with_people(work: Callable[[Any, str], Awaitable[str]], namespace: str | None) -> str:
    """Return what the work on users comes to."""
    from awssts.adapters.people import People

    return with_cluster(work, namespace, People)


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str) -> timedelta:
    """Return an option's duration."""
    from awssts.domain import duration

    try:
        return timedelta(seconds=duration.parse(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _networks(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Any, ...]:
    """Return an option's networks."""
    try:
        return tuple(ip_network(value, strict=False) for value in values)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@option(
    "--namespace",
    "namespaces",
    multiple=True,
    required=True,
    metavar="NAME",
    help="Namespace of users; may be repeated (in the variable: separated by spaces). Who may write Secrets there "
    "decides who the users are.",
)
@option("--port", type=click.IntRange(1, 65535), default=8443, show_default=True, help="Port to serve on.")
@option("--host", metavar="ADDRESS", help="Address to serve on. Default: all.")
@option(
    "--certificate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Certificate (PEM), read again when it changes.",
)
@option("--key", type=click.Path(path_type=Path), metavar="FILE", help="The key of that certificate.")
@option("--without-tls", is_flag=True, help="Serve plain HTTP: only for behind a proxy that ends TLS.")
@option(
    "--proxy",
    "proxies",
    multiple=True,
    callback=_networks,
    metavar="NETWORK",
    help="Address or network of a proxy whose X-Forwarded-For is believed; may be repeated.",
)
@option(
    "--region",
    default="us-east-1",
    show_default=True,
    metavar="REGION",
    help="Region for users whose Secret names none.",
)
@option(
    "--patience",
    default="50s",
    show_default=True,
    callback=_seconds,
    metavar="DURATION",
    help="The longest that a call waits for its answer; codes of a seed need up to 35 s.",
)
@option(
    "--mfa-remember",
    "remember",
    default="0",
    callback=_seconds,
    metavar="DURATION",
    help="How long a code that a person gave also serves logins without one, of the same user from the same "
    "address. Default: each login needs its own.",
)
@option("--sts-concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="Calls to STS at once.")
@option(
    "--sts-rate",
    type=click.FloatRange(0.1, 600),
    default=200.0,
    show_default=True,
    help="Calls to STS a second at the most.",
)
@logs
def gateway(*, without_tls: bool, **options: Any) -> None:
    """Serve temporary credentials to people: CAS's POST /actuator/awsSts.

    Users are Secrets, which `awssts user` manages; the policies are those of the operator, which need not run.
    Cluster and AWS are reached as the operator does.
    """
    import asyncio

    from awssts import gateway as gateways
    from awssts.adapters import logs as logging
    from awssts.settings import GatewaySettings

    logging.configure(options.pop("log_level"), options.pop("log_format"))
    if (options["certificate"] is None) != (options["key"] is None):
        raise click.UsageError("--certificate and --key go together")
    if (options["certificate"] is None) != without_tls:
        raise click.UsageError("give --certificate and --key, or --without-tls where a proxy ends TLS")
    if without_tls and options["remember"] and not options["proxies"]:
        raise click.UsageError(
            "--mfa-remember goes by addresses, and behind a proxy all callers have its: give --proxy"
        )
    try:
        asyncio.run(gateways.run(GatewaySettings(**options)))
    except AwsstsError as error:
        raise click.ClickException(error.message) from None


@click.group()
def user() -> None:
    """Manage the users of the gateway."""


def _password(*, from_stdin: bool) -> str:
    """Return a password that was typed twice and not shown, or the first line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return given


_STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from standard input: its first line.")


def _pairs(_context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return an option's NAME=VALUE pairs."""
    pairs = [value.partition("=") for value in values]
    if any(not equals or not name for name, equals, _ in pairs):
        raise click.BadParameter("write NAME=VALUE", param=parameter)
    return [(name, value) for name, _, value in pairs]


@user.command()
@click.argument("username")
@in_namespace
@_STDIN
@click.option(
    "--credentials-secret",
    metavar="NAME",
    help="Secret with the keys of the user's IAM user. Default: keys in the user's own Secret, or lent by a policy.",
)
@click.option("--serial-number", metavar="ARN", help="The user's MFA device.")
@click.option(
    "--seed-secret",
    metavar="NAME",
    help="Secret with the device's seed (key: seed). Default: the user gives the codes.",
)
@click.option(
    "--role-arn",
    metavar="ARN",
    help="The role that the user gets, and no other. Default: a session, or what policies say.",
)
@click.option("--region", metavar="REGION", help="Region of STS. Default: the gateway's.")
@click.option("--duration", metavar="DURATION", help="How long credentials live where the call does not say.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUE",
    help="Attribute for policies; may be repeated, also with the same name.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUE",
    help="Label of the Secret, for policies to select by; may be repeated.",
)
def add(username: str, namespace: str | None, *, password_stdin: bool, **details: Any) -> None:
    """Add the user USERNAME. The password is asked for and not shown."""
    from awssts.entry import users

    mfa, seed = {}, details["seed_secret"]
    if details["serial_number"]:
        mfa = {"serialNumber": details["serial_number"]} | ({"totpSecretRef": {"name": seed}} if seed else {})
    elif seed:
        raise click.UsageError("--seed-secret needs --serial-number")
    spec = {
        "credentialsSecretRef": {"name": details["credentials_secret"]} if details["credentials_secret"] else None,
        "mfa": mfa,
        "role": {"arn": details["role_arn"]} if details["role_arn"] else None,
        "region": details["region"],
        "duration": details["duration"],
    }
    given = _password(from_stdin=password_stdin)

    async def work(cluster: Any, home: str) -> str:
        made = users.secret(
            home,
            username,
            given,
            labels=dict(details["labels"]),
            attributes=details["attributes"],
            spec={key: value for key, value in spec.items() if value},
        )
        return await users.add(cluster, made)

    click.echo(_with_people(work, namespace))


@user.command()
@click.argument("username")
@in_namespace
@_STDIN
def passwd(username: str, namespace: str | None, *, password_stdin: bool) -> None:
    """Give USERNAME another password. It is asked for and not shown."""
    from awssts.entry import users

    given = _password(from_stdin=password_stdin)
    click.echo(_with_people(lambda cluster, home: users.passwd(cluster, home, username, given), namespace))


@user.command(name="list")
@in_namespace
def list_users(namespace: str | None) -> None:
    """List the users, and labelled Secrets that are none."""
    from awssts.entry import users

    click.echo(_with_people(users.table, namespace))


@user.command()
@click.argument("username")
@in_namespace
@click.option("--yes", is_flag=True, help="Don't ask.")
def delete(username: str, namespace: str | None, *, yes: bool) -> None:
    """Delete the user USERNAME."""
    from awssts.entry import users

    if not yes:
        click.confirm(f"Delete {username}?", abort=True)
    click.echo(_with_people(lambda cluster, home: users.delete(cluster, home, username), namespace))
