"""No secret and nobody's data in what is logged, shown or thrown."""

import json
import re
import subprocess
import sys
import traceback
from functools import cache

import pytest
from api.settings import ApiSettings
from asyncpg import IntegrityConstraintViolationError
from cli.settings import CliSettings
from pydantic import SecretStr
from pydantic_settings import BaseSettings
from shared.database.engine import Engine, connector, create_engine
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text
from worker.settings import WorkerSettings

from tests.conftest import NOWHERE

SECRET = "hushhush"
UNREACHABLE = DatabaseSettings(
    database_url=SecretStr(f"postgresql://somebody:{SECRET}@{NOWHERE}/orders")
)

# A process of its own: logging belongs to all of one.
LOGS = """
import logging, sys
from shared.platform.logging import configure_logging
from shared.platform.settings import ObservabilitySettings

configure_logging(ObservabilitySettings(log_format=sys.argv[1]), service="test")
log = logging.getLogger("test")


def connect(dsn):
    raise ConnectionError("refused")


try:
    connect("postgresql://somebody:hushhush@db/orders")
except ConnectionError:
    log.exception("no database")
log.warning("asked for %s", "a\\n2026-01-01 [info] all is well")
log.warning("request", extra={"order_id": "\\x1b[2Jord_\\x9b1m\\u2028"})
"""


@cache
def logged(form: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOGS, form], capture_output=True, check=True
    )
    return done.stdout.decode()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_local_variables(form: str) -> None:
    told = logged(form)
    assert "no database" in told
    assert "ConnectionError" in told
    assert SECRET not in told.replace(f'connect("postgresql://somebody:{SECRET}', "")


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_a_caller_sent_writes_no_line_of_its_own(form: str) -> None:
    told = logged(form)
    assert not any(line.startswith("2026-01-01") for line in told.splitlines())
    assert not {"\x1b", "\x9b", "\u2028"} & set(told)
    assert "all is well" in told


def test_a_line_of_json_is_a_line() -> None:
    lines = [json.loads(line) for line in logged("json").splitlines()]
    assert [line["level"] for line in lines] == ["error", "warning", "warning"]


async def test_a_database_that_is_not_there_is_told_of_without_its_password() -> None:
    engine = create_engine(UNREACHABLE, application="test")

    async def lend() -> None:
        async with engine.connect():
            pass

    for connect in (connector(UNREACHABLE, application="test"), lend):
        with pytest.raises(OSError, match="Connect call failed") as failed:
            await connect()
        assert SECRET not in "".join(traceback.format_exception(failed.value))
    await engine.dispose()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://somebody:{SECRET}@db:port/orders",
        f"mysql://somebody:{SECRET}@db/orders",
    ],
)
def test_a_url_that_is_not_one_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"port|postgresql") as refused:
        connector(DatabaseSettings(database_url=SecretStr(url)), application="test")
    assert SECRET not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("settings", [WorkerSettings, ApiSettings, CliSettings])
def test_whatever_is_named_like_a_secret_is_one(settings: type[BaseSettings]) -> None:
    """A path to one is none, and a key's name is told with what it sealed."""
    secret = re.compile("secret|password|token|_keys?$|database_url")
    told = re.compile("_file$|_path$|_url$|active_key$")
    named = {
        name: field.annotation
        for name, field in settings.model_fields.items()
        if name == "database_url" or (secret.search(name) and not told.search(name))
    }
    assert named
    for name, kind in named.items():
        assert kind in (SecretStr, SecretStr | None), name


def test_settings_show_no_secret() -> None:
    settings = WorkerSettings(
        database_url=SecretStr(f"postgresql://somebody:{SECRET}@db/orders"),
        stripe_api_key=SecretStr(SECRET),
        temporal_api_key=SecretStr(SECRET),
        smtp_password=SecretStr(SECRET),
        easypost_api_key=SecretStr(SECRET),
    )
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()}"
    assert SECRET not in settings.model_dump_json()


async def test_a_row_that_is_refused_is_not_quoted(engine: Engine) -> None:
    """PostgreSQL would: "Failing row contains (ord_1, Ada Example, …)"."""
    with pytest.raises(IntegrityConstraintViolationError) as refused:
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO contacts (order_id, name, ship_to_accepted)"
                    " VALUES ('ord_1', :name, NULL)"
                ),
                {"name": "Ada Example"},
            )
    assert "Ada Example" not in "".join(traceback.format_exception(refused.value))
    assert "violates not-null constraint" in str(refused.value)
