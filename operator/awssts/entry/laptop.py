"""Commands for a person's machine: ``awssts login`` at a gateway, ``awssts credential-process`` for SDKs."""

import getpass
import json
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from awssts.entry.options import connected, in_words, request_names, say, secret_line

if TYPE_CHECKING:
    from awssts.adapters.kubectl import Kubectl
    from awssts.adapters.login import Gateway
    from awssts.domain.held import Held

Command = Callable[..., Any]


def _at_gateway(command: Command) -> Command:
    """Add the options that say whose credentials at which gateway."""
    for option in (
        click.option("--role-arn", default="", metavar="ARN", help="The role to have, of those that you may."),
        click.option(
            "--username",
            metavar="NAME",
            envvar="AWSSTS_USERNAME",
            show_envvar=True,
            help="Your name at the gateway. Default: that on this machine.",
        ),
    ):
        command = option(command)
    return command


@click.command("credential-process")
@connected
@click.option("--name", metavar="REQUEST", shell_complete=request_names, help="From the Secret of a request.")
@click.option(
    "--dir",
    "directory",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="From where a request's Secret is mounted.",
)
@click.option("--gateway", metavar="URL", help="From the last `awssts login` at that gateway.")
@_at_gateway
def credential_process(
    kubectl: "Kubectl",
    name: str | None,
    directory: Path | None,
    gateway: str | None,
    username: str | None,
    role_arn: str,
) -> None:
    """Print credentials as the AWS SDKs want them of a credential_process.

    Name it in ~/.aws/config: credential_process = awssts credential-process --name reports -n team

    It prints all or nothing: where there are no credentials, or only expired ones, it says why on standard error
    and exits with 1.
    """
    from awssts.entry import holding

    if sum(option is not None for option in (name, directory, gateway)) != 1:
        raise click.UsageError("give one of --name, --dir and --gateway")
    if name:
        held = holding.of_request(kubectl, name)
    elif directory:
        held = holding.of_directory(directory)
    else:
        held = _of_login(gateway or "", username, role_arn)
    click.echo(json.dumps(held.live(datetime.now(UTC)).process()))


@click.command()
@click.option("--gateway", required=True, metavar="URL", envvar="AWSSTS_GATEWAY", show_envvar=True,
              help="The gateway, or CAS with its awsSts endpoint.")  # fmt: skip
@_at_gateway
@click.option("--duration", default="1h", show_default=True, metavar="TIME", help="How long: 12h, 1h30m, PT1H.")
@click.option("--serial-number", metavar="ARN", help="Your MFA device, where the gateway does not know it.")
@click.option(
    "--mfa", "with_code", is_flag=True, help="Ask for an MFA code at once. CAS does not say that it wants one."
)
@click.option(
    "--cacert", metavar="FILE", type=click.Path(exists=True), help="The authority (PEM) that the gateway is trusted by."
)
@click.option("--profile", metavar="NAME", help="Write them into this profile of ~/.aws/credentials too.")
@click.option("--force", is_flag=True, help="Also into a profile that holds long-term keys.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["env", "json", "process"]),
    help="Print them: as a shell's exports, as JSON, or as a credential_process does.",
)
@in_words
def login(gateway: str, username: str | None, role_arn: str, output: str | None, **options: Any) -> None:
    """Get credentials at a gateway by name, password and MFA code.

    Password and code are asked for and not shown, or are the lines of standard input. They go over TLS, in the
    body. The credentials are kept in ~/.aws/awssts until they expire; `awssts credential-process --gateway URL`
    hands them to programs.
    """
    from awssts.adapters import awsfiles
    from awssts.adapters.login import Gateway, endpoint
    from awssts.domain.duration import parse

    try:
        lifetime = parse(options["duration"])
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--duration") from None
    profile = options["profile"] or ""
    if not profile.isprintable() or set("[]") & set(profile):
        raise click.BadParameter("a profile's name has no brackets and no control characters", param_hint="--profile")
    user = username or _this_user()
    door = Gateway(endpoint(gateway), options["cacert"])
    parameters = {
        "username": user,
        "password": secret_line(f"Password of {user}"),
        "duration": f"PT{lifetime}S",
        "roleArn": role_arn,
        "serialNumber": options["serial_number"] or "",
        "token": secret_line("MFA code") if options["with_code"] else "",
    }
    held = _logged_in(door, parameters, timedelta(seconds=lifetime)).live(datetime.now(UTC))
    awsfiles.keep(awsfiles.cached(door.url, user, role_arn), held)
    if options["profile"]:
        awsfiles.write_profile(awsfiles.credentials_file(), options["profile"], held, force=options["force"])
    say(f"credentials until {held.process()['Expiration']}")
    if output:
        click.echo(_printed(held, output))


def _logged_in(door: "Gateway", parameters: dict[str, str], lifetime: timedelta) -> "Held":
    from awssts.adapters.login import LoginError

    given = {name: value for name, value in parameters.items() if value}
    try:
        return door.login(given, lifetime)
    except LoginError as refusal:
        if not refusal.needs_code or "token" in given or not (code := secret_line("MFA code")):
            raise
    return door.login(given | {"token": code}, lifetime)


def _of_login(gateway: str, username: str | None, role_arn: str) -> "Held":
    from awssts.adapters import awsfiles
    from awssts.adapters.login import endpoint
    from awssts.domain.held import CredentialsError

    user = username or _this_user()
    held = awsfiles.kept(awsfiles.cached(endpoint(gateway), user, role_arn))
    options = [*(["--username", username] if username else []), *(["--role-arn", role_arn] if role_arn else [])]
    again = shlex.join(["awssts", "login", "--gateway", gateway, *options])
    if held is None:
        raise CredentialsError(f"there are no credentials of {user} at {gateway}: run `{again}`")
    if held.expiration <= datetime.now(UTC):
        raise CredentialsError(f"the credentials of {user} at {gateway} have expired: run `{again}`")
    return held


def _this_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        raise click.UsageError("give --username: this machine has no name for you") from None


def _printed(held: "Held", output: str) -> str:
    if output == "env":
        return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in held.environment().items())
    return json.dumps(held.process(), indent=None if output == "process" else 2)


COMMANDS = (credential_process, login)
