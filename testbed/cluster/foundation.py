"""What a cluster has before its first program runs: folders, a port, keys, users."""

from __future__ import annotations

import csv
import secrets
from typing import TYPE_CHECKING

from testbed.cluster import kubeconfig
from testbed.cluster.certificates import Authority, slug
from testbed.process import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOOPBACK = "127.0.0.1"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"  # the first of them: `kubernetes` in the default namespace
API_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
ADMINISTRATORS = "system:masters"


class Foundation:
    """`state` is private and short-lived; the logs may be kept.

    `host` is the address at which pods reach this machine, where there is a node.
    """

    def __init__(self, state: Path, logs: Path, host: str | None = None) -> None:
        self.state = state
        self.logs = logs
        self.host = host
        logs.mkdir(parents=True, exist_ok=True)
        self.audit_log = logs / "audit.log"
        self.audit_log.unlink(missing_ok=True)  # an earlier cluster's; the other logs go on
        self.port = free_port()
        self.server = f"https://{LOOPBACK}:{self.port}"
        self.authority = Authority(state / "pki")
        addresses = [LOOPBACK, API_SERVICE, *([host] if host else ())]
        self.serving = self.authority.server("kube-apiserver", addresses, API_NAMES)
        self.service_account_key = self.authority.signing_key("service-accounts")
        self.admin_token = secrets.token_urlsafe()
        self.tokens = self._token_file()

    @property
    def etcd_socket(self) -> str:
        """Instead of a port: nobody else on the machine can read Secrets from etcd."""
        return f"unix://{self.state}/etcd.sock"

    def admin_kubeconfig(self, path: Path) -> Path:
        return kubeconfig.write(path, self.server, self.authority.certificate, {"token": self.admin_token})

    def user_kubeconfig(self, name: str, groups: Sequence[str] = (), server: str | None = None) -> Path:
        """For any user: the name and groups are in a certificate of the cluster's own authority."""
        path = self.state / f"{slug(name)}.kubeconfig"
        user = kubeconfig.with_certificate(self.authority.client(name, groups))
        return kubeconfig.write(path, server or self.server, self.authority.certificate, user)

    def service_account(self, folder: Path) -> Path:
        """A folder as a pod's service account has one; the account is the administrator."""
        folder.mkdir(mode=0o700)
        (folder / "token").write_text(self.admin_token)
        (folder / "ca.crt").write_bytes(self.authority.certificate.read_bytes())
        return folder

    def _token_file(self) -> Path:
        path = self.state / "tokens.csv"
        path.touch(mode=0o600)
        with path.open("w", newline="") as file:
            csv.writer(file).writerow([self.admin_token, "admin", "admin", ADMINISTRATORS])
        return path
