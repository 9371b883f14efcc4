"""Has requests judged by policies: gathers the facts, and asks what the evaluation asks for."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from awssts.domain import digest, facts, judgement
from awssts.domain.errors import AwsstsError, Retry
from awssts.domain.judgement import Held, Judgement, Refusal
from awssts.domain.keys import KeyPair
from awssts.domain.policy import (
    Authentication,
    Decision,
    Facts,
    InvalidPolicy,
    NamespaceFacts,
    Need,
    Plugin,
    Policy,
    evaluate,
)
from awssts.domain.request import Request
from awssts.domain.resources import Spec
from awssts.domain.target import Target
from awssts.domain.view import UNKNOWN, Unknown, View
from awssts.services.credential import Credential
from awssts.services.observations import Memory, Name, Observations
from awssts.services.ports import Clock, Cluster, Json
from awssts.services.slots import Slots

_WHENEVER = datetime.min.replace(tzinfo=UTC)
Applicant = Callable[[Request], Awaitable[Authentication | str]]


class Decider(Protocol):
    """Evaluates, and asks outside what that needs; see ``awssts.services.answers``."""

    async def decide(
        self,
        policies: Collection[Policy | InvalidPolicy],
        facts: Facts,
        key: KeyPair | None,
        plugins: Mapping[str, Plugin] | None = None,
        *,
        region: str | None = None,
    ) -> Decision: ...


class Callers(Protocol):
    """Who knows whose keys they are; see ``awssts.adapters.sts``."""

    async def caller_is_root(self, key: KeyPair, *, region: str | None) -> bool: ...


class Judging:
    """Judges requests; where no policy selects a request, it costs nothing.

    Args:
        applicant: tells who applied a request, or why that is not known.
        plugins: triggers of others, by name.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        observations: Observations,
        decider: Decider,
        callers: Callers,
        slots: Slots,
        clock: Clock,
        applicant: Applicant,
        plugins: Mapping[str, Plugin],
    ) -> None:
        self._cluster = cluster
        self._seen = observations
        self._decider = decider
        self._callers = callers
        self._clock = clock
        self._applicant = applicant
        self._plugins = plugins
        self._slots = slots
        self._refusals: dict[Name, Refusal] = {}

    def forget(self, name: Name) -> None:
        """Forget a request that is gone."""
        self._refusals.pop(name, None)
        self._slots.leave(name)

    def guard(self, request: Request) -> str:
        """Return what the request is judged by; empty where no policy selects it."""
        if not self._seen.policies:
            return ""
        namespace = self._seen.namespace(request.identity.namespace)
        return judgement.guard(self._seen.policies, request, namespace) if namespace else "unknown"

    def standing(self, guard: str, view: View, memory: Memory) -> Judgement | Unknown | None:
        """Return what is known without a look: the outcome that the target keeps, while it is judged by the same."""
        target = view.target if isinstance(view.target, Target) else None
        if not guard:
            return _relaxed(view, target)
        if target is None or guard not in {target.policy_guard, memory.judged_by}:
            return UNKNOWN
        return Judgement(guard, judgement.decoded(target.policy_outcome))

    def slot(self, view: View) -> AbstractContextManager[None]:
        """Hold a slot for judging the request, where it has to be; before anything is read for it.

        Raises:
            Later: there is none. Those who are judged must not hold up those whom nobody judges.
        """
        identity = view.request.identity
        return self._slots.held((identity.namespace, identity.name)) if view.guard else nullcontext()

    async def judge(self, view: View, key_secret: Json | None, key: KeyPair | AwsstsError) -> Judgement | None:
        """Return what the policies say now; None where none selects the request."""
        request = view.request
        namespace = await self._namespace(request.identity.namespace)
        deciding: list[Held] = judgement.selected(self._seen.policies, request, namespace)
        if not deciding:
            return None
        own = key if isinstance(key, KeyPair) else None
        return await self._judge(view, deciding, namespace, key_secret, own)

    async def _judge(
        self,
        view: View,
        deciding: list[Held],
        namespace: NamespaceFacts,
        key_secret: Json | None,
        own: KeyPair | None,
    ) -> Judgement:
        policies = [held.policy for held in deciding]
        about = await self._facts(view, namespace, key_secret)
        judged_by = judgement.guard(deciding, view.request, namespace)
        looked_at = digest.of([judged_by, own.digest if own else "", str(replace(about, now=_WHENEVER))])
        name = view.request.identity.namespace, view.request.identity.name
        refusal = self._refusals.pop(name, None)
        if refusal and refusal.stands(looked_at, view.now) and self._asks(policies, about):
            self._refusals[name] = refusal
            return refusal.judgement
        decision = await self._decider.decide(policies, about, own, self._plugins, region=view.target_region)
        found = judgement.judge(decision, view.spec, judged_by)
        if found.denied is not None and found.denied.retry is Retry.INPUT:
            self._refusals[name] = Refusal(found, looked_at, view.now)
        await self.refuse_root(found, replace(view, key=own or UNKNOWN), key_secret)
        return found

    def _asks(self, policies: Collection[Policy | InvalidPolicy], about: Facts) -> bool:
        """Tell whether to judge this anew would be to ask somebody outside."""
        return isinstance(evaluate(policies, about, plugins=self._plugins), Need)

    async def refuse_root(
        self, found: Judgement, view: View, key_secret: Json | None, *, issuing: bool = False
    ) -> None:
        """Refuse the view's key where it is that of an account's root user, and may not be.

        It is asked for new credentials, and for a key that none are made with: what lives stays, whatever is said.

        Raises:
            LimitExceeded: the policies do not allow keys of root.
            AwsstsError: AWS does not say whose key it is.
        """
        decision, key = found.decision, view.key
        if decision is None or found.denied is not None or decision.limits.allow_root:
            return
        if not isinstance(key, KeyPair) or key_secret is None:
            return
        if issuing or not _in_use(key, view):
            with Credential(key, key_secret["metadata"]).settling(self._clock()):
                root = await self._callers.caller_is_root(key, region=view.target_region)
            decision.limits.check_root(root=root)

    async def _facts(self, view: View, namespace: NamespaceFacts, key_secret: Json | None) -> Facts:
        target = view.target if isinstance(view.target, Target) else None
        who = await self._applicant(view.request)
        return facts.gather(view.request, namespace, key_secret, target, who, view.now)

    async def _namespace(self, name: str) -> NamespaceFacts:
        """Return the namespace; one that no watch has told of yet is read: unknown labels must not let a policy out."""
        found = self._seen.namespace(name)
        if found is None:
            self._seen.see_namespace(await self._cluster.namespace_metadata(name) or {"name": name})
            found = self._seen.namespace(name)
        assert found is not None  # noqa: S101 - just put there
        return found


def _in_use(key: KeyPair, view: View) -> bool:
    target = view.target
    return isinstance(target, Target) and target.live(view.now) and target.key_digest == key.digest


def _relaxed(view: View, target: Target | None) -> Judgement | None:
    """Return the outcome that credentials were issued under, where without any policy it is still good enough."""
    issued = judgement.decoded(target.policy_outcome) if target else {}
    if not issued or not isinstance(view.request.spec, Spec):
        return None
    role = view.request.spec.role
    free = judgement.judge(Decision(role_arn=role.arn if role else None), view.request.spec, "")
    return Judgement("", issued) if judgement.kept(free, issued).outcome is issued else None
