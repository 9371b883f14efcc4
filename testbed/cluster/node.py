"""A node with containerd and kubelet, and the scheduler and kube-proxy that make it of use."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from testbed.cluster import cgroups, images, requirements
from testbed.cluster.foundation import LOOPBACK
from testbed.process import Process, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.cluster.foundation import Foundation
    from testbed.cluster.machine import Machine

NAME = "node"
PAUSE = "awssts.dev/pause:1"
SOCKET = "/run/containerd/containerd.sock"
QUEUE = "100"
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"

CONTAINERD = """
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE runc can't lower scores, and dies of it with a message about a pipe.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{networks}"
"""


class Node:
    """Its programs run on a machine of their own; pods reach the host at the machine's `host` address.

    With an `enforcer`, kube-network-policies, NetworkPolicies count; the network itself knows none.
    """

    def __init__(
        self, programs: Mapping[str, Path], machine: Machine, on: Foundation, enforcer: Path | None = None
    ) -> None:
        self._programs = programs
        self._enforcer = enforcer
        self._machine = machine
        self._on = on
        self._snapshotter = "overlayfs" if machine.stacks_layers() else "native"
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(cgroups.remove, self._on.state.name)
            stack.enter_context(self._scheduler())
            containerd = stack.enter_context(self._containerd())
            wait_until(self._containers, timeout=30, what="containerd", process=containerd)
            pause = {"/pause": self._programs["pause"]}
            self.load_image(images.archive(self._machine.state / "pause.tar", PAUSE, pause, ["/pause"]))
            stack.enter_context(self._proxy())
            if self._enforcer:
                stack.enter_context(self._enforcing(self._enforcer))
            self.kubelet = stack.enter_context(self._kubelet())
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def load_image(self, tar: Path) -> None:
        """An image from a `docker save` archive, for pods with imagePullPolicy IfNotPresent or Never."""
        self._machine.run("ctr", "--namespace=k8s.io", "images", "import", f"--snapshotter={self._snapshotter}", tar)

    def kill_container(self, container: str) -> None:
        """SIGKILL for its processes: `container` as its pod's status has it, containerd://…"""
        name = container.removeprefix("containerd://")
        self._machine.run("ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", name)

    def _containers(self) -> bool:
        return self._machine.succeeds("ctr", "version")

    def _scheduler(self) -> Process:
        return Process(
            "kube-scheduler",
            [
                self._programs["kube-scheduler"],
                f"--kubeconfig={self._on.user_kubeconfig('system:kube-scheduler')}",
                "--leader-elect=false",
                f"--bind-address={LOOPBACK}",
                f"--secure-port={free_port()}",
            ],
            log=self._on.logs / "kube-scheduler.log",
        )

    def _containerd(self) -> Process:
        networks = self._machine.state / "networks"
        networks.mkdir()
        self._write("networks/pods.conflist", self._network())
        config = self._machine.state / "containerd.toml"
        config.write_text(
            CONTAINERD.format(
                pause=PAUSE,
                snapshotter=self._snapshotter,
                plugins=requirements.network_plugins(),
                networks=networks,
            )
        )
        return self._machine.process("containerd", "containerd", f"--config={config}")

    def _network(self) -> dict[str, Any]:
        """Each pod on a cable of its own: all packets pass where kube-proxy's rules are."""
        addresses = {
            "type": "host-local",
            "ranges": [[{"subnet": self._machine.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        return {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {"type": "ptp", "ipam": addresses},
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }

    def _proxy(self) -> Process:
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(self._kubeconfig("system:kube-proxy"))},
            "clusterCIDR": self._machine.pods,
            "hostnameOverride": NAME,
            "conntrack": {"maxPerCore": 0},  # the host's own limit is not ours to change
        }
        path = self._write("kube-proxy.json", config)
        return self._machine.process("kube-proxy", self._programs["kube-proxy"], f"--config={path}")

    def _enforcing(self, enforcer: Path) -> Process:
        """It takes itself for a pod, and so finds its API server.

        Each connection's first packet is given to it by these rules, since not every kernel knows its own, in nftables.
        """
        pods = self._machine.pods
        for rule in (
            ("-m", "owner", "--uid-owner", "0", "-j", "ACCEPT"),  # the node itself, with kubelet's probes
            ("-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT"),
            ("--source", pods, "-j", "NFQUEUE", "--queue-num", QUEUE),
            ("--destination", pods, "-j", "NFQUEUE", "--queue-num", QUEUE),
        ):
            self._machine.run("iptables", "--wait", "--table=mangle", "--append", "POSTROUTING", *rule)
        account = self._on.service_account(self._machine.state / "enforcer")
        self._machine.run("mkdir", "--parents", ACCOUNT)
        self._machine.run("mount", "--bind", account, ACCOUNT)
        return self._machine.process(
            "kube-network-policies",
            "env",
            f"KUBERNETES_SERVICE_HOST={self._machine.host}",
            f"KUBERNETES_SERVICE_PORT={self._on.port}",
            enforcer,
            f"--hostname-override={NAME}",
            f"--nfqueue-id={QUEUE}",
            f"--metrics-bind-address={LOOPBACK}:9080",
        )

    def _kubelet(self) -> Process:
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"x509": {"clientCAFile": str(self._on.authority.certificate)}},
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._on.state.name}",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            # A full disk is the host's, as with kind: pods aren't evicted, images aren't removed for it.
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "resolvConf": "",  # pods reach nothing beyond the host, so there is nobody to ask for names
        }
        return self._machine.process(
            "kubelet",
            self._programs["kubelet"],
            f"--config={self._write('kubelet.json', config)}",
            f"--kubeconfig={self._kubeconfig(f'system:node:{NAME}', 'system:nodes')}",
            f"--hostname-override={NAME}",
            f"--node-ip={self._machine.address}",
        )

    def _kubeconfig(self, user: str, *groups: str) -> Path:
        server = f"https://{self._machine.host}:{self._on.port}"
        return self._on.user_kubeconfig(user, groups, server)

    def _write(self, name: str, content: dict[str, Any]) -> Path:
        path = self._machine.state / name
        path.write_text(json.dumps(content))
        return path
