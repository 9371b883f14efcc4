"""Who logged in from where, and what came of it: each time a line in the log, and an Event on the user's Secret."""

from collections import OrderedDict
from collections.abc import Callable

import structlog

from awssts.domain.callers import Caller
from awssts.domain.conditions import Event
from awssts.domain.errors import AwsstsError
from awssts.domain.keys import Credentials
from awssts.domain.people import User
from awssts.domain.refusals import AuthenticationFailed
from awssts.domain.request import Identity
from awssts.domain.status import timestamp
from awssts.services.ports import Events

log = structlog.get_logger("awssts.audit")

QUIET = 60.0  # seconds between two Events of one reason and user: whoever guesses shall not write into the cluster
LARGEST = 10_000


class Audit:
    """Tells of logins. A name that no user has is not repeated: people type passwords there.

    Args:
        tick: the time in seconds, by a clock that only goes forward.
    """

    def __init__(self, events: Events, tick: Callable[[], float]) -> None:
        self._events = events
        self._tick = tick
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    def issued(self, caller: Caller, user: User, credentials: Credentials) -> None:
        """Tell of credentials that were given."""
        until = timestamp(credentials.expiration)
        log.info(
            "login",
            outcome="Issued",
            user=user.username,
            namespace=user.identity.namespace,
            secret=user.identity.name,
            address=caller.address,
            user_agent=caller.user_agent,
            access_key_id=credentials.access_key_id,
            expiration=until,
        )
        self._publish(user.identity, Event("Normal", "LoggedIn", f"credentials until {until}, to {caller.address}"))

    def refused(self, caller: Caller, error: AwsstsError, user: User | None) -> None:
        """Tell of a call that got none; ``user`` is known once the password was right."""
        meant = user.identity if user else error.user if isinstance(error, AuthenticationFailed) else None
        log.warning(
            "login",
            outcome=error.reason,
            user=user.username if user else None,
            namespace=meant.namespace if meant else None,
            secret=meant.name if meant else None,
            address=caller.address,
            user_agent=caller.user_agent,
            error=error.message,
        )
        if meant is not None:
            self._publish(
                meant, Event("Warning", error.reason, f"no credentials for {caller.address}: {error.message}")
            )

    def _publish(self, about: Identity, event: Event) -> None:
        now, place = self._tick(), (about.uid, event.reason)
        if now - self._told.get(place, float("-inf")) < QUIET:
            return
        self._told[place] = now
        self._told.move_to_end(place)
        while len(self._told) > LARGEST:
            self._told.popitem(last=False)
        self._events.publish(about, event)
