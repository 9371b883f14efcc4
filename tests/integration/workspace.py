"""A namespace for a test, in the words that tests speak."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.integration import kube
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

    from testbed.sts import Key, StrictSts
    from testbed.sts.journal import Call
    from tests.integration.kube import Api, Json

WATCHED = {"awssts.dev/type": "credentials"}
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Workspace:
    """Requests, Secrets and Events of one namespace. Names default to those of the examples."""

    api: Api
    name: str

    # --- writing ---------------------------------------------------------------------------------------

    def keys(self, key: Key, name: str = "reports-iam", *, watched: bool = True) -> None:
        """A Secret with the long-term key of an IAM user."""
        self.secret_of(
            name,
            {"aws_access_key_id": key.access_key_id, "aws_secret_access_key": key.secret_access_key},
            labels=WATCHED if watched else None,
        )

    def secret_of(self, name: str, data: dict[str, str], labels: dict[str, str] | None = None) -> None:
        """A Secret with that data, in place of the one that is there."""
        body = {"metadata": {"name": name, "labels": labels or {}}, "stringData": data}
        if self.api.get(self._path(kube.SECRETS, name)) is None:
            self.api.create(self._path(kube.SECRETS), body)
        else:
            old = dict.fromkeys(self.secret(name) or {})
            self.api.merge(self._path(kube.SECRETS, name), {"data": old} | body)

    def request(self, name: str = "reports", *, keys: str = "reports-iam", **spec: Any) -> None:
        """An AwsStsRequest."""
        self.api.create(
            self._path(kube.REQUESTS),
            {
                "apiVersion": "awssts.dev/v1alpha1",
                "kind": "AwsStsRequest",
                "metadata": {"name": name},
                "spec": {"credentialsSecretRef": {"name": keys}, **spec},
            },
        )

    def change(self, name: str = "reports", **spec: Any) -> None:
        """Other values in its spec; None takes one out."""
        self.api.merge(self._path(kube.REQUESTS, name), {"spec": spec})

    def renew(self, name: str = "reports") -> None:
        """Asks for a renewal now."""
        annotations = {"awssts.dev/renew": f"{next(_NUMBERS)}"}
        self.api.merge(self._path(kube.REQUESTS, name), {"metadata": {"annotations": annotations}})

    def change_secret(self, name: str = "reports", **body: Any) -> None:
        """A merge patch."""
        self.api.merge(self._path(kube.SECRETS, name), body)

    def delete_secret(self, name: str = "reports") -> None:
        self.api.delete(self._path(kube.SECRETS, name))

    def delete_request(self, name: str = "reports") -> None:
        self.api.delete(self._path(kube.REQUESTS, name))

    def clear(self) -> None:
        """Takes away all that an operator would still look after."""
        self.api.delete(self._path(kube.REQUESTS))
        self.api.delete(self._path(kube.SECRETS))

    # --- reading ---------------------------------------------------------------------------------------

    def status(self, name: str = "reports") -> Json:
        found = self.api.get(self._path(kube.REQUESTS, name))
        return (found or {}).get("status") or {}

    def condition(self, name: str = "reports", kind: str = "Ready") -> Json:
        """Empty where there is no such condition."""
        return next((held for held in self.status(name).get("conditions", ()) if held["type"] == kind), {})

    def secret(self, name: str = "reports") -> dict[str, str] | None:
        """The data as text; None where there is no such Secret."""
        found = self.api.get(self._path(kube.SECRETS, name))
        if found is None:
            return None
        data = found.get("data") or {}
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}

    def held_key(self, name: str = "reports") -> str | None:
        """The access key id in a target Secret."""
        return (self.secret(name) or {}).get("AWS_ACCESS_KEY_ID")

    def metadata(self, name: str = "reports") -> Json:
        """That of a Secret."""
        found = self.api.get(self._path(kube.SECRETS, name))
        assert found is not None, f"no Secret {name}"
        metadata: Json = found["metadata"]
        return metadata

    def events(self, name: str = "reports") -> list[tuple[str, str]]:
        """Type and reason of the Events about a request, in the order of their making."""
        listed = self.api.get(self._path(kube.EVENTS)) or {}
        mine = [event for event in listed["items"] if event["involvedObject"]["name"] == name]
        mine.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [(event["type"], event["reason"]) for event in mine]

    # --- waiting ---------------------------------------------------------------------------------------

    def until_ready(self, name: str = "reports", *, timeout: float = 60) -> Json:
        """The status, once credentials are there as the newest spec asks and nothing fails."""

        def ready() -> Json | None:
            found = self.api.get(self._path(kube.REQUESTS, name)) or {}
            status: Json = found.get("status") or {}
            conditions = {held["type"]: held for held in status.get("conditions", ())}
            asked = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
            whole = conditions.get("Ready", {}).get("reason") == "Issued" and set(conditions) == {"Ready"}
            return status if asked and whole and self.is_of_what_is_there(status) else None

        try:
            return eventually(ready, f"{self.name}/{name} is ready", timeout=timeout) or {}
        except AssertionError as late:
            late.add_note(f"its status: {self.status(name)}")
            raise

    def until_reason(self, reason: str, name: str = "reports", *, kind: str = "Stalled", timeout: float = 60) -> Json:
        """The condition of that kind, once it is true for that reason."""

        def told() -> Json | None:
            found = self.condition(name, kind)
            return found if (found.get("status"), found.get("reason")) == ("True", reason) else None

        try:
            return eventually(told, f"{self.name}/{name}: {kind} for {reason}", timeout=timeout) or {}
        except AssertionError as late:
            late.add_note(f"its status: {self.status(name)}")
            raise

    def is_of_what_is_there(self, status: Json) -> bool:
        """Whether a status tells of the credentials in the target: it is written after these."""
        found = self.api.get(self._path(kube.SECRETS, status["secretName"])) or {}
        annotations = found.get("metadata", {}).get("annotations") or {}
        return annotations.get("awssts.dev/access-key-id") in {None, status["accessKeyId"]}

    def until_renewed(self, old: str | None, name: str = "reports", *, timeout: float = 60) -> str:
        """The access key id in a target Secret, once it is another than the old one."""

        def other() -> str | None:
            held = self.held_key(name)
            return held if held != old else None

        return eventually(other, f"new credentials in {self.name}/{name}", timeout=timeout) or ""

    def _path(self, kind: tuple[str, str], name: str = "") -> str:
        return kube.path(kind, self.name, name)


class Pod:
    """Uses what is in a target Secret, as a program with the AWS SDK would."""

    def __init__(self, space: Workspace, sts: StrictSts, name: str = "reports") -> None:
        self._space = space
        self._sts = sts
        self._name = name
        self._clients: dict[str, STSClient] = {}

    def identity(self) -> str:
        """The ARN that GetCallerIdentity answers with; an error where the credentials are gone or don't work."""
        data = self._space.secret(self._name)
        assert data is not None, f"Secret {self._name} is gone"
        key = data["AWS_ACCESS_KEY_ID"]
        if key not in self._clients:
            credentials = {
                "AccessKeyId": key,
                "SecretAccessKey": data["AWS_SECRET_ACCESS_KEY"],
                "SessionToken": data["AWS_SESSION_TOKEN"],
            }
            self._clients[key] = self._sts.client(credentials)
        return self._clients[key].get_caller_identity()["Arn"]

    @property
    def seen(self) -> list[str]:
        """The access key ids used so far, in order."""
        return list(self._clients)


def calls_of(sts: StrictSts, key: Key) -> list[Call]:
    """The calls that were signed with a long-term key: all that the operator makes."""
    return [call for call in sts.calls() if call.access_key_id == key.access_key_id]
