"""Settings: every mistake at once, by its variable's name, and no value shown."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from shared.platform.pages import customers_page
from shared.platform.settings import (
    DatabaseSettings,
    SettingsError,
    TemporalSettings,
    load_settings,
)
from worker.settings import WorkerSettings

ENOUGH = {
    "DATABASE_URL": "postgresql://somebody:hushhush@db.example.com/orders",
    "STRIPE_API_KEY": "sk_test_hushhush",
}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in ENOUGH.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_two_secrets_are_enough(environ: pytest.MonkeyPatch) -> None:
    settings = load_settings(WorkerSettings)
    assert settings.temporal_host == "localhost:7233"
    assert settings.graceful_shutdown == timedelta(seconds=20)


def test_every_mistake_is_named_at_once(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("DATABASE_URL", "mysql://somebody:hushhush@db.example.com/orders")
    environ.delenv("STRIPE_API_KEY")
    environ.setenv("LOG_LEVEL", "chatty-hushhush")
    environ.setenv("METRICS_PORT", "99999999")
    with pytest.raises(SettingsError) as refused:
        load_settings(WorkerSettings)
    told = str(refused.value)
    for name in ("DATABASE_URL", "STRIPE_API_KEY", "LOG_LEVEL", "METRICS_PORT"):
        assert f"  {name}: " in told
    assert "hushhush" not in told


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"CARRIER": "simulator"}, "CARRIER_API_BASE"),
        ({"CARRIER": "easypost"}, "EASYPOST_API_KEY"),
        ({"SMTP_HOST": "mail.example.com"}, "MAIL_FROM"),
        ({"SMTP_HOST": "mail.example.com"}, "SHOP_ORDER_URL"),
        ({"SHOP_ORDER_URL": "https://c.example.com/o/{token}"}, "ORDER_LINK_KEYS"),
        ({"SHOP_ORDER_URL": "https://shop.example.com/"}, "{order_id} or {token}"),
        ({"ORDER_LINK_ACTIONS": "read refund"}, "any of read, address"),
        ({"SMTP_USERNAME": "shop"}, "SMTP_PASSWORD"),
        ({"TEMPORAL_DEPLOYMENT_NAME": "worker"}, "TEMPORAL_WORKER_BUILD_ID"),
        ({"TEMPORAL_WORKER_BUILD_ID": "3f9c2ab"}, "TEMPORAL_DEPLOYMENT_NAME"),
    ],
)
def test_a_setting_that_needs_another_says_which(
    environ: pytest.MonkeyPatch, given: dict[str, str], wanted: str
) -> None:
    for name, value in given.items():
        environ.setenv(name, value)
    with pytest.raises(SettingsError, match=wanted):
        load_settings(WorkerSettings)


def test_settings_that_need_each_other_are_named_with_every_other_mistake(
    environ: pytest.MonkeyPatch,
) -> None:
    environ.delenv("STRIPE_API_KEY")
    environ.setenv("CARRIER", "easypost")
    environ.setenv("SMTP_HOST", "mail.example.com")
    environ.setenv("TEMPORAL_OIDC_TOKEN_URL", "https://id.example.com/token")
    environ.setenv("TEMPORAL_PAYLOAD_ACTIVE_KEY", "k9")
    with pytest.raises(SettingsError) as refused:
        load_settings(WorkerSettings)
    for name in (
        *("STRIPE_API_KEY", "EASYPOST_API_KEY", "EASYPOST_FROM_ADDRESS", "MAIL_FROM"),
        "SHOP_ORDER_URL",
        *("TEMPORAL_OIDC_CLIENT_ID", "TEMPORAL_PAYLOAD_ACTIVE_KEY"),
    ):
        assert name in str(refused.value)


def test_a_file_that_is_not_there_is_named_with_the_other_mistakes(
    environ: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = (
        *("DATABASE_PASSWORD_FILE", "TEMPORAL_OIDC_CLIENT_SECRET_FILE"),
        *("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"),
    )
    for name in files:
        environ.setenv(name, str(tmp_path / "hushhush"))
    environ.setenv("LOG_LEVEL", "chatty")
    with pytest.raises(SettingsError) as refused:
        load_settings(WorkerSettings)
    for name in (*files, "LOG_LEVEL"):
        assert f"  {name}: " in str(refused.value)
    assert "hushhush" not in str(refused.value)
    environ.setenv("LOG_LEVEL", "INFO")
    (tmp_path / "hushhush").write_text("x")
    assert load_settings(WorkerSettings).database_password_file


def test_a_token_for_temporal_is_not_sent_in_the_clear() -> None:
    def token_for(host: str, **more: Any) -> TemporalSettings:
        key = SecretStr("hushhush")
        return TemporalSettings(temporal_host=host, temporal_api_key=key, **more)

    with pytest.raises(ValidationError, match="TEMPORAL_TLS must be set"):
        token_for("temporal.example.com:7233")
    for host in ("localhost:7233", "127.0.0.1:7233", "[::1]:7233"):
        assert token_for(host)
    assert token_for("temporal.example.com:7233", temporal_tls=True)
    authority = Path("ca.crt")
    assert token_for("t:7233", temporal_tls_server_ca_cert_path=authority)
    assert TemporalSettings(temporal_host="temporal.example.com:7233")


@pytest.mark.parametrize(
    "origin",
    [
        *("https://shop.example.com", "https://shop.example.com:8443"),
        *("http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"),
    ],
)
def test_customers_are_sent_to_a_shop(origin: str) -> None:
    assert customers_page(origin) == origin


@pytest.mark.parametrize(
    "url",
    [
        *("http://shop.example.com", "//shop.example.com", "javascript:alert(1)"),
        *("https://me@shop.example.com", "https://shop.example.com@evil.example"),
        *("https://localhost.", "https://shop", "https://db.svc", "https://a.internal"),
        *("https://169.254.169.254", "https://10.0.0.1", "https://2852039166"),
        *("https://0xa9fea9fe", "https://0251.0376.0251.0376", "https://[fe80::1]"),
        *("https://[::ffff:10.0.0.1]", "https://1.1.1.1", "https://x.1"),
        *("https://shop.example.com\\.evil.example", "https://sh\u00f6p.example.com"),
        *("https://shop.example.com/ x", "https://shop.example.com/\n", "https://"),
    ],
)
def test_customers_are_sent_nowhere_else(url: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        customers_page(url)


def test_an_empty_variable_counts_as_unset(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("TEMPORAL_NAMESPACE", "")
    assert load_settings(WorkerSettings).temporal_namespace == "default"


def test_temporals_own_name_for_the_address_is_known(
    environ: pytest.MonkeyPatch,
) -> None:
    environ.setenv("TEMPORAL_ADDRESS", "temporal.example.com:7233")
    assert load_settings(WorkerSettings).temporal_host == "temporal.example.com:7233"


def test_secrets_are_not_shown(environ: pytest.MonkeyPatch) -> None:
    assert "hushhush" not in repr(load_settings(WorkerSettings))


def test_a_rotated_password_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = DatabaseSettings(
        database_url=SecretStr("postgresql://somebody@db.example.com/orders"),
        database_password_file=file,
    )
    for password in ("first", "second"):
        file.write_text(f"{password}\n")
        assert settings.read_database_password() == password
