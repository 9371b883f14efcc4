"""MFA sessions: one code gives one, and all requests of the same credentials, device and duration share it."""

from collections.abc import Callable
from typing import Protocol

import structlog

from awssts.domain import digest, keys, names, tokencode, totp
from awssts.domain.errors import (
    AwaitingTokenCode,
    AwsstsError,
    ClusterConflict,
    ClusterUnavailable,
    InvalidTokenCode,
    SecretInvalid,
    SecretKeyMissing,
    SecretNotFound,
)
from awssts.domain.judgement import Judgement
from awssts.domain.policy.registry import ProviderType
from awssts.domain.policy.schema.mfa import WebhookProvider
from awssts.domain.record import LIFE_OF_A_CODE
from awssts.domain.request import Identity
from awssts.domain.resources import Mfa, SeedSecretRef
from awssts.domain.session import Session, by_endpoint, secret_owner
from awssts.domain.view import View
from awssts.services.credential import Credential
from awssts.services.devices import CodeUsed, Device, Devices
from awssts.services.later import Later
from awssts.services.ledgers import Ledgers, Place, Turn
from awssts.services.observations import Name
from awssts.services.ports import Clock, Cluster, Sts
from awssts.services.slots import Slots

log = structlog.get_logger(__name__)


class Codes(Protocol):
    """Who gives the codes of Webhook providers; see ``awssts.services.answers``."""

    async def code(self, policy: str, webhook: WebhookProvider, serial_number: str, request: Identity) -> str: ...


class Sessions:
    """Gets sessions by code, and keeps them in session Secrets."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        sts: Sts,
        devices: Devices,
        codes: Codes,
        slots: Slots,
        clock: Clock,
        wake: Callable[[Name], None],
    ) -> None:
        self._cluster = cluster
        self._sts = sts
        self._devices = devices
        self._codes = codes
        self._slots = slots
        self._clock = clock
        self._ledgers = Ledgers(cluster, clock, wake)
        self._refused: dict[Name, str] = {}  # what was wrong with a person's last code, for those who wait for another

    async def session(
        self, view: View, credential: Credential, lifetime: int, fits: Callable[[Session], bool]
    ) -> Session:
        """Return a session that ``fits``: the one that is kept, else one for a new code.

        Raises:
            Later: the device's next code, or another request's turn, has to be waited for.
            AwaitingTokenCode: a person has to give a code.
            AwsstsError: STS or the API server refused.
        """
        place = _place(view, credential)
        async with self._ledgers.turn(view, place) as turn:
            await turn.purge(credential.key.digest)
            kept = turn.ledger.find(lifetime, credential.key.digest, _demanded(view))
            given = await self._persons_code(view)
            wants_another = given or view.outcome.get("forced")
            if kept is not None and not wants_another and fits(kept):
                await turn.keep()
                return kept
            try:
                return await self._new_session(view, place, turn, lifetime)
            except CodeUsed:
                fresh = kept is not None and self._clock() - kept.issued_at < LIFE_OF_A_CODE
                if kept is not None and fresh and not view.outcome.get("forced"):
                    return kept  # that very code gave it, to another request
                raise self._used_before(view, place) from None

    async def code(self, view: View, credential: Credential) -> str:
        """Return a code for a call that is made directly with the long-term key; it is used up.

        Raises:
            Later, AwaitingTokenCode, AwsstsError: as ``session`` does.
        """
        place = _place(view, credential)
        async with self._ledgers.turn(view, place):
            await self._persons_code(view)
            try:
                return await self._use_code(view, place)
            except CodeUsed:
                raise self._used_before(view, place) from None

    async def _persons_code(self, view: View) -> bool:
        """Whether a person gave a code that is to be used. Where an endpoint has to give it, it is thrown away."""
        if view.request.token_code and _webhook(view) is not None:
            await self._cluster.take_token_code(view.request.identity, view.request.token_code)
            return False
        return bool(view.request.token_code)

    def by_person(self, view: View) -> bool:
        """Whether the device's codes come from a person."""
        return _device(view).totp_secret_ref is None and _webhook(view) is None

    def _giver(self, view: View) -> str:
        """Return who gave the code that was just used."""
        if (asked := _webhook(view)) is not None:
            return by_endpoint(digest.of(asked[1].url))
        return ProviderType.MANUAL if view.request.token_code or self.by_person(view) else ProviderType.TOTP

    def refused(self, view: View, credential: Credential) -> AwaitingTokenCode:
        """Return the error that asks for another code, after the one that a person gave was wrong."""
        return self._awaiting_code(view, _place(view, credential), "the last code was wrong or had been used before")

    def accepted(self, view: View, credential: Credential) -> None:
        """Take in that AWS took the code: what was wrong with one before is told no more."""
        self._refused.pop(_place(view, credential).name, None)

    def forget(self, name: Name) -> None:
        """Forget a request that is gone: it waits for no code, and nobody has to be told of its last one."""
        for place in self._ledgers.forget(name):
            self._refused.pop(place, None)

    async def discard(self, view: View, credential: Credential, session: Session) -> None:
        """Drop a session that STS takes no longer.

        Raises:
            Later: another request has its turn.
        """
        async with self._ledgers.turn(view, _place(view, credential)) as turn:
            await turn.drop(session)

    async def _new_session(self, view: View, place: Place, turn: Turn, lifetime: int) -> Session:
        key, device = place.credential.key, _device(view)
        code = await self._use_code(view, place)
        by = self._giver(view)
        try:
            credentials = await self._sts.session_token(
                key, region=view.target_region, lifetime=lifetime, serial=device.serial_number, code=code
            )
        except InvalidTokenCode:
            if not self.by_person(view):
                raise
            raise self.refused(view, place.credential) from None
        self._refused.pop(place.name, None)
        keys.lasting(credentials, lifetime, self._clock())
        fresh = Session(credentials, self._clock().replace(microsecond=0), lifetime, key.digest, by)
        await turn.keep(fresh)
        log.info("session", namespace=place.name[0], secret=place.name[1], device=device.serial_number)
        return fresh

    async def _use_code(self, view: View, place: Place) -> str:
        """Return a code that nobody uses again: that is made sure of before it is returned.

        Raises:
            CodeUsed: a person gave one that was used.
        """
        wanted, asked = _device(view), _webhook(view)
        if view.request.token_code and asked is None:
            return await self._use_given_code(view, place)
        if asked is not None:
            identity = view.request.identity
            with self._slots.held((identity.namespace, identity.name)):
                code = await self._codes.code(*asked, wanted.serial_number, identity)
            try:
                await self._devices.take_given(_as_device(view, place), code)
            except CodeUsed:
                following = totp.begin(totp.step_at(self._clock()) + 1)
                raise Later(following, f"the provider has another code of {place.device}") from None
            return code
        if wanted.totp_secret_ref is None:
            raise self._awaiting_code(view, place)
        self._devices.wait(_as_device(view, place))
        seed = await self._seed(place.namespace, wanted.totp_secret_ref)
        return await self._devices.take(_as_device(view, place), seed)

    async def _use_given_code(self, view: View, place: Place) -> str:
        """Return the code that a person gave."""
        reference = _device(view).totp_secret_ref
        seed = await self._seed(place.namespace, reference) if reference else None  # it may fail, and the code stays
        if not await self._cluster.take_token_code(view.request.identity, view.request.token_code):
            raise InvalidTokenCode("the code was taken back or replaced before it was used")
        code = tokencode.digits(view.request.token_code)
        if code is None:
            raise self._awaiting_code(view, place, "the last code was not six digits")
        try:
            await self._devices.take_given(_as_device(view, place), code, seed)
        except (ClusterUnavailable, ClusterConflict):
            if seed is not None or view.request.owner is not None:
                raise  # another code follows; or who gave it waits for the answer, and has it still
            unused = "the last code was not used, for the API server did not answer"
            raise self._awaiting_code(view, place, unused) from None
        return code

    def _used_before(self, view: View, place: Place) -> AwsstsError:
        """Return the error for a person's code that was used before; a seed gives the next one itself."""
        if self.by_person(view):
            return self.refused(view, place.credential)
        return InvalidTokenCode("the code has been used before")

    def _awaiting_code(self, view: View, place: Place, problem: str = "") -> AwaitingTokenCode:
        """Return the error that asks for a code; the request is woken when any gives a session.

        Args:
            problem: what was wrong with the last one; empty where there was none now.
        """
        if view.request.owner is None:  # a login is over with that: nobody is left to be woken, or told
            self._ledgers.wait(view, place)
            if problem:
                self._refused[place.name] = problem
        refused = f"{self._refused[place.name]}; " if place.name in self._refused else ""
        identity = view.request.identity
        return AwaitingTokenCode(
            f"{refused}a code of {place.device} is needed: awssts mfa -n {identity.namespace} {identity.name}"
        )

    async def _seed(self, namespace: str, reference: SeedSecretRef) -> totp.Seed:
        found = await self._cluster.secret(namespace, reference.name)
        if found is None:
            raise SecretNotFound(
                f"there is no Secret {reference.name!r} in namespace {namespace!r}: create it with the device's seed "
                f"as {reference.key}, or mend mfa.totpSecretRef.name"
            )
        data = found.get("data") or {}
        if reference.key not in data:
            raise SecretKeyMissing(
                f"Secret {reference.name!r} has no key {reference.key}: add it, "
                "or name another with mfa.totpSecretRef.key"
            )
        problem = "it is empty"
        if text := keys.text(data[reference.key], reference.name, reference.key):
            try:
                return totp.read(text)
            except ValueError as error:
                problem = str(error)
        raise SecretInvalid(f"Secret {reference.name!r}: {reference.key} is no TOTP seed: {problem}")


def _place(view: View, credential: Credential) -> Place:
    return Place(credential, _device(view).serial_number, view.request.identity.namespace)


def _as_device(view: View, place: Place) -> Device:
    """Return the device; its record goes with the credentials Secret, or with the request where keys are lent."""
    owner = place.credential.metadata
    if owner["namespace"] == place.namespace:
        return Device(place.device, place.namespace, secret_owner(owner))
    identity = view.request.identity
    itself = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": identity.name, "uid": identity.uid}
    return Device(place.device, place.namespace, view.request.owner or itself)


def _demanded(view: View) -> str | None:
    """Return who has to have given the code, where a policy demands more than what a seed gives."""
    mfa = view.outcome.get("mfa") or {}
    provider = mfa.get("provider") if mfa.get("required") else None
    if provider == ProviderType.WEBHOOK:
        return by_endpoint(mfa.get("webhook"))
    return provider if provider == ProviderType.MANUAL else None


def _webhook(view: View) -> tuple[str, WebhookProvider] | None:
    """Return the policy and its endpoint that gives the code, where a policy demands MFA from one."""
    mfa = view.judged.decision.mfa if isinstance(view.judged, Judgement) and view.judged.decision else None
    if mfa is None or not mfa.required or mfa.webhook is None:
        return None
    return mfa.policy or "", mfa.webhook


def _device(view: View) -> Mfa:
    assert view.spec.mfa is not None  # noqa: S101 - sessions are for requests with a device
    return view.spec.mfa
