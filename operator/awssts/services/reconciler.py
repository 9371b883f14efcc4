"""Carries out plans: looks, issues, repairs, and tells in the status what came of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from awssts.domain import conditions, judgement, rendering, schedule, secret
from awssts.domain.conditions import Trouble
from awssts.domain.errors import (
    AwsstsError,
    ClusterConflict,
    ClusterForbidden,
    ClusterUnavailable,
    Retry,
    TargetChanged,
)
from awssts.domain.judgement import Judgement
from awssts.domain.keys import KeyPair
from awssts.domain.plan import REPAIRS, Cause, Fail, Idle, Issue, Look, Plan, RepairLayout, Restart, plan
from awssts.domain.reasons import Reason
from awssts.domain.request import Request, parse
from awssts.domain.status import Status
from awssts.domain.target import Target, layout_digest, observe
from awssts.domain.view import UNKNOWN, Rewritten, Unknown, View
from awssts.services.credential import Credential
from awssts.services.inputs import carried_out, lent_key, own_key
from awssts.services.issuance import Issuance
from awssts.services.judging import Judging
from awssts.services.later import Later
from awssts.services.observations import Memory, Name, Observations, standing
from awssts.services.ports import Clock, Cluster, Events, Json, Telemetry
from awssts.services.restarts import Restarts

log = structlog.get_logger(__name__)

_WORTH_TELLING = timedelta(seconds=5)


class Reconciler:
    """Brings one request after the other to where its plan says, and returns when to look at it again."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        issuance: Issuance,
        judging: Judging,
        events: Events,
        observations: Observations,
        clock: Clock,
        region: str | None,
        telemetry: Telemetry,
    ) -> None:
        self._cluster = cluster
        self._issuance = issuance
        self._judging = judging
        self._events = events
        self._seen = observations
        self._clock = clock
        self._region = region
        self._telemetry = telemetry
        self._restarts = Restarts(cluster, events, clock, telemetry)
        self._bodies: dict[Name, Json] = {}
        self._claims: dict[Name, str] = {}

    def take(self, name: Name, body: Json) -> bool:
        """Keep what the watch delivered, for the next ``reconcile``: it then needs no read.

        Returns:
            Whether it is news: our own writes come back, and what is older than they.
        """
        if int(body["metadata"]["resourceVersion"]) <= self._seen.memory(name).written:
            return False
        self._bodies[name] = body
        return True

    def forget(self, name: Name) -> None:
        """Forget a request that is gone. Its Secret goes by its owner reference."""
        self._bodies.pop(name, None)
        self._seen.forget(name)
        self._judging.forget(name)
        self._issuance.forget(name)

    async def reconcile(self, name: Name) -> datetime | None:
        """Do what there is to do; return when to look again, None for not before something changes."""
        memory = self._seen.memory(name)
        try:
            body = self._bodies.pop(name, None)
            if body is None or int(body["metadata"]["resourceVersion"]) < memory.told:
                body = await self._cluster.request(*name)  # with the status that we wrote since
            if body is None or body["metadata"].get("deletionTimestamp"):
                self.forget(name)
                return None
            request = parse(body)
            self._seen.note(request)
            return await self._carry_out(request, memory)
        except Later as later:
            if body is not None and self._seen.memory(name) is memory:  # not deleted meanwhile
                self._bodies.setdefault(name, body)  # so that waiting costs no reads
            return later.until
        except (ClusterUnavailable, ClusterForbidden) as error:
            memory.looks += 1
            self._telemetry.cluster_failed(error.reason)
            log.warning("cluster error", namespace=name[0], name=name[1], reason=error.reason, error=error.message)
            return self._clock() + schedule.backoff(memory.looks, "/".join(name))

    async def _carry_out(self, request: Request, memory: Memory) -> datetime | None:
        view = self._view(request, memory)
        looked: _Looked | None = None
        decided = plan(view)
        if isinstance(decided, Look):
            try:
                with self._judging.slot(view):
                    looked = await self._look(view, request, memory)
            except ClusterForbidden as error:
                return await self._failed(view, _known(view), error, memory)
            view = looked.view
            decided = plan(view)
        target = _known(view)
        try:
            if isinstance(decided, Issue):
                assert looked is not None  # noqa: S101 - a key pair comes from a look only
                view = looked.for_issue(request)
                target = await self._issue(view, decided.cause, looked.key_secret, memory)
            elif isinstance(decided, RepairLayout):
                target = await self._rewrite(view, memory)
            elif isinstance(decided, Restart) and target is not None:
                view = await self._restarts.restart(view, target)
            elif isinstance(decided, Fail):
                raise decided.error
        except Later as later:
            return await self._waiting(view, target, later, memory)
        except AwsstsError as error:
            return await self._failed(view, target, error, memory)
        return await self._settled(view, target, decided, memory)

    def _view(self, request: Request, memory: Memory) -> View:
        view = View(
            request=request,
            now=self._clock(),
            region=self._region,
            target=self._seen.target((request.identity.namespace, request.target_name)),
            key=self._seen.key_digest(request),
            guard=self._judging.guard(request),
            rival=self._rival(request),
            looked_at=memory.looked_at,
            repaired_at=memory.repaired_at,
            rewritten=memory.rewritten,
        )
        return carried_out(view, request, self._judging.standing(view.guard, view, memory))

    def _rival(self, request: Request) -> str | None:
        """Return the name of another request that is about to write the same target."""
        claim = self._claims.get((request.identity.namespace, request.target_name))
        return claim if claim != request.identity.name else None

    # Looking.

    async def _look(self, view: View, request: Request, memory: Memory) -> "_Looked":
        """Read the key and, where it isn't known, the target; and have the request judged."""
        namespace = request.identity.namespace
        view = replace(view, request=request)
        key_secret = await self._cluster.secret(namespace, view.spec.credentials_secret_ref.name)
        memory.looked_at = self._clock()
        view = replace(view, key=own_key(view, key_secret), now=self._clock())
        if not view.guard:
            view = await self._with_target(view)
            return _Looked(carried_out(view, request, view.judged), key_secret or {}, None)
        view, key_secret, fresh = await self._judge(view, key_secret)
        view = await self._with_target(view)
        issued = judgement.decoded(view.target.policy_outcome) if isinstance(view.target, Target) else {}
        standing = judgement.kept(fresh, issued) if fresh and issued else fresh
        return _Looked(carried_out(view, request, standing), key_secret or {}, fresh)

    async def _with_target(self, view: View) -> View:
        """Return the view with the target as it is at last: nothing is awaited between this and the decision."""
        request = view.request
        name = request.identity.namespace, request.target_name
        target: Target | Unknown | None = self._seen.target(name)
        if target is UNKNOWN:
            metadata = await self._cluster.secret_metadata(*name)
            target = self._found(metadata) if metadata is not None else None
        return replace(view, target=target, now=self._clock(), rival=self._rival(request))

    async def _judge(self, view: View, key_secret: Json | None) -> tuple[View, Json | None, Judgement | None]:
        """Have the request judged; return what that is, with the key to use, which may be the administrator's."""
        try:
            assert not isinstance(view.key, Unknown | str)  # noqa: S101 - it was just read
            fresh = await self._judging.judge(view, key_secret, view.key)
            lent = fresh.decision.aws_credentials if fresh and fresh.decision else None
            if lent is not None and fresh is not None and fresh.denied is None:
                key_secret = await self._cluster.secret(lent.namespace, lent.secret_name)
                view = replace(view, key=lent_key(lent.secret_name, key_secret))
                await self._judging.refuse_root(fresh, view, key_secret)
        except (ClusterUnavailable, ClusterForbidden):
            raise
        except AwsstsError as error:
            fresh = Judgement(view.guard, {}, denied=error)
        return view, key_secret, fresh

    def _found(self, metadata: Json) -> Target | Unknown:
        """Return the target as it was read. Only a labelled one is remembered: of another no watch tells."""
        found = observe(metadata)
        if not found.labelled:
            return found
        self._seen.see_target(metadata)
        return self._seen.target((metadata["namespace"], metadata["name"]))

    # Acting.

    async def _issue(self, view: View, cause: Cause, key_secret: Json, memory: Memory) -> Target | None:
        assert isinstance(view.key, KeyPair)  # noqa: S101 - the plan never issues without
        if isinstance(view.judged, Judgement):
            await self._judging.refuse_root(view.judged, view, key_secret, issuing=True)
        namespace, name = view.request.identity.namespace, view.request.identity.name
        claimed = namespace, view.request.target_name
        self._claims[claimed] = name
        try:
            credential = Credential(view.key, key_secret["metadata"])
            written = await self._issuance.issue(view, credential, cause)
        except ClusterConflict:
            self._seen.lose_target(claimed)  # it is another by now: looked at before the next try
            raise
        finally:
            if self._claims.get(claimed) == name:
                del self._claims[claimed]
        if cause in REPAIRS and (cause is not Cause.FIRST or memory.repaired_at):
            memory.repaired_at = self._clock()
        self._saw_own(written)
        self._telemetry.issued(cause.name.lower())
        if isinstance(view.judged, Judgement) and view.judged.decision is not None:
            decided = view.judged.decision.mfa
            self._telemetry.decided(decided.trigger or "", decided.outcome)
        log.info("issued", namespace=namespace, name=name, secret=claimed[1], cause=cause.name.lower())
        return self._known_target(view)

    async def _rewrite(self, view: View, memory: Memory) -> Target | None:
        """Write the credentials that are in the target in the layout that is asked for now."""
        target = view.target
        assert isinstance(target, Target)  # noqa: S101 - the plan never repairs without
        assert target.expiration is not None  # noqa: S101 - nor what says nothing of its life
        claimed = view.request.identity.namespace, view.request.target_name
        found = await self._cluster.secret(*claimed)
        if found is None:
            self._seen.lose_target(claimed)
            raise TargetChanged("the target Secret was deleted meanwhile")
        metadata, data = found["metadata"], found.get("data") or {}
        credentials = rendering.recover(data, target.expiration, target.credentials_digest)
        if credentials is None:
            self._seen.see_target(metadata, data)  # it may hold newer ones, of another process
            if observe(metadata, data) == target:
                self._seen.spoil_target(claimed, target)
            raise TargetChanged("the target Secret was altered meanwhile")
        rewritten = secret.rewritten(view, credentials, target, version=metadata["resourceVersion"])
        self._saw_own(await self._cluster.apply_secret(rewritten))
        memory.rewritten = Rewritten(layout_digest(view.spec, view.target_region), self._clock())
        log.info("rewritten", namespace=claimed[0], name=view.request.identity.name, secret=claimed[1])
        return self._known_target(view)

    def _saw_own(self, written: Json) -> None:
        """Take in a target that was just written; the watch is to tell of it, too."""
        self._seen.see_target(written)
        if observe(written).labelled:  # where a webhook took the label off, no watch tells of it
            name = written["namespace"], written["name"]
            self._seen.echoes.secrets.wrote(name, int(written["resourceVersion"]))

    def _known_target(self, view: View) -> Target | None:
        found = self._seen.target((view.request.identity.namespace, view.request.target_name))
        return found if isinstance(found, Target) else None

    # Telling.

    async def _waiting(self, view: View, target: Target | None, later: Later, memory: Memory) -> datetime:
        """Tell of a longer wait where no credentials live; where some do, nobody needs to know."""
        now = self._clock()
        failed = (view.request.status.failures or 0) > 0  # the status goes on telling of that, and keeps count
        live = target is not None and target.live(now)
        if not (later.quiet or failed or live) and later.until - now > _WORTH_TELLING:
            problem = Trouble(Reason.WAITING, f"waiting until {later.why}", stalled=False)
            await self._tell(view, target, problem, memory)
        return later.until

    async def _drop_code(self, view: View) -> None:
        """Take a code off the request that was not used: nobody shall find it there, nor it be used too late."""
        if view.request.token_code:
            await self._cluster.take_token_code(view.request.identity, view.request.token_code)

    async def _failed(self, view: View, target: Target | None, error: AwsstsError, memory: Memory) -> datetime | None:
        now = self._clock()
        problem = conditions.trouble(error, view.request, target, view.attempt, now)
        log.warning(
            "failed",
            namespace=view.request.identity.namespace,
            name=view.request.identity.name,
            reason=error.reason,
            error=error.message,
        )
        self._count(error)
        await self._tell(view, target, problem, memory)
        if error.retry is not Retry.BACKOFF:
            await self._drop_code(view)
        memory.looks += 1
        if error.retry in {Retry.SPEC, Retry.PERSON}:
            return _end(target, now)  # an event will tell
        if error.retry is Retry.BACKOFF:
            return _earliest(problem.next_attempt, _end(target, now))
        return _earliest(now + schedule.look_again(memory.looks), _end(target, now))

    def _count(self, error: AwsstsError) -> None:
        if isinstance(error, ClusterUnavailable | ClusterForbidden):
            self._telemetry.cluster_failed(error.reason)
        if error.retry is not Retry.PERSON:  # to wait for a person is no failure
            self._telemetry.failed(error.reason)

    async def _settled(self, view: View, target: Target | None, decided: Plan, memory: Memory) -> datetime | None:
        held = isinstance(decided, Idle) and decided.held
        if not held:
            self._issuance.drop((view.request.identity.namespace, view.request.identity.name))
            memory.judged_by = view.guard
        problem = conditions.standing_trouble(view.request.status) if held else None
        if held and view.target is UNKNOWN:
            memory.standing = standing(view.request.status)
        else:
            await self._tell(view, target, problem, memory)
        if not held:
            memory.looks = 0  # not before the status is written: until then each try is one more
        if not isinstance(decided, Issue):
            await self._drop_code(view)
        now = self._clock()
        if isinstance(decided, Idle):
            return _earliest(decided.until, _end(target, now), _ask_at(view, target, now))
        after = plan(replace(view, target=target or UNKNOWN, key=UNKNOWN, now=now))
        next_step = after.until if isinstance(after, Idle) else now
        return _earliest(next_step, _end(target, now), _ask_at(view, target, now))

    async def _tell(self, view: View, target: Target | None, problem: Trouble | None, memory: Memory) -> None:
        """Write the status where it is not what it should be, and the Event that the change is worth."""
        request, before = view.request, view.request.status
        after = conditions.report(request, target, problem, self._clock(), view.judged, view.restarts)
        memory.standing = standing(after)
        if after == before:
            return
        written = await self._cluster.apply_status(request.identity, _json(after))
        if written is None:  # deleted meanwhile: what was noted since would stay for ever
            self.forget((request.identity.namespace, request.identity.name))
            return
        memory.told = int(written["resourceVersion"])
        self._seen.echoes.requests.wrote((request.identity.namespace, request.identity.name), memory.told)
        if _same(written, request):
            memory.written = memory.told  # our own write is all that is new in it
        if (event := conditions.event(before, after)) is not None:
            self._events.publish(request.identity, event)


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a look has found: the view to plan with, the Secret of the key, and what policies say now."""

    view: View
    key_secret: Json
    fresh: Judgement | Unknown | None

    def for_issue(self, request: Request) -> View:
        """Return the view for new credentials: under what policies say now, not under what was good enough."""
        return carried_out(self.view, request, self.fresh)


def _known(view: View) -> Target | None:
    return view.target if isinstance(view.target, Target) else None


def _same(metadata: Json, request: Request) -> bool:
    """Whether nobody else changed the request since it was read."""
    return (metadata.get("generation"), metadata.get("annotations") or {}, metadata.get("labels") or {}) == (
        request.generation,
        request.annotations,
        request.labels,
    )


def _json(status: Status) -> Json:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _end(target: Target | None, now: datetime) -> datetime | None:
    """Return when the credentials end: Ready is no longer true then."""
    return target.expiration if target and target.expiration and target.expiration > now else None


def _ask_at(view: View, target: Target | None, now: datetime) -> datetime | None:
    ask_at = conditions.ask_for_code_at(view.request, target) if target else None
    return ask_at if ask_at is not None and ask_at > now else None


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
