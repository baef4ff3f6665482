"""The commands of our own processes, and the environment they share."""

import base64
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from shared.contracts.orders.webhooks import SUBSCRIBED_EVENTS

from devstack.auth_headers import AUDIENCE
from devstack.environment import without_foreign_settings
from devstack.issuer.people import ROLES
from devstack.issuer.signer import Signer
from devstack.ports import HOST, Ports
from devstack.postgres import database_url
from devstack.probe import answers
from devstack.products import STOREKEEPER, TOKEN_VARIABLE
from devstack.subprocess import Command
from devstack.temporal import NAMESPACE

# These secrets protect nothing: everything listens on loopback, with made-up customers.
STRIPE_API_KEY = "sk_test_dev"
STRIPE_WEBHOOK_SECRET = "whsec_dev"  # noqa: S105
CONSOLE_SESSION_KEY = base64.urlsafe_b64encode(bytes(32)).decode()
PAYLOAD_KEY = "dev:" + base64.b64encode(b"known to all, of the dev stack..").decode()
ORDER_LINK_KEY = "dev:" + base64.b64encode(b"known to all, signs dev's links.").decode()
CARRIER_WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"dev stack, on loopback").decode()

SHOP_ORIGINS = "https://shop.example.com http://localhost:3000"
"""Origins of a shop that is developed against this stack."""

# Everything together has 15 s to stop, one stage after the other: 4 + 5 + 2.5 + 3.
_DRAIN_SECONDS = 3
_CONSOLE_STOP_SECONDS = 2.0
_API_STOP_SECONDS = 4.0
_WORKER_STOP_SECONDS = 5.0
_SIMULATOR_STOP_SECONDS = 2.5


@dataclass(frozen=True)
class Addresses:
    """Where everything is."""

    ports: Ports

    @property
    def api(self) -> str:
        return _http(self.ports.api)

    @property
    def api_metrics(self) -> str:
        return _http(self.ports.api_metrics)

    @property
    def worker(self) -> str:
        return _http(self.ports.worker)

    @property
    def deliverer(self) -> str:
        return _http(self.ports.deliverer)

    @property
    def temporal(self) -> str:
        return f"{HOST}:{self.ports.temporal}"

    @property
    def temporal_ui(self) -> str:
        return _http(self.ports.temporal_ui)

    @property
    def database(self) -> str:
        return database_url(self.ports.postgres)

    @property
    def payments(self) -> str:
        return _http(self.ports.payments)

    @property
    def carrier(self) -> str:
        return _http(self.ports.carrier)

    @property
    def mail(self) -> str:
        return _http(self.ports.mail)

    @property
    def console(self) -> str:
        return _http(self.ports.console)

    @property
    def issuer(self) -> str:
        """With the slash at its end, as tokens have it in `iss`."""
        return f"{_http(self.ports.issuer)}/"

    @property
    def codec(self) -> str:
        return _http(self.ports.codec)

    @property
    def traces(self) -> str:
        return _http(self.ports.traces_page)

    @property
    def otlp(self) -> str:
        return _http(self.ports.traces)

    @property
    def prometheus(self) -> str:
        return _http(self.ports.prometheus)


def settings(at: Addresses) -> dict[str, str]:
    """The settings of worker and API alike, as environment variables."""
    return {
        "DATABASE_URL": at.database,
        "TEMPORAL_HOST": at.temporal,
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "STRIPE_API_KEY": STRIPE_API_KEY,
        "STRIPE_API_BASE": at.payments,
        "STRIPE_WEBHOOK_SECRET": STRIPE_WEBHOOK_SECRET,
        "CARRIER": "simulator",
        "CARRIER_API_BASE": at.carrier,
        "CARRIER_WEBHOOK_SECRET": CARRIER_WEBHOOK_SECRET,
        "SMTP_HOST": HOST,
        "SMTP_PORT": str(at.ports.smtp),
        "SMTP_TLS": "false",
        "MAIL_FROM": "orders@example.com",
        "SHOP_ORDER_URL": f"{at.console}/o/{{token}}",
        "SHOP_RETURN_URL": f"{at.console}/o/{{token}}?label={{return_id}}",
        "ORDER_LINK_KEYS": ORDER_LINK_KEY,
        "CONSOLE_URL": at.console,
        "SHOP_ORIGINS": SHOP_ORIGINS,
        # A developer's own receivers.
        "WEBHOOK_NETWORKS": "127.0.0.0/8 ::1/128",
        "SHIPPING_TARIFFS": "standard/*/EUR=490 express/*/EUR=990",
        "API_AUTH": "disabled-loopback-only",
        "API_HOST": HOST,
        "API_PORT": str(at.ports.api),
        "PUBLIC_URL": at.api,
        "TEMPORAL_UI_URL": at.temporal_ui,
        "METRICS_HOST": HOST,
    }


def console_settings(at: Addresses, *, known: bool) -> dict[str, str]:
    """Where the console is, and who its people are; `known` by our issuer, or not."""
    if known:
        access = {"CONSOLE_AUTH": "oidc", "OIDC_CLIENT_ID": "console"}
    else:
        people = {"dev": "admin", **ROLES}
        listed = ";".join(f"{name}={scopes}" for name, scopes in people.items())
        access = {"CONSOLE_AUTH": "disabled-loopback-only", "CONSOLE_PEOPLE": listed}
    return {
        **access,
        "CONSOLE_HOST": HOST,
        "CONSOLE_PORT": str(at.ports.console),
        "CONSOLE_URL": at.console,
        "CONSOLE_API_URL": at.api,
        "CONSOLE_SESSION_KEYS": CONSOLE_SESSION_KEY,
        "CONSOLE_SHOP_NAME": "Example Shop",
        "CONSOLE_CARD_URL": f"{at.payments}/_sim/card?back={{back}}",
    }


def tracing(at: Addresses) -> dict[str, str]:
    """Settings that make the services send traces to our receiver, soon after each
    span."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": at.otlp,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }


def known_callers(at: Addresses) -> dict[str, str]:
    """Settings that make the API require tokens of our issuer."""
    return {
        "API_AUTH": "oidc",
        "OIDC_ISSUER": at.issuer,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_DOCS_CLIENT_ID": "docs",
    }


def encryption() -> dict[str, str]:
    """Settings that make the services encrypt their payloads."""
    return {
        "TEMPORAL_PAYLOAD_KEYS": PAYLOAD_KEY,
        "TEMPORAL_PAYLOAD_ACTIVE_KEY": PAYLOAD_KEY.partition(":")[0],
    }


class Services:
    """Builds the commands of the services and simulators of one stack."""

    def __init__(
        self,
        at: Addresses,
        data: Path,
        http: httpx2.AsyncClient,
        extra: Mapping[str, str],
        signer: Signer | None = None,
    ) -> None:
        """With a `signer` the API requires tokens, and our own people have some."""
        self._at = at
        self._data = data
        self._http = http
        self._extra = extra
        self._signer = signer

    def migrations(self) -> Command:
        return self._python("migrations", "shared.database.migrations")

    def worker(self) -> Command:
        return self._python(
            "worker",
            "worker",
            health=f"{self._at.worker}/ready",
            metrics_port=self._at.ports.worker,
            stop_seconds=_WORKER_STOP_SECONDS,
        )

    def api(self) -> Command:
        return self._python(
            "api",
            "api",
            health=f"{self._at.api}/ready",
            metrics_port=self._at.ports.api_metrics,
            stop_seconds=_API_STOP_SECONDS,
        )

    def console(self) -> Command:
        """Without an issuer one is whoever one likes to be."""
        command = self._python(
            "console",
            "console",
            health=f"{self._at.console}/health",
            metrics_port=self._at.ports.console_metrics,
            stop_seconds=_CONSOLE_STOP_SECONDS,
        )
        ours = console_settings(self._at, known=self._signer is not None)
        return replace(command, environment={**command.environment, **ours})

    def deliverer(self) -> Command:
        return self._python(
            *("deliverer", "api", "deliver"),
            health=f"{self._at.deliverer}/ready",
            metrics_port=self._at.ports.deliverer,
            stop_seconds=_API_STOP_SECONDS,
        )

    def issuer(self) -> Command:
        key = self._data / "issuer-key.pem"
        if self._signer is not None:
            self._signer.save(key)
        return self._python(
            "issuer",
            "devstack.issuer",
            *("--port", str(self._at.ports.issuer)),
            *("--key", str(key)),
            health=f"{self._at.issuer}keys",
        )

    def codec(self) -> Command:
        command = self._python(
            "codec",
            "api",
            "codec",
            health=f"{self._at.codec}/health",
            metrics_port=self._at.ports.codec_metrics,
            stop_seconds=_API_STOP_SECONDS,
        )
        port = {"API_PORT": str(self._at.ports.codec), "PUBLIC_URL": self._at.codec}
        return replace(command, environment={**command.environment, **port})

    def payments(self) -> Command:
        return self._python(
            "payments",
            "simulators.payments",
            *("--port", str(self._at.ports.payments)),
            *("--data", str(self._data / "payments.sqlite")),
            *("--webhook-url", f"{self._at.api}/v1/webhooks/stripe"),
            *("--webhook-secret", STRIPE_WEBHOOK_SECRET),
            *("--enabled-events", *sorted(SUBSCRIBED_EVENTS)),
            health=f"{self._at.payments}/_sim/health",
        )

    def carrier(self, step_seconds: float) -> Command:
        return self._python(
            "carrier",
            "simulators.carrier",
            *("--port", str(self._at.ports.carrier)),
            *("--data", str(self._data / "carrier.sqlite")),
            *("--webhook-url", f"{self._at.api}/v1/webhooks/carrier"),
            *("--webhook-secret", CARRIER_WEBHOOK_SECRET),
            *("--auto", "--orders-api", self._at.api),
            *("--step-seconds", str(step_seconds)),
            health=f"{self._at.carrier}/_sim/health",
            acts=("carrier-simulator", "orders:read"),
        )

    def products(self) -> Command:
        return self._python(
            *("products", "devstack.products", "--api", self._at.api),
            acts=STOREKEEPER,
        )

    def mail(self) -> Command:
        return self._python(
            "mail",
            "devstack.mail",
            *("--smtp-port", str(self._at.ports.smtp)),
            *("--http-port", str(self._at.ports.mail)),
            *("--data", str(self._data / "mail")),
            health=f"{self._at.mail}/health",
        )

    def traces(self) -> Command:
        return self._python(
            "traces",
            "devstack.observability.traces",
            *("--otlp-port", str(self._at.ports.traces)),
            *("--http-port", str(self._at.ports.traces_page)),
            health=f"{self._at.traces}/",
        )

    def _python(
        self,
        name: str,
        module: str,
        *arguments: str,
        health: str | None = None,
        metrics_port: int | None = None,
        stop_seconds: float = _SIMULATOR_STOP_SECONDS,
        acts: tuple[str, ...] = (),
    ) -> Command:
        http = self._http
        return Command(
            name=name,
            # -P: a file in the current directory must not stand in for a package.
            argv=(sys.executable, "-P", "-m", module, *arguments),
            environment=self._environment(metrics_port) | self._token(acts),
            log=self._data / "logs" / f"{name}.log",
            ready=(lambda: answers(http, health)) if health else None,
            stop_seconds=stop_seconds,
        )

    def _token(self, acts: tuple[str, ...]) -> dict[str, str]:
        """A token for a caller of the API, with this name and these scopes."""
        if self._signer is None or not acts:
            return {}
        user, *scopes = acts
        token = self._signer.token(user, AUDIENCE, scope=" ".join(scopes))
        return {TOKEN_VARIABLE: token}

    def _environment(self, metrics_port: int | None) -> dict[str, str]:
        inherited = without_foreign_settings(os.environ)
        if inherited.pop("PYTHONDONTWRITEBYTECODE", None):
            # Otherwise each start compiles all libraries: 2.8 s of CPU instead of 1.0
            # s.
            inherited["PYTHONPYCACHEPREFIX"] = str(self._data / "bytecode")
        defaults = {"LOG_FORMAT": "console", "PYTHONUNBUFFERED": "1"}
        ours = settings(self._at) | {"GRACEFUL_SHUTDOWN_SECONDS": str(_DRAIN_SECONDS)}
        metrics = {"METRICS_PORT": str(metrics_port)} if metrics_port else {}
        return defaults | inherited | ours | metrics | dict(self._extra)


def _http(port: int) -> str:
    return f"http://{HOST}:{port}"
