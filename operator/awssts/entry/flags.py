"""What commands that serve, or manage users, have in common. Heavy imports happen where they are needed."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from awssts.domain.errors import AwsstsError

Result = TypeVar("Result")


def option(name: str, *names: str, **details: Any) -> Callable[[Any], Any]:
    """Return an option that is also the environment variable AWSSTS_<NAME>."""
    variable = "AWSSTS_" + name.split("/", 1)[0].lstrip("-").upper().replace("-", "_")
    return click.option(name, *names, envvar=variable, show_envvar=True, **details)


def logs(command: Any) -> Any:
    """Add the options for logs."""
    level = option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
        help="What to log, on standard error.",
    )
    form = option(
        "--log-format",
        type=click.Choice(["json", "text"]),
        default="text",
        show_default=True,
        help="For programs or for people.",
    )
    return level(form(command))


def namespace(command: Any) -> Any:
    """Add the option for the request's namespace."""
    return click.option(
        "-n",
        "--namespace",
        metavar="NAME",
        help="Namespace to look in. Default: that of the kubeconfig's context.",
    )(command)


def with_cluster(
    work: Callable[[Any, str], Awaitable[Result]], namespace: str | None, kind: Callable[[Any], Any] | None = None
) -> Result:
    """Return what the work comes to, on the cluster of the kubeconfig and in that namespace."""
    import asyncio

    from awssts.adapters import cluster as clusters

    async def run() -> Result:
        cluster = (kind or clusters.Cluster)(await clusters.configuration())
        try:
            return await work(cluster, namespace or clusters.context_namespace())
        finally:
            await cluster.close()

    try:
        return asyncio.run(run())
    except AwsstsError as error:
        raise click.ClickException(error.message) from None
