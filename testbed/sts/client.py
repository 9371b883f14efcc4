"""The strict STS for Python programs: starts one or attaches to one, and sets up what is to be tested."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from testbed.process import Process, free_port, wait_until
from testbed.sts.control import PREFIX
from testbed.sts.journal import Call, Counters
from testbed.sts.totp import STEP, Seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

START_TIMEOUT = 60  # seconds: two on an idle machine, most of them for importing moto
SOURCES = Path(__file__).parents[2]  # for `-m testbed.sts` from any directory
LOOPBACK = "127.0.0.1"
REGION = "eu-central-1"


@dataclass(frozen=True)
class Key:
    """A long-term access key."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True)
class User(Key):
    """An IAM user with one access key."""

    name: str
    arn: str


@dataclass(frozen=True)
class Device:
    """A virtual MFA device."""

    serial_number: str
    seed: str = field(repr=False)  # base32
    algorithm: str = "SHA1"

    def code(self, at: float | None = None) -> str:
        """The code now, or at a time in seconds since 1970."""
        return Seed(self.seed, self.algorithm).code(int((time.time() if at is None else at) // STEP))


class FaultOptions(TypedDict, total=False):
    """When a fault strikes: see testbed/sts/faults.py."""

    phase: str
    operation: str
    access_key_id: str
    count: int
    seconds: float


class StrictSts:
    """A strict STS in a process of its own, which ends with the `with` block."""

    def __init__(self, log_directory: Path, port: int | None = None, host: str = LOOPBACK) -> None:
        """`host`: an address of this machine that those who call it can reach."""
        port = port or free_port()
        paths = [str(SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process: Process | None = Process(
            "sts",
            [sys.executable, "-m", "testbed.sts", "--port", str(port), "--host", host],
            log=log_directory / "sts.log",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self._use(f"http://{host}:{port}")

    @staticmethod
    def attach(endpoint: str) -> StrictSts:
        """One that runs already, and goes on after us."""
        return _Attached(endpoint)

    def _use(self, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")  # for AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_STS
        self._clients: list[IAMClient | STSClient] = []

    def start(self) -> None:
        """Returns once it answers."""
        if self._process is not None:
            self._process.start()
            wait_until(self._answers, timeout=START_TIMEOUT, what="the strict STS", process=self._process)

    def stop(self) -> None:
        """Ends the process, unless it was there before us."""
        for client in self._clients:
            client.close()
        self._clients.clear()
        self.__dict__.pop("iam", None)
        if self._process is not None:
            self._process.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- clients ---------------------------------------------------------------------------------------

    @cached_property
    def iam(self) -> IAMClient:
        """IAM as moto does it. It asks for no permission."""
        client: IAMClient = boto3.client("iam", **self._options(REGION, Key("testbed", "testbed")))
        self._clients.append(client)
        return client

    def client(
        self,
        credentials: Key | CredentialsTypeDef | Mapping[str, Any],
        region: str = REGION,
        config: Config | None = None,
    ) -> STSClient:
        """An STS client that shows every error: one attempt, and no checks of its own on parameters."""
        client: STSClient = boto3.client("sts", **self._options(region, credentials, config))
        self._clients.append(client)
        return client

    def _options(
        self,
        region: str,
        credentials: Key | CredentialsTypeDef | Mapping[str, Any],
        config: Config | None = None,
    ) -> dict[str, Any]:
        plain = Config(retries={"total_max_attempts": 1}, parameter_validation=False, read_timeout=15)
        if isinstance(credentials, Key):
            key, secret, token = credentials.access_key_id, credentials.secret_access_key, None
        else:
            key, secret = credentials["AccessKeyId"], credentials["SecretAccessKey"]
            token = credentials.get("SessionToken")
        return {
            "endpoint_url": self.endpoint,
            "region_name": region,
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
            "aws_session_token": token,
            "config": plain.merge(config) if config else plain,
        }

    # --- what is to be tested --------------------------------------------------------------------------

    def user(self, name: str, tags: Mapping[str, str] | None = None, path: str = "/") -> User:
        """A new IAM user with an access key."""
        arn = self.iam.create_user(UserName=name, Path=path, Tags=_tags(tags))["User"]["Arn"]
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return User(key["AccessKeyId"], key["SecretAccessKey"], name, arn)

    def device(self, user: User, algorithm: str = "SHA1", name: str | None = None) -> Device:
        """A new virtual MFA device, enabled for the user."""
        made = self.iam.create_virtual_mfa_device(VirtualMFADeviceName=name or user.name)["VirtualMFADevice"]
        device = Device(made["SerialNumber"], made["Base32StringSeed"].decode(), algorithm)
        if algorithm != "SHA1":
            self._control("device-algorithm", serial_number=device.serial_number, algorithm=algorithm)
        now = time.time()  # moto takes any codes, AWS the two before the current one
        self.iam.enable_mfa_device(
            UserName=user.name,
            SerialNumber=device.serial_number,
            AuthenticationCode1=device.code(now - 2 * STEP),
            AuthenticationCode2=device.code(now - STEP),
        )
        return device

    def role(
        self,
        name: str,
        trust: Mapping[str, Any] | str,
        max_session_duration: int = 3600,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """A new role's ARN; `trust` is its trust policy, or the ARN of the principal that may assume it."""
        policy = {"Statement": [allow(trust)]} if isinstance(trust, str) else trust
        made = self.iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", **policy}),
            MaxSessionDuration=max_session_duration,
            Tags=_tags(tags),
        )
        return made["Role"]["Arn"]

    def root_key(self) -> Key:
        """An access key of the account root."""
        return Key(**self._control("root-key"))

    # --- faults, clock, counters -----------------------------------------------------------------------

    def fault(self, kind: str, **options: Unpack[FaultOptions]) -> None:
        """Switches a fault on: until it is cleared, or for the next `count` calls that it is meant for."""
        self._control("fault", kind=kind, **options)

    def clear_faults(self) -> None:
        """Switches all faults off and lets hanging calls go on. The clock stays."""
        self._control("clear-faults")

    def skew(self, seconds: float) -> None:
        """Sets the clock of the STS ahead of this machine's (negative: behind)."""
        self._control("skew", seconds=seconds)

    def expire(self, access_key_id: str) -> bool:
        """Ends the life of temporary credentials now: ExpiredToken. False if they are unknown."""
        return bool(self._control("expire", access_key_id=access_key_id))

    def revoke(self, access_key_id: str) -> bool:
        """Makes temporary credentials unknown: InvalidClientTokenId. False if they are already."""
        return bool(self._control("revoke", access_key_id=access_key_id))

    def forget_codes(self) -> None:
        """Makes burnt codes good again: for a test that can't wait for the next step."""
        self._control("forget-codes")

    def counters(self) -> Counters:
        return Counters(**self._control("counters"))

    def calls(self) -> list[Call]:
        """All calls since the last reset, in the order of their ends."""
        return [Call(**call) for call in self._control("calls")]

    def reset_counters(self) -> None:
        """Empties the counters and the log of calls."""
        self._control("reset-counters")

    def _answers(self) -> bool:
        with suppress(OSError):
            return bool(self._control("ready"))
        return False

    def _control(self, name: str, **arguments: Any) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=30)
        try:
            connection.request("POST", PREFIX + name, json.dumps(arguments))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(f"the strict STS refused {name}: {text}")
        return json.loads(text)


class _Attached(StrictSts):
    def __init__(self, endpoint: str) -> None:
        self._process = None
        self._use(endpoint)


def allow(
    principal: str | list[str],
    *,
    condition: Mapping[str, Mapping[str, Any]] | None = None,
    action: str | list[str] = "sts:AssumeRole",
    effect: str = "Allow",
) -> dict[str, Any]:
    """A statement of a trust policy."""
    statement = {"Effect": effect, "Principal": {"AWS": principal}, "Action": action}
    return statement | ({"Condition": condition} if condition else {})


def _tags(tags: Mapping[str, str] | None) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
