"""The testbed as a command: `python -m testbed --help`."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import click

from testbed.cluster import Cluster, background, binaries, kubectl_program
from testbed.process import ReportedError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A real Kubernetes cluster on this machine, without Docker."""


@main.command()
@click.option("--all", "everything", is_flag=True, help="Also what nodes, charts and kind need.")
@click.option("--controllers", is_flag=True, help="Also kube-controller-manager.")
def build(*, everything: bool, controllers: bool) -> None:
    """Build etcd and kube-apiserver, once: about 6 minutes on 2 cores."""
    names = [*binaries.CONTROL_PLANE, *(binaries.CONTROLLERS if controllers else ())]
    for path in binaries.programs(*(binaries.PACKAGES if everything else names)).values():
        click.echo(path)


@main.command()
@click.argument("action", type=click.Choice(["run", "up", "down", "status"]), default="run")
@click.option("--controllers", is_flag=True, help="With kube-controller-manager: garbage collection, service accounts.")
@click.option("--node", is_flag=True, help="With a node that runs pods; needs root and Debian's containerd.")
@click.option("--audit", is_flag=True, help="With an audit log, audit.log in the directory.")
@click.option(
    "--image",
    "images",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    help="For --node: an image to give it, as an archive of `docker save`; may be repeated.",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="For the kubeconfig and the logs. Default: a temporary one; for up, down and status one in the cache.",
)
def cluster(
    action: str, *, controllers: bool, node: bool, audit: bool, images: tuple[Path, ...], directory: Path | None
) -> None:
    """Start a cluster: `run` (the default) until Ctrl-C, `up` in the background until `down`."""
    kept = directory or background.default_directory()
    if action == "run":
        run(Cluster(controllers=controllers, node=node, audit=audit, directory=directory), directory, images)
    elif action == "up":
        options = {"--controllers": controllers, "--node": node, "--audit": audit}
        binaries.programs(*binaries.needed(controllers=controllers, node=node))  # where its progress is seen
        given = [option for option, chosen in options.items() if chosen]
        background.up(kept, [*given, *(f"--image={image}" for image in images)])
        tell(kept / "kubeconfig", background.remedy(kept))
    elif action == "down":
        click.echo("The cluster has ended." if background.down(kept) else f"No cluster is running in {kept}.")
    elif background.running(kept):
        tell(kept / "kubeconfig", background.remedy(kept))
    else:
        raise ReportedError(f"No cluster is running in {kept}")


def run(started: Cluster, directory: Path | None, images: tuple[Path, ...]) -> None:
    """Until a signal; its exception unwinds the start, too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        if directory:
            stack.enter_context(background.claimed(directory))
        stack.enter_context(started)
        for image in images:
            started.load_image(image)
        tell(started.kubeconfig, f"Logs are in {started.directory}. Ctrl-C ends it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo()


def tell(kubeconfig: Path, rest: str) -> None:
    """In one write: once `up` has read it, nobody reads any more."""
    kubectl = "kubectl" if shutil.which("kubectl") else shlex.quote(kubectl_program())
    click.echo(
        f"A cluster is ready. {rest} To use it:\n\n"
        f"  export KUBECONFIG={shlex.quote(str(kubeconfig))}\n"
        f"  {kubectl} get namespaces\n"
    )


if __name__ == "__main__":
    try:
        main(prog_name="python -m testbed")
    except ReportedError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
