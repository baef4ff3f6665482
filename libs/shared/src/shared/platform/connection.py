"""A Temporal client that keeps working: its token and its certificates are renewed.

A worker whose token has run out does not end; it silently gets no tasks. And the SDK
reads certificates once. So this watches both, for as long as a process lives.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self

from prometheus_client import Counter, Gauge
from pydantic import SecretStr
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from shared.platform.settings import TemporalSettings
from shared.platform.temporal import certificate_files, connect
from shared.platform.tokens import ClientCredentials, NoToken, Token

log = logging.getLogger(__name__)

CurrentClient = Callable[[], Client]
"""Returns the client to use. Call it for each use, because new certificates bring a new
client."""

REFUSED = "refused"
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
FILES_SECONDS = 5.0
"""Between two checks of the files. Kubernetes itself takes up to a minute to show a new
one."""

_REFUSALS = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)
TOKEN_FAILURES = Counter(
    "access_token_failures", "Tokens for Temporal that the issuer did not give."
)
IS_REFUSED = Gauge(
    "access_refused", "Whether Temporal refused our last probe for want of rights."
)


class Connection:
    """The one client of a process, from `open` to `close`."""

    def __init__(
        self,
        settings: TemporalSettings,
        *,
        runtime: Runtime | None = None,
        lazy: bool = False,
        files_seconds: float | None = None,
    ) -> None:
        """A `lazy` connection opens while Temporal or the issuer is down, as a gateway
        must; a worker's waits for both."""
        self._settings = settings
        self._runtime = runtime
        self._lazy = lazy
        self._files_seconds = files_seconds or FILES_SECONDS
        self._credentials = _credentials(settings)
        self._token: Token | None = None
        self._files: tuple[bytes, ...] = ()
        self._client: Client | None = None
        self._refused = asyncio.Event()
        self._replaced: Callable[[Client], None] = lambda _: None
        self._keeping: list[asyncio.Task[None]] = []

    @property
    def client(self) -> Client:
        if self._client is None:
            raise RuntimeError("the connection is not open")
        return self._client

    def on_replaced(self, replaced: Callable[[Client], None]) -> None:
        """Call `replaced` with each client that takes the place of an earlier one."""
        self._replaced = replaced

    async def open(self) -> Self:
        """Open it, however long that takes; a lazy one opens at once."""
        return self._keep_good(
            await (self._connect() if self._lazy else self._until_there())
        )

    async def open_now(self) -> Self:
        """Open it at once, for a command that somebody waits for. Raises `NoToken`, or
        `RuntimeError` or `OSError` if the server is not there."""
        return self._keep_good(await self._connect_with_token())

    def _keep_good(self, client: Client) -> Self:
        self._client = client
        if self._credentials is not None:
            self._keep(self._keep_token(self._credentials))
        if certificate_files(self._settings):
            self._keep(self._keep_files())
        return self

    async def close(self) -> None:
        for task in self._keeping:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._credentials is not None:
            await self._credentials.close()

    async def trouble(self, seconds: float) -> str | None:
        """Why we cannot work with Temporal: `REFUSED`, or a text. A health check would
        not tell, since it answers anybody. After a refusal the next token is fetched at
        once."""
        try:
            async with asyncio.timeout(seconds):
                await self.client.workflow_service.describe_namespace(
                    DescribeNamespaceRequest(
                        namespace=self._settings.temporal_namespace
                    ),
                    timeout=timedelta(seconds=seconds),
                )
        except RPCError as error:
            refused = error.status in _REFUSALS
            IS_REFUSED.set(refused)
            if not refused:
                return f"no answer: {error.status.name}"
            self._refused.set()
            return REFUSED
        except (RuntimeError, TimeoutError) as error:
            return f"no answer: {type(error).__name__}"
        IS_REFUSED.set(False)
        return None

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        self._keeping.append(asyncio.create_task(work))

    async def _until_there(self) -> Client:
        """Wait for Temporal and the issuer, however long: workers often start first."""
        pauses = _Pauses()
        while True:
            try:
                return await self._connect_with_token()
            except (NoToken, RuntimeError, OSError) as error:
                log.warning(
                    "Temporal is not reachable yet",
                    extra={
                        "temporal_host": self._settings.temporal_host,
                        "error": str(error),
                    },
                )
            await pauses.pause()

    async def _connect_with_token(self) -> Client:
        if self._credentials is not None:
            self._token = await self._credentials.fetch()
        return await self._connect()

    async def _connect(self, *, lazy: bool | None = None) -> Client:
        self._files = await asyncio.to_thread(_contents, self._settings)
        return await connect(
            self._settings,
            lazy=self._lazy if lazy is None else lazy,
            retry_briefly=self._lazy,
            runtime=self._runtime,
            api_key=self._token.value if self._token else None,
        )

    # ── the token ───────────────────────────────────────────────────────────────

    async def _keep_token(self, credentials: ClientCredentials) -> None:
        pauses = _Pauses()
        while True:
            await self._until_due(credentials)
            try:
                self._token = await credentials.fetch()
            except NoToken as error:
                TOKEN_FAILURES.inc()
                log.warning("no new token for Temporal: %s", error)
            else:
                self._refused.clear()
                self.client.api_key = _text(self._token.value)
                pauses = _Pauses()
            # Also after a success, so that a fresh token that is refused does not cause
            # endless requests.
            await pauses.pause()

    async def _until_due(self, credentials: ClientCredentials) -> None:
        if self._token is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._token.renew_at - credentials.clock()):
                await self._refused.wait()

    # ── the certificates ────────────────────────────────────────────────────────

    async def _keep_files(self) -> None:
        """Compares the files' content, because how a file is replaced differs."""
        while True:
            await asyncio.sleep(self._files_seconds)
            used = self._files
            try:
                if await asyncio.to_thread(_contents, self._settings) == used:
                    continue
                # Not lazy: a client that cannot connect must not replace one that can.
                client = await self._connect(lazy=False)
            except (OSError, RuntimeError, ValueError) as error:
                # The last is a damaged key file, which is read with the others.
                self._files = used
                log.warning("the new certificates do not work: %s", error)
                continue
            if self._token is not None:
                client.api_key = _text(self._token.value)
            self._client = client
            self._replaced(client)
            log.info("connected anew with the certificates that have changed")


class _Pauses:
    """Growing pauses with jitter, so that processes do not retry in step."""

    def __init__(self) -> None:
        self._seconds = FIRST_PAUSE_SECONDS

    async def pause(self) -> None:
        await asyncio.sleep(self._seconds * random.uniform(0.5, 1.5))  # noqa: S311
        self._seconds = min(self._seconds * 2, LONGEST_PAUSE_SECONDS)


def _credentials(settings: TemporalSettings) -> ClientCredentials | None:
    url, client_id = settings.temporal_oidc_token_url, settings.temporal_oidc_client_id
    secret = (
        settings.temporal_oidc_client_secret_file
        or settings.temporal_oidc_client_secret
    )
    if url is None or client_id is None or secret is None:
        return None
    return ClientCredentials(url, client_id, secret, settings.temporal_oidc_scope)


def _contents(settings: TemporalSettings) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in certificate_files(settings))


def _text(secret: SecretStr) -> str:
    return secret.get_secret_value()
