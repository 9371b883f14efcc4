"""The command line. Heavy imports happen in the commands that need them."""

import sys
from pathlib import Path
from typing import Any

import click

from awssts import __version__
from awssts.domain.errors import AwsstsError
from awssts.entry import cli_gateway, laptop, plugin
from awssts.entry.flags import logs as _logs
from awssts.entry.flags import option as _option


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Temporary AWS credentials for Kubernetes pods, with MFA, that renew themselves.

    An AwsStsRequest names a Secret with the keys of an IAM user; the operator gets temporary credentials for
    them from AWS STS, writes them into another Secret, and renews them before they expire.
    """


@main.command()
@_option(
    "--namespace",
    multiple=True,
    metavar="NAME",
    help="Namespace to work in; may be repeated (in the variable: separated by spaces). Default: all.",
)
@_option(
    "--policies/--no-policies",
    default=True,
    show_default=True,
    help="Judge requests by AwsStsPolicies. That needs the right to read policies and namespaces; without it, "
    "anybody who may write a request gets credentials for it.",
)
@_option("--region", metavar="REGION", help="Region for requests that name none; also written into their Secrets.")
@_option(
    "--workers",
    type=click.IntRange(1, 256),
    default=16,
    show_default=True,
    help="Requests worked on at once.",
)
@_option(
    "--sts-concurrency",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Calls to STS at once.",
)
@_option(
    "--sts-rate",
    type=click.FloatRange(0.1, 600),
    default=200.0,
    show_default=True,
    help="Calls to STS a second at the most. AWS allows 600 for an account and region.",
)
@_option(
    "--leader-election/--no-leader-election",
    default=False,
    show_default=True,
    help="Work only while holding a Lease, so that several can run and one takes over when another fails.",
)
@_option("--lease-name", default="awssts", show_default=True, help="Name of the Lease; shards add their number.")
@_option("--lease-namespace", default="awssts-system", show_default=True, help="Namespace of the Lease.")
@_option(
    "--shard",
    default="0/1",
    show_default=True,
    metavar="I/N",
    help="Work in one of N parts of all namespaces, the first is 0. Devices and sessions never cross namespaces.",
)
@_option(
    "--metrics-port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Serve /metrics, /healthz and /readyz on this port. Default: they are not served.",
)
@_option(
    "--admission-port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Serve the admission webhook on this port: it refuses what can't work with a clear message, and says who "
    "applied a request. Default: it is not served.",
)
@_option(
    "--admission-certificate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its certificate (PEM), read again when it changes. Default: one of its own making, kept in a Secret.",
)
@_option("--admission-key", type=click.Path(path_type=Path), metavar="FILE", help="The key of that certificate.")
@_option(
    "--admission-namespace",
    default="awssts-system",
    show_default=True,
    help="The operator's own namespace: of the webhook's Service, and of the Secrets with its key for stamps and with "
    "a certificate of its own making.",
)
@_option("--admission-service", default="awssts-webhook", show_default=True, help="Name of the webhook's Service.")
@_option(
    "--admission-registration",
    default="awssts",
    show_default=True,
    help="Name of the two webhook configurations: they are watched, and trust a certificate of its own making.",
)
@_option(
    "--sidecar-image",
    metavar="IMAGE",
    help="Image of awssts for the sidecar of pods that ask for one (annotation awssts.dev/inject). Default: they are "
    "refused.",
)
@_logs
def operator(**options: Any) -> None:
    """Run the operator.

    In a pod it uses its service account; elsewhere KUBECONFIG or ~/.kube/config. AWS is reached as the SDKs do:
    AWS_ENDPOINT_URL_STS, HTTPS_PROXY and AWS_CA_BUNDLE are honoured. AWS credentials of the operator's own
    environment are never used.
    """
    import asyncio

    from awssts import app
    from awssts.adapters import logs
    from awssts.settings import Admission, Election, Settings, Shard

    logs.configure(options.pop("log_level"), options.pop("log_format"))
    prefix = "admission_"
    admission = {name.removeprefix(prefix): options.pop(name) for name in list(options) if name.startswith(prefix)}
    admission["sidecar_image"] = options.pop("sidecar_image")
    if admission["sidecar_image"] and not admission["port"]:
        raise click.UsageError("--sidecar-image goes with --admission-port: the admission webhook adds the sidecar")
    if (admission["certificate"] is None) != (admission["key"] is None):
        raise click.UsageError("--admission-certificate and --admission-key go together")
    try:
        shard = Shard.read(options.pop("shard"))
    except ValueError as error:
        raise click.UsageError(f"--shard {error}") from None
    lease = options.pop("lease_namespace"), options.pop("lease_name")
    elected = options.pop("leader_election")
    settings = Settings(
        namespaces=options.pop("namespace"),
        election=Election(namespace=lease[0], name=shard.named(lease[1])) if elected else None,
        shard=shard,
        admission=Admission(**admission) if admission["port"] else None,
        **options,
    )
    try:
        asyncio.run(app.run(settings))
    except AwsstsError as error:
        raise click.ClickException(error.message) from None


@main.command()
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    required=True,
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
    help="Manifest to check: a file, a folder of .yaml, .yml and .json files, or - for standard input. "
    "May be repeated.",
)
def check(files: tuple[Path, ...]) -> None:
    """Check manifests offline, as the operator will read them.

    Prints a line for each problem, with file, object and field. Exits with 1 when there is one, so that CI can
    stop a bad manifest; objects that aren't awssts's are passed over. Warnings name what in a policy protects
    nobody, for the owner of a request can write it.
    """
    from awssts.entry import checking

    problems, advice, checked = checking.check(files)
    for line in problems:
        click.echo(line, err=True)
    for line in advice:
        click.echo(f"warning: {line}", err=True)
    found = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
    click.echo(f"{checked} object{'' if checked == 1 else 's'} checked, {found}")
    sys.exit(1 if problems else 0)


@main.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    short_help="Serve a mounted Secret to the SDKs of a pod.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sidecar(arguments: tuple[str, ...]) -> None:
    """Serve a mounted Secret to the SDKs of a pod."""
    from awssts.entry.sidecar import command  # where its options are: it does without click, see __main__.py

    sys.exit(command.main(arguments, click.get_current_context().command_path))


main.add_command(cli_gateway.gateway)
main.add_command(cli_gateway.user)


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(f"awssts {__version__}")


for command in (*plugin.COMMANDS, *laptop.COMMANDS):
    main.add_command(command)


def kubectl_plugin() -> None:
    """Be ``kubectl awssts``."""
    main(prog_name="kubectl awssts")


if __name__ == "__main__":
    main()
