"""Alerts and dashboard: they ask for what the operator tells, and the alerts fire when they should."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import debian
from testbed.helm import CHART, Helm
from testbed.process import ReportedError
from tests.chart.profiles import of_kind, values
from tests.documents import saved
from tests.unit.adapters.test_telemetry import samples, told

ROOT = Path(__file__).parents[2]
ALERTS: list[dict[str, Any]] = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text())
CASES = sorted((ROOT / "tests" / "data" / "alerts").glob("*.yaml"))
METRIC = re.compile(r"\b(?:awssts|process)_\w+")
LABELS = {"awssts_dev_shard"}  # looks like a metric

QUERIES = {
    **{rule["alert"]: rule["expr"] for rule in ALERTS},
    **{f"{panel['title']} {each['refId']}": each["expr"] for panel in DASHBOARD["panels"] for each in panel["targets"]},
}


def promtool(*arguments: str | Path) -> str:
    try:
        program, environment = debian.program("promtool", "prometheus")
    except ReportedError as lacking:
        pytest.skip(str(lacking))
    done = subprocess.run(  # noqa: S603 - Debian's
        [program, *arguments], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("query", QUERIES)
def test_only_what_is_told_is_asked_for(query: str) -> None:
    told_of = {name for name, _ in samples(told()[0])}
    assert set(METRIC.findall(QUERIES[query])) - LABELS <= told_of


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_alerts(case: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", case)


def test_what_another_prometheus_is_told_fits_the_pods(helm: Helm, tmp_path: Path) -> None:
    saved("docs/operating.md", "prometheus.yaml", tmp_path)
    config = yaml.safe_load((tmp_path / "prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    found_by = job.pop("kubernetes_sd_configs")  # which Debian's Prometheus was built without
    assert found_by == [{"role": "pod", "namespaces": {"names": ["awssts-system"]}}]
    (tmp_path / "rest.yaml").write_text(yaml.safe_dump(config))
    assert "SUCCESS" in promtool("check", "config", tmp_path / "rest.yaml")
    wanted = {rule["source_labels"][0]: rule.get("regex") for rule in job["relabel_configs"]}
    rendered = helm.render(values("large"))
    (monitor,) = of_kind(rendered, "ServiceMonitor")
    assert job["honor_labels"] is monitor["spec"]["endpoints"][0]["honorLabels"] is True
    pods = [each["spec"]["template"] for each in of_kind(rendered, "Deployment")]
    labels = "app.kubernetes.io/component", wanted["__meta_kubernetes_pod_label_app_kubernetes_io_component"]
    pod = next(each for each in pods if labels in each["metadata"]["labels"].items())
    names = {f"__meta_kubernetes_pod_label_{re.sub(r'[./-]', '_', name)}" for name in pod["metadata"]["labels"]}
    assert {name for name in wanted if "_label_" in name} <= names
    ports = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
    assert wanted["__meta_kubernetes_pod_container_port_name"] in ports


def test_every_alert_is_seen_to_fire_and_to_keep_still() -> None:
    tried = [
        each for case in CASES for test in yaml.safe_load(case.read_text())["tests"] for each in test["alert_rule_test"]
    ]
    assert {each["alertname"] for each in tried if "exp_alerts" in each} == {rule["alert"] for rule in ALERTS}
    assert {each["alertname"] for each in tried if "exp_alerts" not in each} == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_is_explained(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page.endswith("/docs/alerts.md")
    assert anchor == rule["alert"].lower()
    section = (ROOT / "docs" / "alerts.md").read_text().partition(f"\n## {rule['alert']}\n\n")[2]
    assert section.startswith(f"**{rule['labels']['severity']}.** ")


def test_the_chart_brings_them_as_they_are(helm: Helm) -> None:
    rendered = helm.render(values("large"))
    (rules,) = of_kind(rendered, "PrometheusRule")
    assert rules["spec"]["groups"][0]["rules"] == ALERTS
    (dashboard,) = [each for each in of_kind(rendered, "ConfigMap") if "awssts.json" in each["data"]]
    assert json.loads(dashboard["data"]["awssts.json"]) == DASHBOARD


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
