"""Follows requests until something comes of what was asked of them."""

import time
from collections.abc import Callable, Collection, Iterator

import click

from awssts.adapters.kubectl import Json, Kubectl, request_path
from awssts.domain import names
from awssts.domain.overview import Overview, read

REPEATED = 12  # seconds after which a refusal in the very words of the one before is believed
PAUSE = 1.0  # seconds before a watch that broke is started again
Say = Callable[[str], None]


def follow(kubectl: Kubectl, wanted: Collection[str], seconds: float) -> Iterator[Json]:
    """Yield the requests of those names, first as they are, then whenever they change, until the time is up.

    Raises:
        ClickException: one of them is gone.
        AwsstsError: the cluster can't be read.
    """
    end = time.monotonic() + seconds
    path = request_path(kubectl.namespace)
    while time.monotonic() < end:
        page = kubectl.get(path) or {}
        found = {item["metadata"]["name"]: item for item in page.get("items") or ()}
        for name in sorted(wanted):
            yield found.get(name) or _gone(kubectl, name)
        since = (page.get("metadata") or {}).get("resourceVersion", "")
        for body in kubectl.watch(path, since, end - time.monotonic()):
            if body["metadata"]["name"] in wanted:
                yield _gone(kubectl, body["metadata"]["name"]) if body["deleted"] else body
        time.sleep(min(PAUSE, max(end - time.monotonic(), 0)))


def found(kubectl: Kubectl, name: str) -> Json:
    """Return the request.

    Raises:
        ClickException: there is none.
        AwsstsError: the cluster can't be read.
    """
    body = kubectl.get(request_path(kubectl.namespace, name))
    return body if body is not None else _gone(kubectl, name)


def renew(kubectl: Kubectl, wanted: Collection[str], value: str) -> dict[str, Overview]:
    """Ask for renewals, and return the requests as they were.

    Raises:
        ClickException: one of them can't be renewed; then none was asked for.
        AwsstsError: the cluster does not take it.
    """
    before = {name: read(found(kubectl, name)) for name in wanted}
    for name, one in before.items():
        if one.suspended:
            raise click.ClickException(f"{name} is suspended, so nothing is renewed: set spec.suspend to false")
    for name in before:
        kubectl.annotate(name, {names.RENEW: value})
    return before


def until_renewed(kubectl: Kubectl, before: dict[str, Overview], seconds: float, say: Say) -> list[str]:
    """Wait for the new credentials, tell of each as it comes, and return why others have none.

    Raises:
        ClickException, AwsstsError: as ``follow`` does.
    """
    if before and all(one.stalled for one in before.values()):
        seconds = min(seconds, REPEATED)
    pending, last = dict(before), dict(before)
    failed: list[str] = []
    for body in follow(kubectl, before, seconds):
        one = read(body)
        if one.name not in pending or one == last[one.name]:
            continue
        last[one.name] = one
        if one.access_key_id not in {"", before[one.name].access_key_id}:
            say(f"{one.name}: renewed, {one.message}")
            del pending[one.name]
        elif one.stalled or one.awaits_code:
            failed.append(f"{one.name}: {one.reason}: {one.message}")
            del pending[one.name]
        elif one.reconciling:
            say(f"{one.name}: {one.reason}: {one.message}")
        if not pending:
            return failed
    return failed + [f"{name}: {_nothing(last[name], before[name], seconds)}" for name in pending]


def _nothing(now: Overview, before: Overview, seconds: float) -> str:
    if now == before and not (now.stalled or now.reconciling):
        return f"nothing happened in {seconds:.0f} s: is the operator running?"
    return f"no new credentials in {seconds:.0f} s: {now.reason}: {now.message}"


def _gone(kubectl: Kubectl, name: str) -> Json:
    raise click.ClickException(f"there is no AwsStsRequest {name!r} in namespace {kubectl.namespace!r}")
