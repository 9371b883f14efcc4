"""The testbed's clusters: real, apart from each other, and gone without a trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.cluster import Cluster, images, kubectl_program, requirements, toolchain
from testbed.cluster.build import GO_MOD, explain
from testbed.cluster.scratch import sweep
from testbed.process import ReportedError, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "letter"}, "stringData": {"text": "hello"}}

needs_node = pytest.mark.skipif(
    not requirements.met() or shutil.which("busybox") is None,
    reason="a node takes root, containerd, runc, network plugins and busybox-static",
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(audit=True) as running:
        yield running


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - this project's own command
        [sys.executable, "-m", "testbed", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def processes_naming(text: str) -> list[str]:
    """Command lines of running programs, by pid."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # ended while we looked
        if text in command and int(entry.parent.name) != os.getpid():
            found.append(f"{entry.parent.name} {command}")
    return found


def test_server_side_apply(cluster: Cluster) -> None:
    cluster.kubectl("apply", "--server-side", "--field-manager=test", "--filename=-", input=json.dumps(SECRET))
    applied = json.loads(cluster.kubectl("get", "secret/letter", "--output=json", "--show-managed-fields").stdout)
    assert [manager["manager"] for manager in applied["metadata"]["managedFields"]] == ["test"]


def test_an_error_shows_what_kubectl_said(cluster: Cluster) -> None:
    with pytest.raises(ReportedError, match=r'kubectl get secret absent: .*secrets "absent" not found'):
        cluster.kubectl("get", "secret", "absent")
    assert cluster.kubectl("get", "secret", "absent", check=False).returncode == 1


def test_versions_agree(cluster: Cluster) -> None:
    versions = json.loads(cluster.kubectl("version", "--output=json").stdout)
    minors = {versions[side]["minor"] for side in ("clientVersion", "serverVersion")}
    assert len(minors) == 1


def test_audit_log_tells_who_did_what(cluster: Cluster) -> None:
    cluster.kubectl("create", "configmap", "audited")

    def created() -> list[dict[str, object]]:
        return [
            event
            for event in cluster.audit_events()
            if (event["verb"], event.get("objectRef", {}).get("name")) == ("create", "audited")
        ]

    wait_until(lambda: bool(created()), timeout=10, what="the event")
    (event,) = created()
    assert str(event["userAgent"]).startswith("kubectl/")
    assert (event["stage"], event["level"]) == ("ResponseComplete", "Metadata")
    assert {event["stage"] for event in cluster.audit_events()} <= {"ResponseStarted", "ResponseComplete"}


def test_metrics(cluster: Cluster) -> None:
    assert "\napiserver_request_total{" in cluster.metrics()


def test_users_have_no_rights_of_their_own(cluster: Cluster) -> None:
    kubeconfig = cluster.user_kubeconfig("team:jane", ["developers"])

    def jane(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [kubectl_program(), f"--kubeconfig={kubeconfig}", *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603 - kubectl

    user = json.loads(jane("auth", "whoami", "--output=json").stdout)["status"]["userInfo"]
    assert (user["username"], user["groups"]) == ("team:jane", ["developers", "system:authenticated"])
    assert 'User "team:jane" cannot list resource "secrets"' in jane("get", "secrets").stderr
    cluster.kubectl("create", "role", "reader", "--verb=list", "--resource=configmaps")
    cluster.kubectl("create", "rolebinding", "jane", "--role=reader", "--group=developers")
    wait_until(lambda: jane("get", "configmaps").returncode == 0, timeout=10, what="the rights of the group")
    assert kubeconfig.stat().st_mode & 0o077 == 0


def test_nobody_is_let_in_without_a_name(cluster: Cluster) -> None:
    trusted = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(cluster.ca)))
    nobody = urllib.request.build_opener(trusted, urllib.request.ProxyHandler({}))
    with nobody.open(f"{cluster.server}/readyz") as answer:
        assert answer.read() == b"ok"
    with pytest.raises(urllib.error.HTTPError, match="403") as refusal:
        nobody.open(f"{cluster.server}/api/v1/secrets")
    refusal.value.close()


def test_two_at_once(cluster: Cluster, tmp_path: Path) -> None:
    with Cluster(directory=tmp_path) as other:
        assert other.server != cluster.server
        other.kubectl("create", "configmap", "here")
        assert cluster.kubectl("get", "configmap", "here", check=False).returncode == 1
        assert oct(other.kubeconfig.stat().st_mode & 0o777) == "0o600"
    assert {path.name for path in tmp_path.iterdir()} == {"etcd.log", "kube-apiserver.log"}
    assert not processes_naming(str(other.ca.parent))
    assert not other.ca.exists()


def test_a_cluster_needs_a_start() -> None:
    with pytest.raises(ReportedError, match="was not started"):
        Cluster().user_kubeconfig("jane")


def test_controllers_collect_garbage() -> None:
    with Cluster(controllers=True) as cluster:
        cluster.kubectl("create", "configmap", "owner")
        uid = cluster.kubectl("get", "configmap/owner", "--output=jsonpath={.metadata.uid}").stdout
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
        owned = {**SECRET, "metadata": {"name": "owned", "ownerReferences": [owner]}}
        cluster.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(owned))
        cluster.kubectl("delete", "configmap/owner")
        wait_until(
            lambda: cluster.kubectl("get", "secret/owned", check=False).returncode == 1,
            timeout=60,
            what="the end of the owned Secret",
        )


def start_and_kill(options: str) -> Path:
    """A testbed that is killed once its cluster runs; returns the cluster's private folder."""
    program = f"""
import time
from testbed.cluster import Cluster
with Cluster({options}) as cluster:
    print(cluster.ca, flush=True)
    time.sleep(600)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(  # noqa: S603 - the program above
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
    ) as testbed:
        assert testbed.stdout is not None
        folder = Path(testbed.stdout.readline().strip()).parents[1]
        assert len(processes_naming(str(folder))) >= 4  # etcd, API server, their supervisors
        testbed.send_signal(signal.SIGKILL)
    return folder


def test_nothing_runs_after_a_kill() -> None:
    folder = start_and_kill("")
    wait_until(lambda: not processes_naming(str(folder)), timeout=15, what="the end of all programs")
    assert folder not in sweep()  # it may be one that is just being made
    os.utime(folder, (0, 0))
    assert folder in sweep()
    assert not folder.exists()


def test_a_folder_in_use_is_not_swept(cluster: Cluster) -> None:
    folder = cluster.ca.parents[1]
    os.utime(folder, (0, 0))
    assert folder not in sweep()
    assert cluster.kubectl("get", "namespaces").stdout


def test_up_and_down(tmp_path: Path) -> None:
    here = f"--directory={tmp_path}"
    assert command("cluster", "status", here).returncode == 1
    try:
        up = command("cluster", "up", here)
        assert f"export KUBECONFIG={tmp_path}/kubeconfig" in up.stdout
        names = subprocess.run(  # noqa: S603 - kubectl
            [kubectl_program(), f"--kubeconfig={tmp_path}/kubeconfig", "get", "namespaces"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (names.returncode, names.stderr) == (0, "")
        assert "kube-system" in names.stdout
        assert command("cluster", "status", here).returncode == 0
        again = command("cluster", "up", here)
        assert again.stderr.startswith(f"Error: A cluster is running in {tmp_path}")
    finally:
        down = command("cluster", "down", here)
    assert down.stdout == "The cluster has ended.\n"
    assert not (tmp_path / "kubeconfig").exists()
    wait_until(lambda: not processes_naming(str(tmp_path)), timeout=10, what="the end of the testbed")


def test_assets_of_envtest_are_used(tmp_path: Path) -> None:
    answer = command("build", KUBEBUILDER_ASSETS=str(tmp_path))
    assert answer.stderr.startswith(f"Error: KUBEBUILDER_ASSETS is set, but {tmp_path}/etcd isn't a program")
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / name).touch(mode=0o755)
    answer = command("build", KUBEBUILDER_ASSETS=str(tmp_path), AWSSTS_CACHE=str(tmp_path / "cache"))
    assert answer.stdout.split() == [f"{tmp_path}/etcd", f"{tmp_path}/kube-apiserver"]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("go: k8s.io/api@v0.37.2: dial tcp: lookup proxy: no such host", "can't be fetched: check the network"),
        ("dial tcp 10.0.0.1:443: connect: connection refused", "can't be fetched: check the network, HTTPS_PROXY"),
        ("link: write /tmp/x: no space left on device", "The disk is full: a first build needs 5 GB"),
        ("go: open /root/go/pkg/mod: permission denied", "caches can't be written: check GOCACHE"),
        ("compile: signal: killed", "memory is short: GOFLAGS=-p=1"),
        ("main.go:3: undefined: x", "The cluster's programs can't be built:\nmain.go:3: undefined: x"),
    ],
)
def test_a_failed_build_says_what_to_do(output: str, remedy: str) -> None:
    explained = explain(output)
    assert remedy in explained
    assert explained.endswith(output)


def test_an_old_go_is_told_from_a_new_one(tmp_path: Path) -> None:
    for said, version in {"go version go1.9.1 linux/amd64": (1, 9, 1), "go version devel": ()}.items():
        old = tmp_path / "go"
        old.write_text(f"#!/bin/sh\necho {said}\n")
        old.chmod(0o755)
        assert toolchain.version(old) == version
        assert version < toolchain.parse(GO_MOD)
    assert toolchain.version(tmp_path / "absent") == ()


@pytest.fixture(scope="module")
def node() -> Iterator[Cluster]:
    with Cluster(node=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def shell_image(node: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.fail("no program for a container here: apt-get install busybox-static")
    tar = tmp_path_factory.mktemp("image") / "shell.tar"
    node.load_image(images.archive(tar, "awssts.dev/shell:1", {"/bin/busybox": Path(busybox)}, ["/bin/busybox"]))
    return "awssts.dev/shell:1"


@needs_node
@pytest.mark.timeout(300)
def test_node_runs_a_pod_that_reads_a_secret(node: Cluster, shell_image: str) -> None:
    """And that reaches the API server by its service, and the host by the address that the cluster names."""
    port = node.server.rpartition(":")[2]
    script = (
        f"busybox cat /letter/text && echo && busybox nc -w 5 $KUBERNETES_SERVICE_HOST 443 </dev/null && echo service"
        f" && busybox nc -w 5 {node.host_address} {port} </dev/null && echo host"
    )
    container = {
        "name": "reader",
        "image": shell_image,
        "args": ["sh", "-c", script],
        "volumeMounts": [{"name": "letter", "mountPath": "/letter"}],
    }
    volumes = [{"name": "letter", "secret": {"secretName": "letter"}}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "reader"},
        "spec": {"containers": [container], "volumes": volumes, "restartPolicy": "Never"},
    }
    both = {"apiVersion": "v1", "kind": "List", "items": [SECRET, pod]}
    node.kubectl("apply", "--server-side", "--filename=-", input=json.dumps(both))

    def phase() -> str:
        return node.kubectl("get", "pod/reader", "--output=jsonpath={.status.phase}").stdout

    wait_until(lambda: phase() in {"Succeeded", "Failed"}, timeout=120, what="the pod's end")
    assert node.kubectl("logs", "pod/reader").stdout.split() == ["hello", "service", "host"]


@needs_node
@pytest.mark.timeout(300)
def test_node_leaves_nothing_after_a_kill() -> None:
    folder = start_and_kill("node=True")
    wait_until(lambda: not processes_naming(str(folder)), timeout=30, what="the end of all programs")
    assert str(folder) not in Path("/proc/self/mounts").read_text()
