"""A real SDK behind the sidecar process: it gets credentials that AWS takes, and follows a rotation by itself."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import CredentialRetrievalError

from awssts.domain.keys import Credentials
from awssts.domain.rendering import render
from awssts.domain.resources import Format, Target
from testbed.sidecar import SidecarProcess
from tests.integration.patience import eventually, throughout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_sts import STSClient

    from testbed.sts import StrictSts, User

REGION = "eu-west-1"


class Pod:
    """A pod with a sidecar: what kubelet mounts, and the SDK of the other container."""

    def __init__(self, sidecar: SidecarProcess, sts: StrictSts, user: User) -> None:
        self.sidecar = sidecar
        self._sts = sts
        self._user = user

    def rotate(self, *formats: Format) -> str:
        """New credentials in the Secret, as the operator writes them; the id of their key."""
        answer = self._sts.client(self._user).get_session_token(DurationSeconds=900)["Credentials"]
        credentials = Credentials(
            answer["AccessKeyId"],
            answer["SecretAccessKey"],
            answer["SessionToken"],
            answer["Expiration"].astimezone(UTC),
        )
        target = Target(formats=list(formats or Format))
        self.sidecar.mounted.write(render(credentials, target, REGION))
        return credentials.access_key_id

    def session(self) -> boto3.Session:
        """A program's, which finds nothing but the sidecar."""
        return boto3.Session(region_name=REGION)

    def client(self, session: boto3.Session) -> STSClient:
        return session.client("sts", endpoint_url=self._sts.endpoint)


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[SidecarProcess]:
    with SidecarProcess(tmp_path, "--health-address=127.0.0.1") as running:
        yield running


@pytest.fixture
def pod(sidecar: SidecarProcess, sts: StrictSts, user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    bare = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1"}
    for name, value in {**bare, **sidecar.environment}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return Pod(sidecar, sts, user)


def held(session: boto3.Session) -> str:
    """The id of the key that a program's SDK has now."""
    credentials = session.get_credentials()
    assert credentials is not None
    assert credentials.method == "container-role"
    return credentials.get_frozen_credentials().access_key


@pytest.mark.parametrize("formats", [[each] for each in Format], ids=lambda formats: formats[0].value)
def test_what_is_served_is_taken_by_aws(pod: Pod, user: User, formats: list[Format]) -> None:
    issued = pod.rotate(*formats)
    eventually(lambda: pod.sidecar.status("/readyz") == 200, "credentials")
    session = pod.session()
    assert held(session) == issued
    assert pod.client(session).get_caller_identity()["Arn"] == user.arn


def test_a_rotation_is_followed_without_a_restart(pod: Pod, sts: StrictSts, user: User) -> None:
    """One client of one program, over three sets of credentials; each call is answered."""
    issued = pod.rotate()
    eventually(lambda: pod.sidecar.status("/readyz") == 200, "credentials")
    session = pod.session()
    client = pod.client(session)
    for _ in range(2):
        old, issued = issued, pod.rotate()
        throughout(lambda: client.get_caller_identity()["Arn"] == user.arn, "an answer of AWS", seconds=1)
        eventually(lambda new=issued: held(session) == new, "the new key")
        assert sts.expire(old)
        assert client.get_caller_identity()["Arn"] == user.arn


def test_sdks_wait_for_the_first_credentials(pod: Pod) -> None:
    """503 until they are there: botocore asks three times, and says what it was told."""
    with pytest.raises(CredentialRetrievalError, match=r"no credentials yet: there is no credentials\.json"):
        held(pod.session())
    issued = pod.rotate()
    assert held(pod.session()) == issued


def test_without_the_token_there_is_nothing(pod: Pod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pod.rotate()
    (tmp_path / "guess").write_text("a guess of the token")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "guess"))
    with pytest.raises(CredentialRetrievalError, match="Authorization must be the content of the token file"):
        held(pod.session())
