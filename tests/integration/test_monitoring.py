"""The dashboard's queries and the alerts' on a real Prometheus that scrapes a real operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from testbed.helm import CHART
from testbed.monitoring import dashboard
from testbed.monitoring.prometheus import Prometheus
from testbed.process import ReportedError, free_port
from tests.integration.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.sts import User
    from tests.integration.conftest import Launch
    from tests.integration.workspace import Workspace

PANELS = {panel.title: panel for panel in dashboard.panels()}
ALERTS = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]


@pytest.fixture
def prometheus(launch: Launch, space: Workspace, user: User, tmp_path: Path) -> Iterator[Prometheus]:
    """After a request that is served, and one that is not."""
    port = free_port()
    try:
        scraping = Prometheus(tmp_path / "prometheus", {"awssts-a": f"127.0.0.1:{port}"}, interval=1)
    except ReportedError as lacking:
        pytest.skip(str(lacking))
    with launch(options=(f"--metrics-port={port}",)) as operator, scraping:
        operator.until_started()
        eventually(lambda: scraping.now("awssts_leader == 1"), "a scrape")
        space.keys(user)
        space.request()
        space.until_ready()
        space.request("broken", credentialsSecretRef={"name": "nowhere"})
        eventually(lambda: scraping.now('awssts_request_ready{name="broken"} == 0'), "the second request")
        yield scraping


def test_all_that_is_asked_for_is_there(prometheus: Prometheus, space: Workspace) -> None:
    def shown(title: str) -> list[tuple[str, float]]:
        queries = PANELS[title].queries
        return [
            (query.named(found.labels), found.points[-1][1])
            for query in queries
            for found in prometheus.now(query.expression)
        ]

    eventually(lambda: ("first", 1) in [(name, round(value)) for name, value in shown("Issuances")], "an increase")
    assert shown("Not ready") == [("", 1)]
    assert shown("Ready")[0][1] >= 1
    assert shown("Leaders") == [("", 1)]
    assert shown("Codes awaited") == [("", 0)]
    assert f"{space.name}/reports" in dict(shown("Time until credentials end"))
    assert f"{space.name}/reports" in dict(shown("Time until renewal"))
    assert dict(shown("Calls of AWS"))["GetSessionToken: Success"] > 0
    assert 0 < dict(shown("How long AWS takes"))["GetSessionToken, 95 %"] < 15
    assert "failed: SecretNotFound" in dict(shown("Issuances"))
    assert dict(shown("Memory"))["awssts-a"] > 1e7
    for title in PANELS:
        shown(title)  # each is PromQL, and answered


def test_no_alert_is_told_of_a_healthy_operator(prometheus: Prometheus) -> None:
    fire = {rule["alert"] for rule in ALERTS if prometheus.now(rule["expr"])}
    assert fire == {"AwsstsRequestNotReady"}, "but for the request that is broken, after a quarter of an hour"
