"""What the operator asked of the API server, from the audit log."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.cluster import Cluster
    from tests.integration.kube import Json

OPERATOR = "system:serviceaccount:awssts-system:awssts"


class Audit:
    """The requests of one user since the last `mark`."""

    def __init__(self, cluster: Cluster, user: str = OPERATOR) -> None:
        self._cluster = cluster
        self._user = user
        self._passed = 0
        self.mark()

    def mark(self) -> None:
        """Count from here on."""
        self._passed = sum(1 for _ in self._cluster.audit_events())

    def events(self, *, answered: bool = True) -> list[Json]:
        """Requests that were answered; a watch, which goes on, when it was begun."""
        new = islice(self._cluster.audit_events(), self._passed, None)
        mine = [event for event in new if event["user"].get("username") == self._user]
        return [event for event in mine if not answered or event["stage"] == _told_at(event)]

    def asked(self, namespace: str | None = None) -> Counter[str]:
        """Like {"patch awsstsrequests/status": 1}; of one namespace only, if given."""
        return Counter(
            _what(event)
            for event in self.events()
            if namespace is None or event.get("objectRef", {}).get("namespace") == namespace
        )

    def seconds_since_last(self) -> float:
        """How long ago it was that anything but a watch was asked for; there must have been something."""
        last = max(event["stageTimestamp"] for event in self.events() if event["verb"] != "watch")
        return (datetime.now(UTC) - datetime.fromisoformat(last)).total_seconds()

    def refused(self) -> list[str]:
        """What the rights did not suffice for."""
        return [
            f"{_what(event)}: {event['responseStatus'].get('message')}"
            for event in self.events(answered=False)
            if event.get("responseStatus", {}).get("code") in {401, 403}
        ]


def _told_at(event: Json) -> str:
    return "ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"


def _what(event: Json) -> str:
    about = event.get("objectRef")
    if about is None:
        return f"{event['verb']} {event['requestURI']}"
    return "/".join(
        [f"{event['verb']} {about.get('resource')}", *([about["subresource"]] if "subresource" in about else ())]
    )
