"""``awssts sidecar``: its options. argparse, for click is a seventh of what the whole process takes."""

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from awssts.domain.errors import AwsstsError
from awssts.entry.sidecar.server import Settings, run

SUMMARY = "Serve a mounted Secret to the SDKs of a pod, by the container-credentials protocol."
DETAILS = """
The pod's other containers get AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9911/credentials and
AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE; their SDKs then come back by themselves before credentials expire.
A renewed Secret is served as soon as kubelet has written it. Requests need the token, the Host 127.0.0.1,
[::1] or localhost with the port, and no proxy between. The other port has /healthz, /readyz and /metrics.
"""


def main(arguments: Sequence[str] | None = None, prog: str = "awssts sidecar") -> int:
    """Run it with those arguments, or the process' own; return the exit code."""
    options = vars(parser(prog).parse_args(arguments))
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=options.pop("log_level").upper(),
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    try:
        asyncio.run(run(Settings(**options)))
    except AwsstsError as error:
        print(f"Error: {error.message}", file=sys.stderr)  # noqa: T201 - as click prints it
        return 1
    return 0


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help that looks like that of the other commands."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, prefix or "Usage: ")


def parser(prog: str) -> argparse.ArgumentParser:
    """Return what reads the options."""
    made = argparse.ArgumentParser(
        prog=prog, description=SUMMARY + "\n" + DETAILS, formatter_class=_Help, add_help=False, allow_abbrev=False
    )
    add = made.add_argument
    add("--dir", dest="folder", required=True, type=Path, metavar="DIR", help="Where the Secret is mounted.")
    add(
        "--token-file",
        required=True,
        type=Path,
        metavar="FILE",
        help="The token that requests must show; read again when it changes.",
    )
    add("--create-token", action="store_true", help="Write a random token into that file, unless there is one.")
    add("--port", type=_port, default=9911, metavar="PORT", help="Port for SDKs, on loopback. Default: 9911.")
    add(
        "--health-port",
        type=_port_or_none,
        default=9912,
        metavar="PORT",
        help="Port for probes and metrics; 0: not served. Default: 9912.",
    )
    add(
        "--health-address",
        default="",
        metavar="ADDRESS",
        help="Where probes and metrics are served. Default: at all addresses of the pod.",
    )
    add(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="What to log, on standard error. Default: info.",
    )
    add("-h", "--help", action="help", help="Show this message and exit.")
    return made


def _port(text: str) -> int:
    return _number(text, 1)


def _port_or_none(text: str) -> int:
    return _number(text, 0)


def _number(text: str, lowest: int) -> int:
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, {lowest} to 65535")
    return int(text)
