"""Gets credentials from STS for a request, and writes them: what STS gave is kept until it is written."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from awssts.domain import digest, keys, schedule, secret
from awssts.domain.errors import InvalidAccessKey, InvalidTokenCode, SessionExpired
from awssts.domain.keys import Credentials, KeyPair
from awssts.domain.plan import Cause
from awssts.domain.resources import DEFAULT_SESSION_DURATION, Role
from awssts.domain.session import Session
from awssts.domain.target import Target, inputs_digest
from awssts.domain.view import View
from awssts.services.credential import Credential
from awssts.services.observations import Name
from awssts.services.ports import Clock, Cluster, Json, Sts
from awssts.services.sessions import Sessions

CHAINED_MAXIMUM = 3_600  # seconds: STS gives no more to a role that is assumed from a session
SESSION_LEFT = timedelta(minutes=5)  # a session with less is not used any more
_ANOTHER = {Cause.DUE, Cause.RENEW, Cause.EXPIRED, Cause.CODE}  # the same credentials again would not do


@dataclass(frozen=True, slots=True)
class Issued:
    """Credentials with what they were asked with."""

    credentials: Credentials
    at: datetime
    session_expiration: datetime | None = None  # of the MFA session that a role was assumed from


class Issuance:
    """Issues credentials; one call at a time for each request."""

    def __init__(self, cluster: Cluster, sts: Sts, sessions: Sessions, clock: Clock) -> None:
        self._cluster = cluster
        self._sts = sts
        self._sessions = sessions
        self._clock = clock
        self._unwritten: dict[Name, tuple[str, Issued]] = {}  # with what they were asked with

    async def issue(self, view: View, credential: Credential, cause: Cause) -> Json:
        """Return the metadata of the target Secret with new credentials in it.

        Raises:
            Later: a code or another request's call has to be waited for.
            AwsstsError: STS refused, or the API server did not take the Secret; in the second case the
                credentials are kept, and written at the next attempt without another call to STS.
        """
        name = view.request.identity.namespace, view.request.identity.name
        asked_with = digest.of([inputs_digest(view.spec), view.key_digest, view.request.renew, view.guard])
        made_with, issued = self._unwritten.get(name, (None, None))
        if issued is None or made_with != asked_with or issued.credentials.expiration <= self._clock():
            issued = await self.ask(view, credential, cause)
            self._unwritten[name] = asked_with, issued
        written = await self._cluster.apply_secret(
            secret.fresh(view, issued.credentials, credential.key.digest, issued.at, issued.session_expiration)
        )
        self.drop(name)
        return written

    def drop(self, name: Name) -> None:
        """Drop what was not written: it has been, or the request wants it no more."""
        self._unwritten.pop(name, None)

    def forget(self, name: Name) -> None:
        """Forget a request that is gone."""
        self.drop(name)
        self._sessions.forget(name)

    async def ask(self, view: View, credential: Credential, cause: Cause) -> Issued:
        """Return new credentials, which are written nowhere.

        Raises:
            Later, AwsstsError: as ``issue`` does.
        """
        with credential.settling(self._clock()):
            if not view.spec.uses_device:
                return Issued(await self._without_device(view, credential), self._clock())
            return await self._with_device(view, credential, cause)

    async def _without_device(self, view: View, credential: Credential) -> Credentials:
        spec = view.spec
        if spec.role is not None:
            return await self._role(view, credential.key, spec.role)
        given = await self._sts.session_token(credential.key, region=view.target_region, lifetime=spec.lifetime)
        return keys.lasting(given, spec.lifetime, self._clock())

    async def _role(self, view: View, key: KeyPair | Credentials, role: Role, **mfa: str) -> Credentials:
        given = await self._sts.role_credentials(
            key,
            role,
            session_name=_session_name(view),
            region=view.target_region,
            lifetime=view.spec.lifetime,
            **mfa,
        )
        return keys.lasting(given, view.spec.lifetime, self._clock())

    async def _with_device(self, view: View, credential: Credential, cause: Cause) -> Issued:
        role = view.spec.role
        if role is None:
            session = await self._sessions.session(
                view, credential, view.spec.lifetime, lambda session: _fits(view, session, cause)
            )
            return Issued(session.credentials, session.issued_at)
        if view.spec.lifetime > CHAINED_MAXIMUM:
            return Issued(await self._direct(view, credential, role), self._clock())
        return await self._chained(view, credential, role)

    async def _direct(self, view: View, credential: Credential, role: Role) -> Credentials:
        code = await self._sessions.code(view, credential)
        assert view.spec.mfa is not None  # noqa: S101 - only called with a device
        try:
            given = await self._role(view, credential.key, role, serial=view.spec.mfa.serial_number, code=code)
        except InvalidTokenCode:
            if not self._sessions.by_person(view):
                raise
        else:
            self._sessions.accepted(view, credential)
            return given
        raise self._sessions.refused(view, credential)

    async def _chained(self, view: View, credential: Credential, role: Role) -> Issued:
        assert view.spec.mfa is not None  # noqa: S101 - only called with a device
        lifetime = view.spec.mfa.session_duration or DEFAULT_SESSION_DURATION
        session = await self._sessions.session(
            view, credential, lifetime, lambda session: session.expiration - self._clock() > SESSION_LEFT
        )
        try:
            return Issued(await self._role(view, session.credentials, role), self._clock(), session.expiration)
        except (SessionExpired, InvalidAccessKey):
            await self._sessions.discard(view, credential, session)
        raise SessionExpired("AWS does not take the MFA session any more: a new one is needed")


def _fits(view: View, session: Session, cause: Cause) -> bool:
    """Whether a session that is kept will do: it lives on for a while, and is another where another is wanted."""
    if isinstance(view.target, Target) and session.credentials.access_key_id == view.target.access_key_id:
        renewal_asked = view.request.renew not in {"", view.target.renewed}
        if cause in _ANOTHER or renewal_asked:
            return False
    ahead = timedelta(seconds=view.spec.renew_before) if view.spec.renew_before else None
    asked, uid = timedelta(seconds=session.lifetime), view.request.identity.uid
    return view.now < schedule.renewal(session.issued_at, session.expiration, asked, ahead, uid)


def _session_name(view: View) -> str:
    """Return the default role session name: ``<namespace>.<name>``, within STS's 64 characters."""
    identity = view.request.identity
    return f"{identity.namespace}.{identity.name}"[:64]
