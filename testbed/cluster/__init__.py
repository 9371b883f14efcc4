"""A real Kubernetes control plane on loopback, and a node on request."""

from __future__ import annotations

import json
import ssl
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from testbed.cluster import control_plane, requirements
from testbed.cluster.binaries import apart, needed, programs
from testbed.cluster.client import kubectl, kubectl_program
from testbed.cluster.foundation import Foundation
from testbed.cluster.machine import Machine
from testbed.cluster.node import Node
from testbed.cluster.scratch import Scratch, sweep
from testbed.process import ReportedError, wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from pathlib import Path

READY_WITHIN = 60  # seconds; it takes 2 on an idle machine

__all__ = ["Cluster", "kubectl_program"]


class Cluster:
    """Started by `with`, or by start() and stop(); several can run side by side.

    Without `controllers` nothing collects garbage, gives namespaces their service account or finishes
    deleting them: enough for an operator, and ready in two seconds. `node` implies `controllers`. On a node,
    NetworkPolicies count with `policies` only.
    """

    kubeconfig: Path  # the administrator's
    server: str  # https://127.0.0.1:port
    ca: Path
    admin_token: str
    directory: Path  # logs of every component
    host_address: str  # this machine's, for pods; with a node only

    def __init__(
        self,
        *,
        controllers: bool = False,
        node: bool = False,
        policies: bool = False,
        directory: Path | None = None,
        audit: bool = False,
    ) -> None:
        """`directory` gets the kubeconfig and the logs, and keeps the logs; the default is removed at the end."""
        self._with_controllers = controllers or node
        self._with_node = node
        self._with_policies = policies
        self._kept_directory = directory
        self._audit = audit
        self._running = ExitStack()
        self._foundation: Foundation | None = None
        self._node: Node | None = None

    def start(self) -> None:
        if self._with_node:
            requirements.check()
        binaries = programs(*needed(controllers=self._with_controllers, node=self._with_node))
        enforcer = apart("kube-network-policies") if self._with_policies else None
        sweep()
        with ExitStack() as stack:
            scratch = Scratch()
            stack.callback(scratch.remove)
            self.directory = (self._kept_directory or scratch.path / "logs").absolute()
            machine = stack.enter_context(self._machine(scratch.path)) if self._with_node else None
            on = self._lay_foundation(scratch.path, machine.host if machine else None)
            stack.callback(self.kubeconfig.unlink, missing_ok=True)
            stack.enter_context(control_plane.etcd(binaries["etcd"], on))
            server = control_plane.apiserver(binaries["kube-apiserver"], on, audit=self._audit)
            stack.enter_context(server)
            wait_until(self._ready, timeout=READY_WITHIN, what="the API server", process=server)
            if self._with_controllers:
                manager = control_plane.controller_manager(binaries["kube-controller-manager"], on)
                stack.enter_context(manager)
            if machine:
                self._node = stack.enter_context(Node(binaries, machine, on, enforcer))
                self.host_address = machine.host
                wait_until(self._takes_pods, timeout=READY_WITHIN, what="the node", process=self._node.kubelet)
            self._running = stack.pop_all()

    def stop(self) -> None:
        """Ends all programs in order."""
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kubectl(
        self,
        *arguments: str | Path,
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """kubectl as the administrator; with `check`, an error that shows what kubectl said."""
        return kubectl(self.kubeconfig, self._on.state / "kubectl", *arguments, given=input, check=check)

    def metrics(self) -> str:
        """The API server's own, in Prometheus' text format."""
        return self._get("/metrics")

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """What the API server was asked so far, with user agents; wants `audit=True`."""
        if not self._audit:
            raise ReportedError("This cluster keeps no audit log: start it with audit=True")
        with self._on.audit_log.open() as log:
            for line in log:
                if line.endswith("\n"):  # else it's still being written
                    yield json.loads(line)

    def user_kubeconfig(self, name: str, groups: Sequence[str] = ()) -> Path:
        """For a user with these groups, for testing rights; can be asked for at any time."""
        return self._on.user_kubeconfig(name, groups)

    def load_image(self, tar: Path) -> None:
        """Gives the node an image from a `docker save` archive."""
        self._with_pods.load_image(tar)

    def kill_container(self, container: str) -> None:
        """Kills a container, as its pod's status names it, with all that runs in it."""
        self._with_pods.kill_container(container)

    @property
    def _with_pods(self) -> Node:
        if self._node is None:
            raise ReportedError("This cluster has no node: start it with node=True")
        return self._node

    @property
    def _on(self) -> Foundation:
        if self._foundation is None:
            raise ReportedError("The cluster was not started")
        return self._foundation

    def _machine(self, scratch: Path) -> Machine:
        return Machine(scratch / "node", self.directory)

    def _lay_foundation(self, scratch: Path, host: str | None) -> Foundation:
        on = self._foundation = Foundation(scratch, self.directory, host)
        self.kubeconfig = on.admin_kubeconfig(self.directory / "kubeconfig")
        self.server = on.server
        self.ca = on.authority.certificate
        self.admin_token = on.admin_token
        return on

    def _ready(self) -> bool:
        try:
            return self._get("/readyz") == "ok"
        except OSError as error:  # not listening yet, or 500: not ready
            if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                raise  # waiting won't help
            return False

    def _takes_pods(self) -> bool:
        """A ready node, and the service account that every pod of the default namespace has."""
        ready = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
        accounts = self.kubectl("get", "serviceaccounts", "--output=name").stdout
        return "True" in self.kubectl("get", "nodes", "--output", ready).stdout and "default" in accounts

    def _get(self, path: str) -> str:
        request = urllib.request.Request(  # noqa: S310 - always https
            f"{self.server}{path}", headers={"Authorization": f"Bearer {self.admin_token}"}
        )
        trusted = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.ca)))
        direct = urllib.request.build_opener(trusted, urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=10) as answer:
            return str(answer.read().decode())
