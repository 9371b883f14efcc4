"""etcd, kube-apiserver and kube-controller-manager, with Kubernetes' own defaults wherever one exists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.cluster.foundation import ADMINISTRATORS, LOOPBACK, SERVICES
from testbed.process import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.cluster.foundation import Foundation

# Who did what to which object, without contents: one event per request, once it's answered (two for a watch).
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def etcd(program: Path, on: Foundation) -> Process:
    peers = f"unix://{on.state}/etcd-peer.sock"
    return Process(
        "etcd",
        [
            program,
            "--name=testbed",
            f"--data-dir={on.state / 'etcd'}",
            f"--listen-client-urls={on.etcd_socket}",
            f"--advertise-client-urls={on.etcd_socket}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=testbed={peers}",
            "--unsafe-no-fsync",  # nothing here has to survive the machine
            "--log-level=warn",
        ],
        log=on.logs / "etcd.log",
    )


def apiserver(program: Path, on: Foundation, *, audit: bool) -> Process:
    return Process(
        "kube-apiserver",
        [
            program,
            f"--etcd-servers={on.etcd_socket}",
            f"--secure-port={on.port}",
            f"--tls-cert-file={on.serving.certificate}",
            f"--tls-private-key-file={on.serving.key}",
            f"--client-ca-file={on.authority.certificate}",
            f"--token-auth-file={on.tokens}",
            "--authorization-mode=Node,RBAC",
            f"--service-cluster-ip-range={SERVICES}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={on.service_account_key}",
            f"--service-account-signing-key-file={on.service_account_key}",
            *node_flags(on),
            *(audit_flags(on) if audit else ()),
        ],
        log=on.logs / "kube-apiserver.log",
    )


def node_flags(on: Foundation) -> Iterator[str]:
    if on.host is None:
        yield f"--bind-address={LOOPBACK}"
        yield f"--advertise-address={LOOPBACK}"
        yield "--endpoint-reconciler-type=none"  # there is no pod to reach the `kubernetes` service
        return
    client = on.authority.client("kube-apiserver-kubelet-client", [ADMINISTRATORS])
    yield f"--advertise-address={on.host}"
    yield f"--kubelet-client-certificate={client.certificate}"
    yield f"--kubelet-client-key={client.key}"
    yield "--kubelet-preferred-address-types=InternalIP"  # the node's name is in no DNS
    yield "--enable-aggregator-routing"  # webhooks are called at pods' addresses: kube-proxy is the node's


def audit_flags(on: Foundation) -> Iterator[str]:
    policy = on.state / "audit-policy.json"
    policy.write_text(json.dumps(AUDIT_POLICY))
    yield f"--audit-policy-file={policy}"
    yield f"--audit-log-path={on.audit_log}"
    yield "--audit-log-mode=blocking"  # an event is in the file about when its request is answered
    yield "--audit-log-maxsize=0"  # one file, however long a benchmark runs


def controller_manager(program: Path, on: Foundation) -> Process:
    return Process(
        "kube-controller-manager",
        [
            program,
            f"--kubeconfig={on.user_kubeconfig('system:kube-controller-manager')}",
            f"--root-ca-file={on.authority.certificate}",
            f"--service-account-private-key-file={on.service_account_key}",
            "--use-service-account-credentials",  # each controller with its own rights, as kubeadm does it
            "--leader-elect=false",  # there is no other, and electing takes seconds
            f"--flex-volume-plugin-dir={on.state / 'flexvolume'}",  # else it makes a folder in /usr
            f"--bind-address={LOOPBACK}",
            f"--secure-port={free_port()}",
        ],
        log=on.logs / "kube-controller-manager.log",
    )
