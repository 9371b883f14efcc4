"""What kind and Docker would be told, by stand-ins: there is no Docker where these tests run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from testbed.cluster import kind
from testbed.cluster.kind import Kind
from testbed.process import ReportedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "{said}"
case "$*" in
    "{failing}"*) echo "it does not work" >&2; exit 1 ;;
    "network inspect"*) echo "fc00:f853:ccd:e793::1 172.18.0.1 " ;;
esac
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], list[str]]]:
    """Puts the stand-ins there, of which `failing` fails; gives what they are told."""

    def put(failing: str = "nothing") -> Callable[[], list[str]]:
        log, folder = tmp_path / "said", tmp_path / "bin"
        folder.mkdir()
        log.touch()
        for name in ("kind", "docker", "kubectl"):
            (folder / name).write_text(STAND_IN.format(said=log, failing=failing))
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setattr(kind, "binary", lambda name: folder / name)
        monkeypatch.setattr("testbed.cluster.client.kubectl_program", lambda: str(folder / "kubectl"))
        return lambda: log.read_text().splitlines()

    return put


def test_a_life(told: Callable[..., Callable[[], list[str]]], tmp_path: Path) -> None:
    said = told()
    with Kind(tmp_path) as cluster:
        assert cluster.host_address == "172.18.0.1"
        cluster.load_image(tmp_path / "awssts.tar")
        cluster.kubectl("get", "nodes")
        cluster.kill_container("containerd://0123")
    kubeconfig = f"--kubeconfig={tmp_path}/kubeconfig"
    assert said() == [
        f"kind create cluster {kubeconfig} --wait=180s --name=testbed",
        "docker network inspect kind --format={{range .IPAM.Config}}{{.Gateway}} {{end}}",
        f"kind load image-archive {tmp_path}/awssts.tar --name=testbed",
        "kubectl get nodes",
        "docker exec testbed-control-plane ctr --namespace=k8s.io tasks kill --signal=SIGKILL 0123",
        f"kind delete cluster {kubeconfig} --name=testbed",
    ]


def test_what_is_half_made_is_taken_away(told: Callable[..., Callable[[], list[str]]], tmp_path: Path) -> None:
    said = told("create cluster")
    with pytest.raises(ReportedError, match="it does not work"), Kind(tmp_path):
        pass
    assert [line.split()[1] for line in said()] == ["create", "delete"]


@pytest.mark.parametrize(
    ("given", "user", "failing", "is_chosen"),
    [
        ("kind", 0, "info", True),
        ("node", 1000, "nothing", False),
        ("", 1000, "nothing", True),
        ("", 1000, "info", False),
        ("", 0, "nothing", False),
    ],
)
def test_when_it_is_chosen(
    told: Callable[..., Callable[[], list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    user: int,
    failing: str,
    *,
    is_chosen: bool,
) -> None:
    told(failing)
    monkeypatch.setenv("AWSSTS_E2E", given)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert kind.chosen() is is_chosen


def test_another_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWSSTS_E2E", "minikube")
    with pytest.raises(ReportedError, match="it has to be kind or node"):
        kind.chosen()
