"""Dashboards are what Grafana's schema wants, and lead to runbooks and to another."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.observe.sources import MONITORING, ROOT

FOLDER = MONITORING / "dashboards"
BOARDS = sorted(FOLDER.glob("*.json"))
SCHEMA = json.loads((ROOT / "tests/observe/dashboard.schema.json").read_text())
each = pytest.mark.parametrize("file", BOARDS, ids=lambda file: file.stem)


def load(file: Path) -> dict[str, Any]:
    board: dict[str, Any] = json.loads(file.read_text())
    return board


@each
def test_it_fits_the_schema(file: Path) -> None:
    jsonschema.validate(load(file), SCHEMA)


def test_what_is_no_dashboard_does_not_fit() -> None:
    board = load(BOARDS[0])
    board["panels"][0]["targets"][0].pop("expr")
    with pytest.raises(jsonschema.ValidationError, match="expr"):
        jsonschema.validate(board, SCHEMA)


def test_each_is_provisioned() -> None:
    made = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    files = [name for entry in made["configMapGenerator"] for name in entry["files"]]
    assert sorted(files) == [file.name for file in BOARDS]
    assert {load(file)["title"] for file in BOARDS} == {
        *("Temporal Business Metrics", "Orders", "Workers and task queues"),
        *("API", "Console", "Temporal server", "PostgreSQL"),
    }


@each
def test_panels_do_not_overlap(file: Path) -> None:
    taken = [
        (x, y)
        for panel in load(file)["panels"]
        for x in range(
            panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"]
        )
        for y in range(
            panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"]
        )
    ]
    assert len(taken) == len(set(taken))


@each
def test_it_leads_to_the_others_and_to_runbooks_that_exist(file: Path) -> None:
    board = load(file)
    assert "orders" in board["links"][0]["tags"]
    assert "orders" in board["tags"]
    links = [link["url"] for p in board["panels"] for link in p.get("links", [])]
    assert links
    for link in links:
        assert (ROOT / link.rpartition("/-/blob/main/")[2]).exists()


@each
def test_every_variable_that_is_used_is_there(file: Path) -> None:
    board = load(file)
    names = {variable["name"] for variable in board["templating"]["list"]}
    assert "datasource" in names
    assert ("$namespace" in json.dumps(board["panels"])) == ("namespace" in names)
