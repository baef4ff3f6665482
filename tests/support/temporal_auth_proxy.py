"""In front of the development server, which has neither TLS nor rights: lets in who
has a token of the issuer, and refuses others in the words of the real server."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc  # type: ignore[import-untyped]
import jwt
from devstack.issuer.signer import ALGORITHM, Signer

from tests.support.certificates import Pair

AUDIENCE = "temporal"
_OPEN = ("/GetSystemInfo", "/Check")
_LIMITS = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]


@dataclass
class TemporalAuthProxy(grpc.GenericRpcHandler):  # type: ignore[misc]
    behind: str
    signer: Signer
    refusals: int = 0
    port: int = 0
    _channel: Any = None
    _server: Any = field(default=None)

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    async def stand(self, pair: Pair, clients: bytes | None = None) -> None:
        """Take calls, on the same port as before if there was one; with `clients` only
        from those who have a certificate of that authority."""
        self._channel = grpc.aio.insecure_channel(self.behind, _LIMITS)
        self._server = grpc.aio.server(handlers=[self], options=_LIMITS)
        credentials = grpc.ssl_server_credentials(
            [(pair.key, pair.certificate)], clients, clients is not None
        )
        address = f"127.0.0.1:{self.port}"
        self.port = self._server.add_secure_port(address, credentials)
        await self._server.start()

    async def leave(self) -> None:
        await self._server.stop(grace=None)
        await self._channel.close()

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        metadata = dict(handler_call_details.invocation_metadata)
        if not method.endswith(_OPEN) and not self._knows(metadata):
            self.refusals += 1
            return grpc.unary_unary_rpc_method_handler(_refuse)
        return grpc.unary_unary_rpc_method_handler(self._pass_on(method))

    def _knows(self, metadata: dict[str, str]) -> bool:
        token = metadata.get("authorization", "").removeprefix("Bearer ")
        (key,) = jwt.PyJWKSet.from_dict(self.signer.keys()).keys
        try:
            jwt.decode(token, key, [ALGORITHM], audience=AUDIENCE)
        except jwt.PyJWTError:
            return False
        return True

    def _pass_on(self, method: str) -> Callable[[bytes, Any], Any]:
        async def answer(request: bytes, context: Any) -> bytes:
            call = self._channel.unary_unary(method)
            seconds = context.time_remaining()
            try:
                answered: bytes = await call(request, timeout=seconds)
            except grpc.aio.AioRpcError as error:
                trailing = error.trailing_metadata()
                await context.abort(error.code(), error.details(), trailing)
            return answered

        return answer


async def _refuse(_: bytes, context: Any) -> None:
    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "Request unauthorized.")


@asynccontextmanager
async def standing(
    behind: str, signer: Signer, pair: Pair
) -> AsyncIterator[TemporalAuthProxy]:
    auth_proxy = TemporalAuthProxy(behind, signer)
    await auth_proxy.stand(pair)
    try:
        yield auth_proxy
    finally:
        await auth_proxy.leave()
