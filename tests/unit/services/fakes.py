"""The outside in memory: an API server and STS that keep count, and fail where they are told to."""

import asyncio
import copy
import dataclasses
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from awssts.domain import names, rendering
from awssts.domain.conditions import Event
from awssts.domain.errors import (
    ClusterConflict,
    ClusterUnavailable,
    InvalidAccessKey,
    InvalidSecretKey,
    TargetRejected,
)
from awssts.domain.keys import Credentials, KeyPair
from awssts.domain.request import Identity
from awssts.domain.resources import Role, Workload
from awssts.domain.status import timestamp
from tests.unit.builders import NOW, Json

Name = tuple[str, str]
Found = TypeVar("Found")
Watch = Callable[[str, str, Json], None]  # type of the event, kind of the object, the object


class Killed(BaseException):
    """The process ended here."""


class Clock:
    """Stands still until it is advanced."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """Raised at a call: before anything was done, or after it, when only the answer is lost."""

    call: str
    error: BaseException
    done: bool = False


class FakeCluster:
    """Requests and Secrets with resource versions, server-side apply, and watches."""

    def __init__(self, clock: Clock) -> None:
        self.requests: dict[Name, Json] = {}
        self.secrets: dict[Name, Json] = {}
        self.workloads: dict[tuple[str, str, str], list[str]] = {}  # what each was restarted for
        self.calls: list[str] = []
        self.faults: deque[Fault] = deque()
        self.watches: list[Watch] = []
        self._meanwhile: dict[str, Callable[[], None]] = {}
        self.before_secret_write: list[Callable[[Json | None, Json], None]] = []
        self._clock = clock
        self._version = 100
        self._applied: dict[str, tuple[set[str], set[str]]] = {}  # by the Secret's uid: keys and owners we wrote

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if call.startswith(("apply", "take", "patch"))]

    def fail(self, call: str, error: BaseException | None = None, *, times: int = 1, done: bool = False) -> None:
        """Have the next ``times`` calls of that name fail; ``*`` is any."""
        fault = Fault(call, error or ClusterUnavailable("the API server answered 503: try later"), done)
        self.faults.extend([fault] * times)

    def at(self, call: str, act: Callable[[], None]) -> None:
        """Have somebody act while the next call of that name is under way."""
        self._meanwhile[call] = act

    # What the operator calls.

    async def request(self, namespace: str, name: str) -> Json | None:
        return await self._answer("request", lambda: copy.deepcopy(self.requests.get((namespace, name))))

    async def secret(self, namespace: str, name: str) -> Json | None:
        return await self._answer("secret", lambda: copy.deepcopy(self.secrets.get((namespace, name))))

    async def secret_metadata(self, namespace: str, name: str) -> Json | None:
        def found() -> Json | None:
            there = self.secrets.get((namespace, name))
            return copy.deepcopy(there["metadata"]) if there else None

        return await self._answer("secret_metadata", found)

    async def namespace_metadata(self, name: str) -> Json | None:
        return await self._answer("namespace_metadata", lambda: {"name": name})

    async def target_metadata(self, namespaces: Sequence[str]) -> AsyncIterator[Json]:
        assert not namespaces
        for there in list(self.secrets.values()):
            if there["metadata"]["labels"].get(names.TYPE_LABEL) == names.TARGET:
                yield copy.deepcopy(there["metadata"])

    async def apply_secret(self, secret: Json) -> Json:
        return await self._answer("apply_secret", lambda: self._apply_secret(copy.deepcopy(secret)))

    async def take_token_code(self, identity: Identity, code: str) -> bool:
        return await self._answer("take_token_code", lambda: self._take_token_code(identity, code))

    async def patch_workload(self, namespace: str, workload: Workload, change: Json) -> bool:
        return await self._answer("patch_workload", lambda: self._patch_workload(namespace, workload, change))

    async def apply_status(self, identity: Identity, status: Json) -> Json | None:
        return await self._answer("apply_status", lambda: self._apply_status(identity, copy.deepcopy(status)))

    async def _answer(self, call: str, act: Callable[[], Found]) -> Found:
        self.calls.append(call)
        await asyncio.sleep(0)  # others may come between
        if call in self._meanwhile:
            self._meanwhile.pop(call)()
        fault = next((fault for fault in self.faults if fault.call in {call, "*"}), None)
        if fault is None:
            return act()
        self.faults.remove(fault)
        if fault.done:
            act()
        raise fault.error

    def _apply_secret(self, applied: Json) -> Json:
        metadata = applied["metadata"]
        name = metadata["namespace"], metadata["name"]
        before = self.secrets.get(name)
        if metadata.get("uid") not in {None, before["metadata"]["uid"] if before else ""}:
            raise ClusterConflict("the object was changed meanwhile: the UID does not match")
        if metadata.pop("resourceVersion", None) not in {None, before and before["metadata"]["resourceVersion"]}:
            raise ClusterConflict("the object was changed meanwhile: it is of another version")
        if before and applied["type"] != before["type"]:
            raise TargetRejected("Kubernetes refuses the object: type: field is immutable")
        after = self._merged(before, applied)
        for check in self.before_secret_write:
            check(before, after)
        self._store(self.secrets, name, after)
        return copy.deepcopy(self.secrets[name]["metadata"])

    def _merged(self, before: Json | None, applied: Json) -> Json:
        metadata = applied["metadata"]
        if before is None:
            metadata |= {"uid": self._uid(), "creationTimestamp": timestamp(self._clock())}
            before = {"data": {}, "metadata": metadata | {"labels": {}, "annotations": {}, "ownerReferences": []}}
        uid = before["metadata"]["uid"]
        our_keys, our_owners = self._applied.get(uid, (set(), set()))
        theirs = {key: value for key, value in before["data"].items() if key not in our_keys}
        owners = [owner for owner in before["metadata"].get("ownerReferences", ()) if owner["uid"] not in our_owners]
        owners += metadata.get("ownerReferences", ())
        self._applied[uid] = set(applied["data"]), {owner["uid"] for owner in metadata.get("ownerReferences", ())}
        merged = {
            **before["metadata"],
            "labels": before["metadata"]["labels"] | metadata["labels"],
            "annotations": before["metadata"]["annotations"] | metadata["annotations"],
            "ownerReferences": owners,
        }
        return {"type": applied["type"], "metadata": merged, "data": theirs | applied["data"]}

    def _apply_status(self, identity: Identity, status: Json) -> Json | None:
        there = self.requests.get((identity.namespace, identity.name))
        if there is None:
            return None
        if there["metadata"]["uid"] != identity.uid:
            raise ClusterConflict("the object was changed meanwhile: the UID does not match")
        if there.get("status") != status:
            self._store(self.requests, (identity.namespace, identity.name), there | {"status": status})
        return copy.deepcopy(self.requests[identity.namespace, identity.name]["metadata"])

    def _patch_workload(self, namespace: str, workload: Workload, change: Json) -> bool:
        known = (namespace, workload.kind, workload.name)
        if known not in self.workloads:
            return False
        self.workloads[known].append(change["spec"]["template"]["metadata"]["annotations"][names.RESTARTED_FOR])
        return True

    def _take_token_code(self, identity: Identity, code: str) -> bool:
        there = self.requests.get((identity.namespace, identity.name))
        if there is None:
            return False
        annotations = dict(there["metadata"]["annotations"])
        if annotations.pop(names.TOKEN_CODE, None) != code:
            return False
        metadata = there["metadata"] | {"annotations": annotations}
        self._store(self.requests, (identity.namespace, identity.name), there | {"metadata": metadata})
        return True

    # What users do.

    def put_request(self, name: Name, spec: Any, annotations: dict[str, str]) -> None:
        there = self.requests.get(name)
        metadata = there["metadata"] if there else self._metadata(name) | {"generation": 0}
        changed = there is None or there["spec"] != spec
        metadata = metadata | {"annotations": annotations, "generation": metadata["generation"] + changed}
        kept = {"status": there["status"]} if there and "status" in there else {}
        self._store(self.requests, name, {"metadata": metadata, "spec": spec, **kept})

    def put_secret(self, name: Name, data: dict[str, str], **metadata: Any) -> None:
        """Write the data of a Secret as a user does, and what is given of its metadata."""
        there = self.secrets.get(name) or {"type": "Opaque", "metadata": self._metadata(name) | {"labels": {}}}
        stamped = there["metadata"] | {"managedFields": [{"time": timestamp(self._clock())}]} | metadata
        stamped.setdefault("annotations", {})
        self._store(self.secrets, name, there | {"metadata": stamped, "data": data})

    def delete_request(self, name: Name) -> None:
        if (gone := self.requests.pop(name, None)) is None:
            return
        self._tell("DELETED", "request", gone)
        for secret in [secret for secret in self.secrets.values() if _owned_by(secret, gone["metadata"]["uid"])]:
            self.delete_secret((secret["metadata"]["namespace"], secret["metadata"]["name"]))

    def delete_secret(self, name: Name) -> None:
        if (gone := self.secrets.pop(name, None)) is not None:
            self._tell("DELETED", "secret", gone)

    # Inside.

    def _metadata(self, name: Name) -> Json:
        created = timestamp(self._clock())
        return {"namespace": name[0], "name": name[1], "uid": self._uid(), "creationTimestamp": created}

    def _uid(self) -> str:
        self._version += 1
        return f"uid-{self._version}"

    def _store(self, objects: dict[Name, Json], name: Name, found: Json) -> None:
        self._version += 1
        found = found | {"metadata": found["metadata"] | {"resourceVersion": str(self._version)}}
        known, objects[name] = name in objects, found
        self._tell("MODIFIED" if known else "ADDED", "request" if objects is self.requests else "secret", found)

    def _tell(self, event: str, kind: str, found: Json) -> None:
        for watch in self.watches:
            watch(event, kind, copy.deepcopy(found))


def _owned_by(secret: Json, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in secret["metadata"].get("ownerReferences", ()))


class FakeSts:
    """Gives new credentials at every call to the keys it knows; ``faults`` are answered first."""

    def __init__(self, clock: Clock) -> None:
        self.secret_keys: dict[str, str] = {}
        self.calls: list[Json] = []
        self.faults: deque[Fault] = deque()
        self.issued: dict[str, Credentials] = {}  # by access key id
        self.lifetime_maximum = 129_600  # seconds; an hour for the account root
        self.skew = timedelta()  # how far AWS's clock is ahead of ours
        self._clock = clock

    async def session_token(self, key: KeyPair, *, region: str | None, lifetime: int, **mfa: Any) -> Credentials:
        return await self._answer(key, {"region": region, "lifetime": lifetime} | mfa)

    async def role_credentials(
        self,
        key: KeyPair | Credentials,
        role: Role,
        *,
        session_name: str,
        region: str | None,
        lifetime: int,
        **mfa: Any,
    ) -> Credentials:
        asked = {"role": role.arn, "session_name": session_name, "region": region, "lifetime": lifetime}
        return await self._answer(key, asked | mfa)

    async def _answer(self, key: KeyPair | Credentials, asked: Json) -> Credentials:
        self.calls.append(asked | {"key": key.access_key_id})
        await asyncio.sleep(0)
        fault = self.faults.popleft() if self.faults else None
        if fault is not None and not fault.done:
            raise fault.error
        given = self._given(key, asked)
        if fault is not None:
            raise fault.error
        return given

    def _given(self, key: KeyPair | Credentials, asked: Json) -> Credentials:
        if key.access_key_id not in self.secret_keys:
            raise InvalidAccessKey("AWS knows no such access key")
        if self.secret_keys[key.access_key_id] != key.secret_access_key:
            raise InvalidSecretKey("the secret access key is not that of the access key id")
        lifetime = timedelta(seconds=min(asked["lifetime"], self.lifetime_maximum))
        number = len(self.calls)
        expiration = (self._clock() + self.skew + lifetime).replace(microsecond=0)
        given = Credentials(f"ASIA{number:016}", f"secret/{number}", f"token/{number}==", expiration)
        self.issued[given.access_key_id] = given
        return given

    def fail(self, error: BaseException, *, times: int = 1, done: bool = False) -> None:
        """Have the next ``times`` calls fail; ``done``: only the answer is lost."""
        self.faults.extend([Fault("", error, done)] * times)

    def holds_live(self, secret: Json | None) -> str:
        """The access key id of the credentials in a Secret; empty unless they are whole and work now."""
        data = secret["data"] if secret else {}
        for given in self.issued.values():
            if given.expiration > self._clock() + self.skew and rendering.recover(data, given.expiration, given.digest):
                return given.access_key_id
        return ""


class FakeEvents:
    """Keeps what was published."""

    def __init__(self) -> None:
        self.published: list[Event] = []

    def publish(self, _identity: Identity, event: Event) -> None:
        self.published.append(event)

    @property
    def reasons(self) -> list[str]:
        return [event.reason for event in self.published]


class FakeTelemetry:
    """Keeps count as Prometheus would; the keys are names with labels."""

    def __init__(self) -> None:
        self.counts = Counter[str]()

    def issued(self, cause: str) -> None:
        self.counts[f"issued {cause}"] += 1

    def failed(self, reason: str) -> None:
        self.counts[f"failed {reason}"] += 1

    def decided(self, trigger: str, outcome: str) -> None:
        self.counts[f"decided {trigger} {outcome}"] += 1

    def cluster_failed(self, reason: str) -> None:
        self.counts[f"cluster {reason}"] += 1

    def restarted(self, *, done: bool) -> None:
        self.counts[f"restarted {done}"] += 1
