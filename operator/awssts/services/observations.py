"""What this process has seen of the cluster, in as few bytes as decisions need: no secret is kept."""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from awssts.domain import digest, keys
from awssts.domain.errors import AwaitingTokenCode
from awssts.domain.judgement import Held
from awssts.domain.policy import NamespaceFacts, load
from awssts.domain.request import Request
from awssts.domain.resources import Spec
from awssts.domain.status import MFA_SATISFIED, READY, Status
from awssts.domain.target import Target, observe
from awssts.domain.view import UNKNOWN, Rewritten, Unknown
from awssts.services.echoes import Echoes

Name = tuple[str, str]  # namespace and name


@dataclass(frozen=True, slots=True)
class Standing:
    """What metrics tell of a request; moments are seconds since 1970, zero where there is none."""

    ready: bool = False
    awaits_code: bool = False
    expiration: float = 0.0
    renewal: float = 0.0


def standing(status: Status) -> Standing:
    """Return what a status comes to."""
    ready, code = status.condition(READY), status.condition(MFA_SATISFIED)
    return Standing(
        ready is not None and ready.status == "True",
        code is not None and code.reason == AwaitingTokenCode.__name__,
        status.expiration.timestamp() if status.expiration else 0.0,
        status.next_renewal.timestamp() if status.next_renewal else 0.0,
    )


@dataclass(slots=True)
class Memory:
    """What is remembered of a request between two looks at it. Losing it costs a read at the most."""

    credentials_secret: str = ""
    written: int = 0  # resource version of our last status, where nobody else wrote: no event up to it is news
    told: int = 0  # resource version of our last status
    looked_at: datetime | None = None
    looks: int = 0
    repaired_at: datetime | None = None
    rewritten: Rewritten | None = None
    judged_by: str = ""  # what policies judged it by last, with nothing to do
    standing: Standing | None = None  # None before the request was looked at


class Observations:
    """Targets, labelled inputs and requests by name.

    Args:
        echoes: whether the watches that tell of them still deliver.
    """

    def __init__(self, echoes: Echoes | None = None) -> None:
        self.echoes = echoes or Echoes(time.monotonic)
        self._targets: dict[Name, Target] = {}
        self._prints: dict[Name, Mapping[str, str]] = {}
        self._memories: dict[Name, Memory] = {}
        self._users: defaultdict[Name, set[str]] = defaultdict(set)
        self._policies: dict[str, Held] = {}
        self._namespaces: dict[str, NamespaceFacts] = {}

    # Requests.

    def memory(self, name: Name) -> Memory:
        """Return what is remembered of a request; it is known from now on."""
        return self._memories.setdefault(name, Memory())

    def knows(self, name: Name) -> bool:
        """Whether such a request was seen and not deleted since."""
        return name in self._memories

    def note(self, request: Request) -> None:
        """Remember which credentials Secret the request uses, and how it stood before this process looked at it."""
        name = request.identity.namespace, request.identity.name
        memory = self.memory(name)
        if memory.standing is None:
            memory.standing = standing(request.status)
        used = request.spec.credentials_secret_ref.name if isinstance(request.spec, Spec) else ""
        if used != memory.credentials_secret:
            self._leave(name, memory)
            memory.credentials_secret = used
            self._users[name[0], used].add(name[1])

    def standings(self) -> list[tuple[Name, Standing]]:
        """Return how each request stands that was looked at.

        In any thread: the dictionary may change while that goes over its copy.
        """
        known = ((name, memory.standing) for name, memory in list(self._memories.items()))
        return [(name, standing) for name, standing in known if standing is not None]

    def forget(self, name: Name) -> None:
        """Forget a request that is gone."""
        if (memory := self._memories.pop(name, None)) is not None:
            self._leave(name, memory)
            self.echoes.requests.gone(name)

    def _leave(self, name: Name, memory: Memory) -> None:
        used = name[0], memory.credentials_secret
        if used in self._users:
            self._users[used].discard(name[1])
            if not self._users[used]:
                del self._users[used]

    def requests(self, namespace: str | None = None) -> set[Name]:
        """Return all requests, or those of a namespace."""
        return {name for name in self._memories if namespace in {None, name[0]}}

    # Policies, and the namespaces that they select by.

    @property
    def policies(self) -> Collection[Held]:
        """All policies."""
        return self._policies.values()

    def see_policy(self, body: Mapping[str, Any]) -> set[Name]:
        """Take in a policy; return the requests that this may be news for: those in the namespaces it selects."""
        name, spec = body["metadata"]["name"], digest.of(body.get("spec"))
        known = self._policies.get(name)
        if known is not None and known.digest == spec:
            return set()
        held = self._policies[name] = Held(load(body), spec)
        return self._selected(held) | (self._selected(known) if known else set())

    def lose_policy(self, name: str) -> set[Name]:
        """Take in that a policy is gone; return the requests that this may be news for."""
        known = self._policies.pop(name, None)
        return self._selected(known) if known else set()

    def _selected(self, held: Held) -> set[Name]:
        selector = held.policy.selector.namespace_selector
        facts = self._namespaces
        return {
            name
            for name in self._memories
            if selector is None or name[0] not in facts or selector.matches(facts[name[0]].labels)
        }

    def namespace(self, name: str) -> NamespaceFacts | None:
        """Return a namespace's labels and annotations, where it was seen."""
        return self._namespaces.get(name)

    def namespaces(self) -> Collection[str]:
        """Return the names of those that were seen."""
        return self._namespaces

    def see_namespace(self, metadata: Mapping[str, Any]) -> bool:
        """Take in a namespace; say whether its labels or annotations are news."""
        facts = NamespaceFacts(
            name=metadata["name"], labels=metadata.get("labels") or {}, annotations=metadata.get("annotations") or {}
        )
        known = self._namespaces.get(facts.name)
        self._namespaces[facts.name] = facts
        return known != facts

    def lose_namespace(self, name: str) -> None:
        """Take in that a namespace is gone."""
        self._namespaces.pop(name, None)

    # Targets.

    def target(self, name: Name) -> Target | Unknown:
        """Return the target Secret of that name, where one was seen."""
        return self._targets.get(name, UNKNOWN)

    def see_target(self, metadata: Mapping[str, Any], data: Mapping[str, str] | None = None) -> Target | None:
        """Take in a Secret as it is now; return it if that is news. What is older than what is known is not."""
        name = metadata["namespace"], metadata["name"]
        seen, known = observe(metadata, data), self._targets.get(name)
        if known is not None and known.uid == seen.uid and known.resource_version > seen.resource_version:
            return None
        if data is None and known is not None and known.resource_version == seen.resource_version:
            seen = replace(seen, intact=seen.intact and known.intact)  # what was seen of the data still holds
        self._targets[name] = seen
        return seen if seen != known else None

    def lose_target(self, name: Name, uid: str | None = None) -> Target | None:
        """Take in that the Secret is gone; return what it was if that is news."""
        self.echoes.secrets.gone(name)
        known = self._targets.get(name)
        if known is None or (uid is not None and known.uid != uid):
            return None
        return self._targets.pop(name)

    def spoil_target(self, name: Name, found: Target) -> None:
        """Take in that a Secret does not hold what it says, and has to be issued anew."""
        self._targets[name] = replace(self._targets.get(name, found), intact=False)

    def targets(self) -> set[Name]:
        """Return the names of all targets that were seen."""
        return set(self._targets)

    # Labelled inputs.

    def key_digest(self, request: Request) -> str | Unknown:
        """Return the digest of the request's key, where its Secret is watched; empty where that has none."""
        if not isinstance(request.spec, Spec):
            return UNKNOWN
        reference = request.spec.credentials_secret_ref
        prints = self._prints.get((request.identity.namespace, reference.name))
        return UNKNOWN if prints is None else keys.digest_in(prints, reference)

    def watches_credentials(self, name: Name) -> bool:
        """Whether that is a labelled credentials Secret, or was."""
        return name in self._prints

    def see_credentials(self, name: Name, data: Mapping[str, str] | None) -> set[Name]:
        """Take in a labelled credentials Secret (None: deleted); return the requests that this is news for."""
        if data is None and name not in self._users:
            self._prints.pop(name, None)  # nobody's: nothing has to be remembered of it
            return set()
        prints = keys.fingerprint(data or {})
        known = self._prints.get(name)
        self._prints[name] = prints
        if known == prints:
            return set()
        return {(name[0], user) for user in self._users.get(name, ())}
