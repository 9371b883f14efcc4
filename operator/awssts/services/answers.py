"""Asks the outside what policies want to know, until they come to a decision.

What is kept lives for one evaluation: the same question of two policies is asked once, and the same Secret read
once. Nothing is kept for the next, whose answers may differ for good reason: people leave groups.

Whoever answers late or wrongly is ``Unreachable``, and the policy's failure mode holds. Where the operator itself
can't ask (a Secret that the policy names is not there, the API server does not answer, time is up), there is no
decision: a failure mode Open is for an endpoint that is down, not for a policy with a misspelt Secret.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from awssts.domain import keys
from awssts.domain.errors import AwsstsError, SecretInvalid
from awssts.domain.keys import KeyPair
from awssts.domain.policy import (
    Answer,
    Answered,
    Call,
    Decision,
    Facts,
    HttpCall,
    InvalidPolicy,
    Plugin,
    Policy,
    ReadUserTags,
    Unreachable,
    UserTags,
    evaluate,
)
from awssts.domain.policy.errors import PolicyEndpointUnavailable
from awssts.domain.policy.schema.mfa import WebhookProvider
from awssts.domain.policy.schema.types import KeyRef
from awssts.domain.request import Identity
from awssts.services.ports import Json

ROUNDS = 40  # over a principal's two sources, and thirteen triggers each with a bypass and a failure mode
TOTAL = 60.0  # seconds: two endpoints that take as long as they may


class Secrets(Protocol):
    """Where Secrets are read; see ``awssts.adapters.cluster``."""

    async def secret(self, namespace: str, name: str) -> Json | None: ...


class Endpoints(Protocol):
    """Who asks endpoints; see ``awssts.adapters.rest``."""

    async def ask(
        self, call: HttpCall, *, ca_bundle: str | None, bearer_token: str | None
    ) -> Answered | Unreachable: ...

    async def code(
        self, webhook: WebhookProvider, asked: Mapping[str, Any], *, ca_bundle: str | None, bearer_token: str | None
    ) -> str: ...


class Users(Protocol):
    """Who knows IAM users; see ``awssts.adapters.iam``."""

    async def user_tags(self, key: KeyPair, *, region: str | None) -> Mapping[str, str]: ...


class Asker:
    """Gets answers."""

    def __init__(self, secrets: Secrets, endpoints: Endpoints, users: Users) -> None:
        self._secrets = secrets
        self._endpoints = endpoints
        self._users = users

    async def decide(
        self,
        policies: Iterable[Policy | InvalidPolicy],
        facts: Facts,
        key: KeyPair | None,
        plugins: Mapping[str, Plugin] | None = None,
        *,
        region: str | None = None,
    ) -> Decision:
        """Return the decision; ``key`` is the principal's own.

        Raises:
            PolicyEndpointUnavailable: an endpoint can't be asked as its policy says, or it all takes too long.
            AwsstsError: the API server does not let the operator read what it has to.
        """
        asking = _Asking(_Reads(self._secrets), self._endpoints, self._users, key, region)
        policies, answers = tuple(policies), dict[Call, Answer]()
        try:
            async with asyncio.timeout(TOTAL):
                for _ in range(ROUNDS):
                    result = evaluate(policies, facts, answers, plugins)
                    if isinstance(result, Decision):
                        return result
                    answers.update(await asking.answers(result.calls))
        except TimeoutError:
            pass
        raise PolicyEndpointUnavailable(f"no decision after {ROUNDS} rounds of questions or {TOTAL:.0f} s of waiting")

    async def code(self, policy: str, webhook: WebhookProvider, serial_number: str, request: Identity) -> str:
        """Return the code that a Webhook provider gives for the device. It is used once, whatever comes of it.

        Raises:
            ProviderUnavailable: it gives none.
            PolicyEndpointUnavailable, AwsstsError: as ``decide`` does.
        """
        where = {"namespace": request.namespace, "name": request.name}
        asked = {"serialNumber": serial_number, "request": where}
        reads = _Reads(self._secrets)
        return await self._endpoints.code(
            webhook,
            asked,
            ca_bundle=await reads.value(webhook.ca_bundle_secret_ref, policy, "caBundleSecretRef"),
            bearer_token=await reads.value(webhook.bearer_token_secret_ref, policy, "bearerTokenSecretRef"),
        )


class _Reads:
    """Values of Secrets that policies name; each Secret is read once."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._found: dict[tuple[str, str], asyncio.Task[Json | None]] = {}

    async def value(self, reference: KeyRef | None, policy: str, named_by: str) -> str | None:
        """Return the value; None where no Secret is named.

        Raises:
            PolicyEndpointUnavailable: one is named, and there is no value.
        """
        if reference is None:
            return None
        place = reference.namespace, reference.name
        if place not in self._found:
            self._found[place] = asyncio.ensure_future(self._secrets.secret(*place))
        found = await self._found[place]
        with contextlib.suppress(SecretInvalid):
            encoded = ((found or {}).get("data") or {}).get(reference.key, "")
            if text := keys.text(encoded, reference.name, reference.key):
                return text
        problem = f"has no value under {reference.key}" if found is not None else "is not there"
        raise PolicyEndpointUnavailable(f"policy {policy}: Secret {'/'.join(place)}, which {named_by} names, {problem}")


@dataclass
class _Asking:
    """The questions of one evaluation, and their answers."""

    reads: _Reads
    endpoints: Endpoints
    users: Users
    key: KeyPair | None
    region: str | None
    known: dict[Call, Answer] = field(default_factory=dict)

    async def answers(self, calls: Sequence[Call]) -> dict[Call, Answer]:
        """Return the answers; all that are new are asked for at once."""
        fresh: dict[Call, Call] = {}
        for call in calls:
            if _question(call) not in self.known:
                fresh.setdefault(_question(call), call)
        found = await asyncio.gather(*(self._answer(call) for call in fresh.values()), return_exceptions=True)
        for question, answer in zip(fresh, found, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            self.known[question] = answer
        return {call: self.known[_question(call)] for call in calls}

    async def _answer(self, call: Call) -> Answer:
        match call:
            case HttpCall():
                return await self.endpoints.ask(
                    call,
                    ca_bundle=await self.reads.value(call.ca_bundle, call.policy, "caBundleSecretRef"),
                    bearer_token=await self.reads.value(call.bearer_token, call.policy, "bearerTokenSecretRef"),
                )
            case ReadUserTags():
                return await self._tags()

    async def _tags(self) -> UserTags | Unreachable:
        if self.key is None:
            return Unreachable("there are no keys to read them with")
        try:
            return UserTags(await self.users.user_tags(self.key, region=self.region))
        except AwsstsError as error:
            return Unreachable(error.message)


def _question(call: Call) -> Call:
    """Return the call whoever asks."""
    return replace(call, policy="") if isinstance(call, HttpCall) else call
