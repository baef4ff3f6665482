"""A shop's day, as docs/how-to tells it: by the command line and curl alone."""

import asyncio
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.e2e.test_newcomer import audit_rows
from tests.e2e.walking import running_system, walk

# A machine that is busy with everything else that the tests start.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def test_a_shop_gets_through_its_day(tmp_path: Path) -> None:
    slow_carrier = ("--carrier-step-seconds", "3600")
    with running_system(tmp_path / "dev", *slow_carrier) as at:
        places = {"ORDERS_API_URL": at["api"], "MAILS_URL": at["mail"]}
        day = walk("a-shops-day.md", tmp_path, **places)
        assert asyncio.run(audit_rows(at["database_url"])) == []
    assert "%PDF-" in day.stdout
    for file, pages in (("pick-list", 1), ("packing-slips", 5), ("labels", 5)):
        assert len(PdfReader(tmp_path / f"{file}.pdf").pages) == pages
    assert "None" not in day.stdout
