"""The cluster's programs, and what goes with them, built once from modules that are pinned in the folders here."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from pathlib import Path

from testbed.cluster import toolchain
from testbed.cluster.build import FLAGS, GO_MOD, MODULE, Progress, build
from testbed.cluster.cache import cache_directory, locked
from testbed.process import ReportedError

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "pause": "awssts.dev/testbed/pause",
    "helm": "helm.sh/helm/v4/cmd/helm",
    "kind": "sigs.k8s.io/kind",
}
APART = {  # from a folder of their own: another version of one is no reason to build Kubernetes again
    "kube-score": ("linters", "github.com/zegl/kube-score/cmd/kube-score"),
    "kube-network-policies": ("enforcer", "sigs.k8s.io/kube-network-policies/cmd"),
}
BUILT_AS = {
    "etcd": "server",
    "kube-network-policies": "cmd",
}  # how `go build` names what isn't named like its package's last part

CONTROL_PLANE = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager",)
NODE = ("kube-scheduler", "kube-proxy", "kubelet", "pause")


def needed(*, controllers: bool, node: bool) -> tuple[str, ...]:
    """What a cluster with these parts runs."""
    return (*CONTROL_PLANE, *(CONTROLLERS if controllers or node else ()), *(NODE if node else ()))


def binary(name: str) -> Path:
    """The program, built first where it has to be."""
    return programs(name)[name]


def programs(*names: str) -> dict[str, Path]:
    """Several programs at once: what has to be built is built together, faster than one by one."""
    found = {name: given for name in names if (given := from_assets(name)) is not None}
    folder = cache_directory() / f"bin-{fingerprint()}"
    found |= {name: folder / name for name in names if name not in found}
    if not all(path.exists() for path in found.values()):
        with locked(folder, what="the cluster's programs"):
            make(folder, [path.name for path in found.values() if not path.exists()])
    return found


def apart(name: str) -> Path:
    """A program that is no part of Kubernetes, built first where it has to be."""
    module = MODULE.with_name(APART[name][0])
    pins = "".join((module / file).read_text() for file in ("go.mod", "go.sum"))
    folder = cache_directory() / f"{module.name}-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"
    if not (folder / name).exists():
        with locked(folder, what=name):
            if not (folder / name).exists():
                make(folder, [name], module)
    return folder / name


def from_assets(name: str) -> Path | None:
    """KUBEBUILDER_ASSETS: envtest's folder of a control plane that somebody else has made."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets or name not in CONTROL_PLANE:
        return None
    program = Path(assets) / name
    if not os.access(program, os.X_OK):
        raise ReportedError(f"KUBEBUILDER_ASSETS is set, but {program} isn't a program: mend or unset it")
    return program


def fingerprint() -> str:
    """Another module version, flag or machine is another folder: caches never have to be cleared."""
    sources = [(MODULE / name).read_text() for name in ("go.mod", "go.sum", "pause/main.go")]
    parts = (*sources, *FLAGS, platform.system(), platform.machine())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def make(folder: Path, missing: list[str], module: Path = MODULE) -> None:
    if not missing:
        return  # made by another process while we waited
    go = toolchain.go(toolchain.parse(GO_MOD))
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder) as part:
        with Progress(f"Building {', '.join(missing)}") as progress:
            packages = [APART[name][1] if name in APART else PACKAGES[name] for name in missing]
            build(go, packages, Path(part), progress, module)
        for name in missing:
            (Path(part) / BUILT_AS.get(name, name)).rename(folder / name)
