"""Metrics as Prometheus reads them, and as the docs list them."""

import asyncio
import threading
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from awssts.adapters.telemetry import Telemetry
from awssts.services.observations import Standing


class Backlog:
    lag = timedelta(seconds=1.5)
    depth = 3


def told() -> tuple[Telemetry, list[tuple[tuple[str, str], Standing]]]:
    requests = [
        (("team", "reports"), Standing(ready=True, expiration=1_800_000_000.0, renewal=1_799_990_000.0)),
        (("team", "phone"), Standing(awaits_code=True)),
    ]
    telemetry = Telemetry()
    telemetry.follow(lambda: True)
    telemetry.observe(standings=lambda: requests, backlog=Backlog(), watch_lag=lambda: 0.25)
    telemetry.issued("first")
    telemetry.failed("AccessDenied")
    telemetry.decided("global", "Required")
    telemetry.decided("", "NotRequired")
    telemetry.cluster_failed("ClusterUnavailable")
    telemetry.restarted(done=True)
    telemetry.restarted(done=False)
    telemetry.called("sts", "GetSessionToken", "Success", 0.04)
    return telemetry, requests


def samples(telemetry: Telemetry) -> dict[tuple[str, frozenset[str]], float]:
    families = text_string_to_metric_families(asyncio.run(telemetry.text()).decode())
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_is_told() -> None:
    found = samples(told()[0])
    assert found["awssts_request_ready", frozenset({"team", "reports"})] == 1
    assert found["awssts_request_ready", frozenset({"team", "phone"})] == 0
    assert found["awssts_request_expiration_timestamp_seconds", frozenset({"team", "reports"})] == 1_800_000_000
    assert ("awssts_request_expiration_timestamp_seconds", frozenset({"team", "phone"})) not in found
    assert found["awssts_codes_awaited", frozenset()] == 1
    assert found["awssts_issuances_total", frozenset({"success", "first"})] == 1
    assert found["awssts_issuances_total", frozenset({"failure", "AccessDenied"})] == 1
    assert found["awssts_mfa_decisions_total", frozenset({"none", "NotRequired"})] == 1
    assert found["awssts_cluster_errors_total", frozenset({"ClusterUnavailable"})] == 1
    assert found["awssts_rollout_restarts_total", frozenset({"success"})] == 1
    assert found["awssts_rollout_restarts_total", frozenset({"failure"})] == 1
    assert found["awssts_aws_call_duration_seconds_count", frozenset({"sts", "GetSessionToken", "Success"})] == 1
    assert found["awssts_schedule_lag_seconds", frozenset()] == 1.5
    assert found["awssts_watch_lag_seconds", frozenset()] == 0.25
    assert found["awssts_queue_depth", frozenset()] == 3
    assert found["awssts_leader", frozenset()] == 1


async def test_what_the_loop_changes_is_read_by_it() -> None:
    readers = set()

    class Here(Backlog):
        @property
        def depth(self) -> int:  # type: ignore[override]
            readers.add(threading.current_thread())
            return 0

    telemetry = Telemetry()
    telemetry.observe(standings=list, backlog=Here(), watch_lag=lambda: 0.0)
    await telemetry.text()
    assert readers == {threading.current_thread()}


def test_series_leave_with_their_request() -> None:
    telemetry, requests = told()
    requests.clear()
    assert not [name for name, _ in samples(telemetry) if name.startswith("awssts_request_")]


def test_who_follows_tells_of_no_request() -> None:
    found = samples(Telemetry())
    assert found["awssts_leader", frozenset()] == 0
    assert not [name for name, _ in found if name.startswith("awssts_request_")]


def test_counters_begin_at_zero() -> None:
    """Else Prometheus sees no increase when the first comes."""
    found = samples(Telemetry())
    assert found["awssts_issuances_total", frozenset({"success", "first"})] == 0
    assert found["awssts_issuances_total", frozenset({"failure", "StsUnavailable"})] == 0
    assert found["awssts_cluster_errors_total", frozenset({"ClusterForbidden"})] == 0
    assert found["awssts_rollout_restarts_total", frozenset({"failure"})] == 0
    assert ("awssts_issuances_total", frozenset({"failure", "AwaitingTokenCode"})) not in found
