"""Metrics for Prometheus. What is told of each request is read when it is asked for, and leaves with the request."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Protocol

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from awssts import __version__
from awssts.domain import errors
from awssts.domain.errors import AwsstsError, ClusterConflict, ClusterForbidden, ClusterUnavailable, Retry
from awssts.domain.plan import Cause

_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)


class Standing(Protocol):
    """How a request stands; moments are seconds since 1970, zero where there is none."""

    @property
    def ready(self) -> bool: ...
    @property
    def awaits_code(self) -> bool: ...
    @property
    def expiration(self) -> float: ...
    @property
    def renewal(self) -> float: ...


Standings = Callable[[], Sequence[tuple[tuple[str, str], Standing]]]


class Backlog(Protocol):
    """What waits to be worked on."""

    @property
    def lag(self) -> timedelta: ...
    @property
    def depth(self) -> int: ...


class Telemetry:
    """All metrics of the operator."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # series that nobody reads
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        registry = self._registry
        Gauge("awssts_build_info", "The version that runs.", ["version"], registry=registry).labels(__version__).set(1)
        self._issuances = Counter(
            "awssts_issuances",
            "Attempts to issue credentials: success with the cause, failure with the condition's reason. "
            "To wait for a person's code is none.",
            ["result", "reason"],
            registry=registry,
        )
        self._calls = Histogram(
            "awssts_aws_call_duration_seconds",
            "Calls of AWS, with AWS's error code, Success, or Unavailable where no answer could be used.",
            ["service", "operation", "code"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._decisions = Counter(
            "awssts_mfa_decisions",
            "What policies came to when credentials were issued.",
            ["trigger", "outcome"],
            registry=registry,
        )
        self._cluster_errors = Counter(
            "awssts_cluster_errors",
            "Errors of Kubernetes's API that held up the work on a request.",
            ["reason"],
            registry=registry,
        )
        self._restarts = Counter(
            "awssts_rollout_restarts",
            "Tries to restart a request's workloads: success where all were patched, else failure.",
            ["result"],
            registry=registry,
        )
        self._leader = Gauge("awssts_leader", "1 where this process leads, else 0.", registry=registry)
        self._lag = Gauge(
            "awssts_schedule_lag_seconds",
            "How long the oldest request that is due has not been worked on: it waits for a worker, or nobody has seen "
            "that it is due.",
            registry=registry,
        )
        self._watch_lag = Gauge(
            "awssts_watch_lag_seconds",
            "How long the oldest write of a target or a status has not come back through the watches; 0 where all "
            "have.",
            registry=registry,
        )
        self._queue = Gauge("awssts_queue_depth", "Requests that wait for a worker.", registry=registry)
        self._readings: list[tuple[Gauge, Callable[[], float]]] = []
        self._begin()

    def _begin(self) -> None:
        """Begin at zero: the first of something is no increase of a series that was not there before."""
        for cause in Cause:
            self._issuances.labels("success", cause.name.lower())
        for reason in _reasons(AwsstsError):
            self._issuances.labels("failure", reason)
        for error in (ClusterUnavailable, ClusterConflict, ClusterForbidden):
            self._cluster_errors.labels(error.__name__)
        for operation in ("GetSessionToken", "AssumeRole"):
            self._calls.labels("sts", operation, "Success")
        for result in ("success", "failure"):
            self._restarts.labels(result)

    def issued(self, cause: str) -> None:
        """Count credentials that were issued."""
        self._issuances.labels("success", cause).inc()

    def failed(self, reason: str) -> None:
        """Count an attempt that failed."""
        self._issuances.labels("failure", reason).inc()

    def decided(self, trigger: str, outcome: str) -> None:
        """Count a decision over MFA."""
        self._decisions.labels(trigger or "none", outcome).inc()

    def cluster_failed(self, reason: str) -> None:
        """Count an error of Kubernetes's API."""
        self._cluster_errors.labels(reason).inc()

    def restarted(self, *, done: bool) -> None:
        """Count a try to restart workloads."""
        self._restarts.labels("success" if done else "failure").inc()

    def called(self, service: str, operation: str, code: str, seconds: float) -> None:
        """Count a call of AWS."""
        self._calls.labels(service, operation, code).observe(seconds)

    def follow(self, leads: Callable[[], bool]) -> None:
        """Read when metrics are asked for whether this process leads."""
        self._readings.append((self._leader, leads))

    def observe(self, *, standings: Standings, backlog: Backlog, watch_lag: Callable[[], float]) -> None:
        """Read these when metrics are asked for."""
        self._readings += [
            (self._lag, lambda: backlog.lag.total_seconds()),  # noqa: PLW0108 - it is another each time
            (self._queue, lambda: backlog.depth),
            (self._watch_lag, watch_lag),
        ]
        self._registry.register(_Requests(standings))

    async def text(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        for gauge, read in self._readings:
            gauge.set(read())  # in the thread that changes what is read
        return await asyncio.to_thread(generate_latest, self._registry)


def _reasons(kind: type[AwsstsError]) -> Iterator[str]:
    """Return the condition reasons that errors stand for, but for waiting: that is no failure."""
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__ and below.retry is not Retry.PERSON:
            yield below.__name__
        yield from _reasons(below)


class _Requests:
    """A few gauges for each request; ``standings`` is called in another thread."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings

    def collect(self) -> Iterable[Metric]:
        labels = ["namespace", "name"]
        ready = GaugeMetricFamily("awssts_request_ready", "1 where the request is Ready, else 0.", labels=labels)
        expiration = GaugeMetricFamily(
            "awssts_request_expiration_timestamp_seconds", "When its credentials expire.", labels=labels
        )
        renewal = GaugeMetricFamily(
            "awssts_request_renewal_timestamp_seconds", "When they are to be renewed.", labels=labels
        )
        awaiting = GaugeMetricFamily("awssts_codes_awaited", "Requests that wait for a person's code.")
        waiting = 0
        for name, standing in self._standings():
            ready.add_metric(name, float(standing.ready))
            waiting += standing.awaits_code
            if standing.expiration:
                expiration.add_metric(name, standing.expiration)
            if standing.renewal:
                renewal.add_metric(name, standing.renewal)
        awaiting.add_metric([], float(waiting))
        return ready, expiration, renewal, awaiting

    def describe(self) -> Iterable[Metric]:
        """Say nothing before there is something: the registry would collect for it."""
        return ()
