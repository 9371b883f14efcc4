"""A login's credentials: judged by the policies, made with the devices and sessions, of the operator's requests."""

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from awssts.domain import people
from awssts.domain.callers import Caller
from awssts.domain.errors import AwsstsError, InvalidDevice, SecretNotFound
from awssts.domain.gateway import Asked
from awssts.domain.judgement import Judgement
from awssts.domain.keys import Credentials, KeyPair
from awssts.domain.people import User
from awssts.domain.policy import Authentication
from awssts.domain.policy.registry import ProviderType
from awssts.domain.refusals import DeviceRefused, Overloaded, TooLate
from awssts.domain.request import Identity, Request
from awssts.domain.view import View
from awssts.services.audit import Audit
from awssts.services.credential import Credential
from awssts.services.house import Scene
from awssts.services.inputs import carried_out, lent_key, own_key
from awssts.services.judging import Judging
from awssts.services.logins import Logins
from awssts.services.observations import Observations
from awssts.services.obtaining import Obtaining
from awssts.services.ports import Clock, Json

MOST = 128  # logins under way
REMEMBERED_MAXIMUM = 10_000


class Cluster(Protocol):
    """Where keys are read; see ``awssts.adapters.people``."""

    async def secret(self, namespace: str, name: str) -> Json | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How logins are served.

    Args:
        region: of STS, for users whose Secret names none.
        patience: until a call is answered, whatever comes of it.
        remember: how long a code that somebody gave also serves logins without one, of the same user from the
            same address. Zero: each login needs its own.
    """

    region: str
    patience: timedelta
    remember: timedelta = timedelta()


class Gateway:
    """Gives credentials to those who log in.

    Args:
        judging: makes what judges one login.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        logins: Logins,
        obtaining: Obtaining,
        judging: Callable[[Observations, Authentication], Judging],
        audit: Audit,
        clock: Clock,
        terms: Terms,
    ) -> None:
        self._cluster = cluster
        self._logins = logins
        self._obtaining = obtaining
        self._judging = judging
        self._audit = audit
        self._clock = clock
        self._terms = terms
        self._remembered: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._numbers = itertools.count(1)
        self._under_way: set[asyncio.Task[Given]] = set()

    async def login(self, asked: Asked, caller: Caller) -> "Given":
        """Return credentials.

        Whoever waits too long is told so, but what is under way goes on: what STS gives for a code is kept.

        Raises:
            AwsstsError: of the class that says why there are none.
        """
        if len(self._under_way) >= MOST:
            raise Overloaded("too many calls at once")
        task = asyncio.create_task(self._login(asked, caller))
        self._under_way.add(task)
        task.add_done_callback(self._landed)
        done, _ = await asyncio.wait([task], timeout=self._terms.patience.total_seconds())
        if not done:
            raise TooLate(f"nothing came of it within {self._terms.patience.total_seconds():g} s")
        return task.result()

    async def finish(self) -> None:
        """Wait for what is under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _landed(self, task: "asyncio.Task[Given]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: nobody may be there any more to see it

    async def _login(self, asked: Asked, caller: Caller) -> "Given":
        user: User | None = None
        try:
            async with self._logins.authenticated(asked, caller) as (user, residents):
                given = await self._credentials(Scene(residents, user), user, asked, caller)
        except AwsstsError as error:
            self._audit.refused(caller, error, user)
            raise
        self._audit.issued(caller, user, given.credentials)
        return given

    async def _credentials(self, scene: Scene, user: User, asked: Asked, caller: Caller) -> "Given":
        request = people.login(user, asked, self._clock(), str(next(self._numbers)))
        view = View(request=request, now=self._clock(), region=self._terms.region, target=None)
        key_secret = await self._cluster.secret(user.identity.namespace, view.spec.credentials_secret_ref.name)
        key = own_key(view, key_secret)
        judging = self._judging(scene, people.applicant(user, caller))
        judged = await judging.judge(view, key_secret, key)
        if judged is not None and judged.denied is not None:
            raise judged.denied
        lent = judged.decision.aws_credentials if judged and judged.decision else None
        if lent is not None and judged is not None:
            if people.chose_device(user, asked):  # AWS would only tell that it is the lender's
                raise DeviceRefused("with lent keys, the device has to be named by the user's Secret")
            key_secret = await self._cluster.secret(lent.namespace, lent.secret_name)
            key = lent_key(lent.secret_name, key_secret)
            await judging.refuse_root(judged, replace(view, key=key), key_secret)
        if not isinstance(key, KeyPair) or key_secret is None:
            raise key if isinstance(key, AwsstsError) else SecretNotFound("there is no key")
        view = self._demanding(carried_out(replace(view, key=key), request, judged), caller)
        token = "" if _asks_webhook(view) else asked.token
        try:
            issued = await self._obtaining.obtain(view, Credential(key, key_secret["metadata"]), token)
        except InvalidDevice:
            if not people.chose_device(user, asked):
                raise
            raise DeviceRefused("AWS does not know it as this user's") from None
        if token and view.spec.uses_device:
            self._logins.accepted(asked)
            self._note(user, caller)
        return Given(issued.credentials, view.target_region or self._terms.region)

    # Codes.

    def _demanding(self, view: View, caller: Caller) -> View:
        """Return the view with a code demanded that is of now, where somebody has to give it.

        What an earlier login's code gave is kept, for it serves requests and roles too. Without this, it would
        also be handed to whoever has the password alone.
        """
        mfa = view.spec.mfa
        by_seed = mfa is not None and mfa.totp_secret_ref is not None and not _asks_webhook(view)
        if not view.spec.uses_device or by_seed or self._remembers(view.request, caller):
            return view
        found = view.judged if isinstance(view.judged, Judgement) else Judgement(view.guard, {})
        return replace(view, judged=replace(found, outcome={**found.outcome, "forced": True}))

    def _remembers(self, request: Request, caller: Caller) -> bool:
        at = self._remembered.get((_user_uid(request.identity), caller.address))
        return at is not None and timedelta() <= self._clock() - at < self._terms.remember

    def _note(self, user: User, caller: Caller) -> None:
        place = user.identity.uid, caller.address
        self._remembered[place] = self._clock()
        self._remembered.move_to_end(place)
        while len(self._remembered) > REMEMBERED_MAXIMUM:
            self._remembered.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Given:
    """Credentials, and the region to use them with."""

    credentials: Credentials
    region: str


def _asks_webhook(view: View) -> bool:
    """Whether the code comes from an endpoint; then one that came with the login is not looked at."""
    return (view.outcome.get("mfa") or {}).get("provider") == ProviderType.WEBHOOK


def _user_uid(login: Identity) -> str:
    return login.uid.partition("/")[0]
