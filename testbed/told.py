"""The references of what awssts tells of itself: `python -m testbed.told docs` writes them from the code."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from awssts.adapters.telemetry import Telemetry
from awssts.domain import errors, refusals
from awssts.domain.container_protocol import Request
from awssts.domain.errors import AwsstsError, Retry
from awssts.domain.policy import errors as of_policies
from awssts.domain.reasons import CONDITIONS, Reason
from awssts.entry.sidecar import health
from awssts.entry.sidecar.connection import Crowd
from awssts.services.observations import Standing
from testbed.fields import cell, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

MADE = "Made from the code by `make reference`."
AGAIN = {
    Retry.BACKOFF: ("backoff", "after 1 s, doubling up to 5 minutes, earlier when the credentials are about to expire"),
    Retry.INPUT: (
        "look",
        "the input is read again, at the latest after a minute, and STS is asked only once it is mended",
    ),
    Retry.CHANGE: (
        "change",
        "at once when the request, its annotation `awssts.dev/renew` or the key changes, and every 15 minutes",
    ),
    Retry.SPEC: ("spec", "at once when the request changes"),
    Retry.PERSON: ("person", "when somebody gives a code"),
}
REASONS = f"""\
# Conditions, reasons, Events

{MADE} What to do about each is in [errors.md](errors.md), and in
[policies.md](policies.md#reasons) for those of policies. The message of a condition says what is wrong in its case;
nothing secret is ever in it.

## Conditions
"""
ENDS = """
## Reasons that are no errors
"""
FAILED = """
## Reasons why there are no new credentials

They are those of `Stalled` or `Reconciling`; of `Ready`, too, while no credentials live; those of policies also of
`Authorized`, and those of a code or a device of `MFASatisfied`. Credentials that were issued before stay in the Secret
until better ones replace them. "Tried again" tells what happens by itself:
"""
EVENTS = """
## Events

There is one for each change, on the request, and none for another try that fails alike. Its reason is that of the
condition which changed (`Normal` where `Ready` became true, else `Warning`), or of these:

"""
UNKNOWN_TO = {refusals.TooMany, refusals.Overloaded}  # said before it is known who calls
ANSWERS = ", ".join(
    f"`{each.__name__}`"
    for each in AwsstsError.__subclasses__()
    if each.__module__ == refusals.__name__ and each not in UNKNOWN_TO
)
EVENT_REASONS = (
    ("`RolloutRestarted`", "Normal", "request", "Workloads of `rolloutRestart` were restarted."),
    ("`RolloutRestartFailed`", "Warning", "request", "Some could not be; the message names each, and why."),
    ("`LoggedIn`", "Normal", "a user's Secret", "The gateway gave the user credentials."),
    (
        f"any of the above, or {ANSWERS}",
        "Warning",
        "a user's Secret",
        "The gateway gave none; of one reason, an Event a minute.",
    ),
)
METRICS = f"""\
# Metrics

{MADE} How to have them scraped, and the dashboard that shows them:
[operating.md](operating.md#probes-and-metrics). [Alerts](alerts.md) rest on them.

## Of the operator

On `--metrics-port`. Only the one that leads tells of requests; what is told of a request leaves with it. Those of the
process (`process_cpu_seconds_total`, `process_resident_memory_bytes` and their neighbours) are there too.

"""
SIDECAR = """
## Of the sidecar

On [its health port](sidecar.md#what-it-answers).

"""


def reasons() -> str:
    """Return the document of conditions."""
    kinds = table(("condition", "meaning"), ((f"`{name}`", cell(said)) for name, said in CONDITIONS.items()))
    calm = table(
        ("reason", "where", "meaning"), ((f"`{each}`", cell(each.said_by), cell(each.meaning)) for each in Reason)
    )
    again = "\n".join(f"- **{name}**: {said}" for name, said in AGAIN.values()) + "\n"
    failed = table(("reason", "meaning", "tried again"), [*_failures(errors), *_failures(of_policies)])
    events = table(("reason", "type", "on", "meaning"), EVENT_REASONS)
    return "\n".join([REASONS, kinds + ENDS, calm + FAILED, again, failed + EVENTS + events])


def _failures(module: ModuleType) -> Iterator[tuple[str, str, str]]:
    """The errors of a module, in the order in which they are written there."""
    for name, each in vars(module).items():
        here = inspect.isclass(each) and each.__module__ == module.__name__
        if here and issubclass(each, AwsstsError) and each is not AwsstsError:
            yield f"`{name}`", cell(inspect.cleandoc(each.__doc__ or "")), AGAIN[each.retry][0]


class _Backlog:
    lag = timedelta()
    depth = 0


def _operator() -> str:
    """What an operator tells that has seen one of each."""
    telemetry = Telemetry()
    telemetry.follow(lambda: True)
    seen = [(("team", "reports"), Standing(ready=True, expiration=1.0, renewal=1.0))]
    telemetry.observe(standings=lambda: seen, backlog=_Backlog(), watch_lag=lambda: 0.0)
    telemetry.decided("global", "Required")
    return asyncio.run(telemetry.text()).decode()


def _sidecar() -> str:
    """What a sidecar tells that has answered."""
    held = SimpleNamespace(expiration=datetime.now(UTC))
    stock = SimpleNamespace(held=held)
    vendor: Any = SimpleNamespace(stock=stock, answered=Counter([200]), taken=1, refused=0, unready=lambda: "")
    asked = Request(method=b"GET", target=b"/metrics", headers=())
    return health.answer(asked, vendor, Crowd(1)).body.decode()


def _rows(text: str) -> Iterator[tuple[str, ...]]:
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("awssts_"):
            continue
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le")
        name = family.name + ("_total" if family.type == "counter" else "")
        yield f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), cell(family.documentation)


def metrics() -> str:
    """Return the document of metrics."""
    head = ("metric", "type", "labels", "meaning")
    return METRICS + table(head, _rows(_operator())) + SIDECAR + table(head, _rows(_sidecar()))


def documents() -> dict[str, str]:
    """Both, by the names of their files."""
    return {"reference-reasons.md": reasons(), "reference-metrics.md": metrics()}


if __name__ == "__main__":
    for title, text in documents().items():
        (Path(sys.argv[1]) / title).write_text(text)
