"""Every alert fires when it should, says what it should, and is silent otherwise."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from devstack.observability.prometheus import RULES, rules

from tests.observe.sources import ROOT

CASES: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / "tests/observe/alerts.yaml").read_text()
)
GROUPS = rules(ROOT / RULES)["groups"]
ALERTS: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]

WANTED = {
    *("TemporalServerDown", "HighWorkflowFailureRate", "DatabaseConnectionIssue"),
    *(
        "TaskQueueBacklogGrowing",
        "NoPollers",
        "AccessTokenFailing",
        "WorkerRefused",
        "HoldsOverdue",
        "CardTesting",
        "MoneyInQuestion",
        "DiscrepanciesOpen",
    ),
    *("AuditViewNotEmpty", "OrdersPlacedButNotStarted", "CaptureFailureRate"),
    *("AuthorizationsEnding", "LedgerPending", "InboxUnmatched", "FiguresUnreadable"),
    *(
        "BackupsFailing",
        "CertificateExpiring",
        "ApiErrorBudgetBurn",
        "ConsoleFailing",
        "PersistenceErrors",
    ),
    *("WebhookDelivererDown", "WebhooksDelayed", "WebhookEndpointFailed"),
    *("WebhookDeliveriesGivenUp", "FeedLagging"),
}


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None and os.environ.get("CI") != "true":
        pytest.skip("no promtool: it is in Debian's package prometheus")
    assert found, "the pipeline must have promtool (Debian's package prometheus)"
    return found


def run(promtool: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [promtool, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write(file: Path, content: object) -> Path:
    file.write_text(json.dumps(content))
    return file


def test_the_rules_are_valid(promtool: str, tmp_path: Path) -> None:
    file = write(tmp_path / "rules.json", {"groups": GROUPS})
    assert f"{len(ALERTS)} rules found" in run(promtool, "check", "rules", file)


# An alert of two severities fires as both, so each severity is tried alone.
@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_every_alert_fires_and_stays_silent(
    promtool: str, severity: str, tmp_path: Path
) -> None:
    tried = [rule for rule in ALERTS if rule["labels"]["severity"] == severity]
    groups = [{"name": severity, "rules": tried}]
    rule_file = write(tmp_path / "rules.json", {"groups": groups})
    tests = [t for case in CASES if _rule(case) in tried for t in _tests(case)]
    files = [
        write(
            tmp_path / f"{interval}.json",
            {
                "rule_files": [str(rule_file)],
                "evaluation_interval": interval,
                "tests": [test for test in tests if test["interval"] == interval],
            },
        )
        for interval in sorted({test["interval"] for test in tests})
    ]
    assert run(promtool, "test", "rules", *files).count("SUCCESS") == len(files)


def _tests(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    rule = _rule(case)
    for shown in (*case["fires"], *case["silent"]):
        expected = []
        if "labels" in shown:
            annotations = {**rule["annotations"], "description": shown["description"]}
            labels = {**shown["labels"], "severity": rule["labels"]["severity"]}
            expected = [{"exp_labels": labels, "exp_annotations": annotations}]
        yield {
            "interval": shown.get("every", "1m"),
            "input_series": [
                {"series": series, "values": values}
                for series, values in shown["series"].items()
            ],
            "alert_rule_test": [
                {
                    "eval_time": shown["at"],
                    "alertname": case["alert"],
                    "exp_alerts": expected,
                }
            ],
        }


def _rule(case: dict[str, Any]) -> dict[str, Any]:
    (rule,) = (
        r
        for r in ALERTS
        if r["alert"] == case["alert"]
        and case.get("severity", r["labels"]["severity"]) == r["labels"]["severity"]
    )
    return rule


def test_every_alert_has_a_case_of_each_kind() -> None:
    shown = [(case["alert"], _rule(case)["labels"]["severity"]) for case in CASES]
    known = [(rule["alert"], rule["labels"]["severity"]) for rule in ALERTS]
    assert sorted(shown) == sorted(known)
    assert all(case["fires"] and case["silent"] for case in CASES)


def test_the_alerts_are_those_that_were_asked_for() -> None:
    assert {rule["alert"] for rule in ALERTS} == WANTED


@pytest.mark.parametrize("rule", ALERTS, ids=lambda r: r["alert"])
def test_an_alert_tells_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    said = rule["annotations"]
    assert said["summary"]
    # TemporalServerDown has no number worth telling.
    assert re.search(r"\$(value|labels)", said["description"])
    page = said["runbook_url"].rpartition("/-/blob/main/")[2]
    assert page == f"docs/runbooks/{rule['alert']}.md"
    text = (ROOT / page).read_text()
    for heading in ("Who is harmed", "First three looks", "Fix"):
        assert f"\n## {heading}\n" in text
