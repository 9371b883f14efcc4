"""A gateway as its users meet it: a process with its own rights, a namespace of people, and calls by HTTPS.

Test files take the fixtures by name: `people = gateways.people`.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import pytest
import urllib3
import yaml

from awssts.adapters.authority import issue
from awssts.adapters.passwords import Passwords
from testbed.process import Process, free_port
from tests.integration import kube
from tests.integration.operator_process import PROGRAM, RIGHTS, account_kubeconfig
from tests.integration.patience import eventually
from tests.integration.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.sts import StrictSts, User
    from tests.integration.api_proxy import ApiProxy
    from tests.integration.kube import Api
    from tests.integration.secrecy import Secrecy

PASSWORD = "correct horse battery staple"
ACCOUNT = "awssts-gateway"
ACTUATOR = "/actuator/awsSts"
SETTLED = 1.1  # seconds: what the gateway read serves for one
_NUMBERS = itertools.count(1)
_HOSTS = itertools.count(1)


@functools.cache
def hashed(password: str) -> str:
    return Passwords(threads=1).hash(password)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def said(self) -> tuple[int, str]:
        return self.status, self.text

    @property
    def file(self) -> dict[str, str]:
        """The credentials file; fails where there is none."""
        assert self.status == 200, self.said
        first, *lines = self.text.splitlines()
        assert first == "[default]"
        return dict(line.split("=", 1) for line in lines)

    @property
    def key(self) -> str:
        return self.file["aws_access_key_id"]


class GatewayProcess:
    """`awssts gateway` at debug level; its environment is bare."""

    def __init__(self, kubeconfig: Path, sts_endpoint: str, folder: Path, *options: str) -> None:
        home = folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        self.log = folder / "gateway.log"
        self.port = free_port()
        self.authority = folder / "ca.pem"
        self.files = folder / "tls.crt", folder / "tls.key"
        self.renew_certificate()
        served = [f"--certificate={self.files[0]}", f"--key={self.files[1]}"]
        address = ["--host=127.0.0.1", f"--port={self.port}"]
        self._process = Process(
            "gateway",
            [PROGRAM, "gateway", "--log-level=debug", *address, *served, *options],
            log=self.log,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "KUBECONFIG": str(kubeconfig),
                "AWS_ENDPOINT_URL": sts_endpoint,
                "PYTHONWARNINGS": "default",
            },
        )

    def renew_certificate(self) -> None:
        pair, authority = issue({"127.0.0.1", "localhost"}, datetime.now(UTC))
        known = self.authority.read_bytes() if self.authority.exists() else b""
        self.authority.write_bytes(known + authority)
        for path, content in zip(self.files, (pair.certificate, pair.key), strict=True):
            path.touch(mode=0o600)
            path.write_bytes(content)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def start(self) -> None:
        self._process.start()
        eventually(lambda: not self._process.alive or "gateway serves" in self.said(), "the gateway's start")
        assert self._process.alive, self.said()

    def end(self) -> int:
        """The exit code of one that ends by itself."""
        self._process.start()
        eventually(lambda: not self._process.alive, "the gateway's end")
        self._process.stop()
        assert self._process.returncode is not None
        return self._process.returncode

    def stop(self) -> int | None:
        self._process.stop(timeout=70)
        return self._process.returncode

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass
class People:
    """A namespace of users, with a gateway before it. Each test calls from an address of its own, by way of a proxy."""

    space: Workspace
    sts: StrictSts
    gateway: GatewayProcess
    address: str = field(default_factory=lambda: f"10.1.{next(_HOSTS)}.1")

    def add(
        self,
        username: str = "",
        *,
        keys: User | None = None,
        password: str = PASSWORD,
        attributes: Mapping[str, Sequence[str]] | None = None,
        labels: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> str:
        """A user, with keys in a Secret of his own unless he has none; returns his name."""
        username = username or f"user-{next(_NUMBERS)}"
        data = {"username": username, "passwordHash": hashed(password)}
        if keys is not None:
            self.space.keys(keys, f"{username}-iam", watched=False)
            spec = {"credentialsSecretRef": {"name": f"{username}-iam"}} | spec
        data |= {"spec": yaml.safe_dump(spec)} if spec else {}
        data |= {"attributes": yaml.safe_dump({k: list(v) for k, v in attributes.items()})} if attributes else {}
        self.space.secret_of(username, data, labels={"awssts.dev/type": "user", **(labels or {})})
        return username

    def settle(self) -> None:
        """Until the gateway reads anew."""
        eventually(elapsed(SETTLED), "the second that it believes a reading")

    def call(
        self,
        username: str | None = None,
        password: str | None = PASSWORD,
        *,
        path: str = ACTUATOR,
        query: Mapping[str, str] | None = None,
        accept: str = "*/*",
        address: str = "",
        **form: str,
    ) -> Answer:
        """A login."""
        given = {"username": username, "password": password, **form}
        body = urlencode({name: value for name, value in given.items() if value is not None})
        return self.send(
            "POST",
            path + (f"?{urlencode(query)}" if query else ""),
            body.encode(),
            {"Content-Type": "application/x-www-form-urlencoded", "Accept": accept},
            address,
        )

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, address: str = ""
    ) -> Answer:
        with urllib3.PoolManager(ca_certs=str(self.gateway.authority), retries=False) as pool:
            answer = pool.request(
                method,
                self.gateway.url + path,
                body=body or None,
                headers={"X-Forwarded-For": address or self.address, **(headers or {})},
                timeout=90,
            )
            return Answer(answer.status, answer.data.decode(), dict(answer.headers))

    def identity(self, answer: Answer) -> str:
        """Whose credentials they are, as AWS says."""
        file = answer.file
        client = self.sts.client(
            {
                "AccessKeyId": file["aws_access_key_id"],
                "SecretAccessKey": file["aws_secret_access_key"],
                "SessionToken": file["aws_session_token"],
            }
        )
        return client.get_caller_identity()["Arn"]

    def events(self, name: str) -> list[tuple[str, str]]:
        return self.space.events(name)

    def audit(self, **wanted: str) -> list[dict[str, Any]]:
        """The lines of the log about logins."""
        lines = [json.loads(line) for line in self.gateway.said().splitlines() if line.startswith("{")]
        mine = [line for line in lines if line.get("event") == "login"]
        return [line for line in mine if all(line.get(key) == value for key, value in wanted.items())]


def rights(cluster: Cluster, api: Api, namespace: str) -> None:
    """Those of tests/data/rbac/gateway.yaml, for that namespace of users."""
    assert api
    text = (RIGHTS / "gateway.yaml").read_text().replace("namespace: people", f"namespace: {namespace}")
    cluster.kubectl("apply", "--server-side", "--filename=-", input=text)


def elapsed(seconds: float) -> Callable[[], bool]:
    """What is true that long after now."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


@dataclass
class Place:
    """A namespace of people, and what a gateway for it needs."""

    space: Workspace
    kubeconfig: Path
    cluster: Cluster
    folder: Path
    sts: StrictSts
    secrecy: Secrecy

    def gateway(self, *options: str, kubeconfig: Path | None = None, proxies: str = "127.0.0.1") -> GatewayProcess:
        """One that was not started yet."""
        folder = self.folder / f"gateway-{next(_NUMBERS)}"
        options = (f"--namespace={self.space.name}", "--log-format=json", f"--proxy={proxies}", *options)
        made = GatewayProcess(kubeconfig or self.kubeconfig, self.sts.endpoint, folder, *options)
        self.secrecy.logs.add(made.log)
        return made

    def proxied(self, proxy: ApiProxy) -> Path:
        """The kubeconfig of a gateway that goes by way of a proxy."""
        path = self.folder / f"proxied-{next(_NUMBERS)}"
        return account_kubeconfig(self.cluster, ACCOUNT, path, server=proxy.url)


@pytest.fixture(scope="module")
def place(
    cluster: Cluster, api: Api, sts: StrictSts, secrecy: Secrecy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    space = Workspace(api, f"people-{next(_NUMBERS)}-{os.getpid()}")
    cluster.kubectl("create", "namespace", space.name)
    rights(cluster, api, space.name)
    folder = tmp_path_factory.mktemp("people")
    kubeconfig = account_kubeconfig(cluster, ACCOUNT, folder / "kubeconfig")
    yield Place(space, kubeconfig, cluster, folder, sts, secrecy)
    api.delete(kube.path(kube.SECRETS, space.name))


@pytest.fixture(scope="module")
def gateway(place: Place) -> Iterator[GatewayProcess]:
    with place.gateway() as running:
        yield running


@pytest.fixture
def people(place: Place, gateway: GatewayProcess) -> People:
    return People(place.space, place.sts, gateway)
