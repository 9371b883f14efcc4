"""Helm, built from a pinned module: renders the chart, and puts it on a cluster."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from testbed.cluster.binaries import binary
from testbed.process import ReportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]
CHART = Path(__file__).parents[1] / "charts" / "awssts"
NAMESPACE = "awssts-system"


class HelmError(ReportedError):
    """What Helm said."""


class Helm:
    """With folders of its own: what a person has set up for their Helm neither helps nor disturbs.

    `kubeconfig` is needed for what asks a cluster.
    """

    def __init__(self, home: Path, kubeconfig: Path | None = None) -> None:
        self._program = binary("helm")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig or home / "no-cluster"),
        }

    def __call__(self, *arguments: str | Path, values: Mapping[str, Any] | None = None) -> str:
        """Runs it; `values` are those of --values. Returns what it says on standard output."""
        given = () if values is None else ("--values=-",)
        done = subprocess.run(
            [self._program, *arguments, *given],
            input=None if values is None else yaml.safe_dump(dict(values)),
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
        )
        if done.returncode != 0:
            raise HelmError(f"helm {arguments[0]}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def render(
        self, values: Mapping[str, Any], *options: str, chart: Path = CHART, release: str = "awssts"
    ) -> list[Json]:
        """All objects of a release in awssts-system, those of `helm test` too."""
        text = self("template", release, chart, f"--namespace={NAMESPACE}", *options, values=values)
        return [document for document in yaml.safe_load_all(text) if document]
