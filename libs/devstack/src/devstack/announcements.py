"""The texts that `dev` prints once the system is ready."""

from devstack.issuer.people import ROLES, tokens
from devstack.issuer.signer import Signer
from devstack.services import Addresses, settings
from devstack.stack import EXTRAS, Options, Stack


def links(at: Addresses) -> dict[str, str]:
    return {
        "postgres": at.database,
        "temporal": f"{at.temporal}, UI {at.temporal_ui}",
        "payments": at.payments,
        "carrier": at.carrier,
        "mail": at.mail,
        "traces": at.traces,
        "prometheus": f"{at.prometheus}/alerts",
        "issuer": at.issuer,
        "codec": at.codec,
        "worker": f"{at.worker}/metrics",
        "api": at.api,
        "console": at.console,
        "deliverer": f"{at.deliverer}/metrics",
    }


def overview(at: Addresses, options: Options) -> str:
    seen = {
        "traces": at.traces,
        "prometheus": f"{at.prometheus}/alerts",
        "issuer": at.issuer,
        "codec": at.codec,
    }
    return "\n".join(
        (
            "Everything is ready:",
            f"  console      {at.console}",
            f"  API          {at.api}",
            f"  OpenAPI docs {at.api}/docs",
            f"  Temporal UI  {at.temporal_ui}",
            f"  mails        {at.mail}",
            f"  simulators   {at.payments} (payments)  {at.carrier} (carrier)",
            "  metrics      "
            + "  ".join(
                f"{url}/metrics" for url in (at.api_metrics, at.worker, at.deliverer)
            ),
            f"  logs         {options.data / 'logs'}",
            *(f"  {name:<12} {seen[name]}" for name in EXTRAS if name in options.parts),
        )
    )


def access_tokens(signer: Signer) -> str:
    """Access tokens, each on a line of its own, to be copied."""
    told = (
        f"\n{name}: {ROLES[name]}\n{token}" for name, token in tokens(signer).items()
    )
    return (
        "Access tokens, good for twelve hours. One of them as ORDERS_TOKEN is for"
        " `uv run orders`; the docs page takes it under Authorize, or signs you in.\n"
        + "\n".join(told)
    )


def by_hand(stack: Stack) -> str:
    at = stack.at
    given = settings(at) | stack.environment
    exports = [f"export {name}='{value}'" for name, value in given.items()]
    return "\n".join(
        (
            "Ready. For the parts you run by hand, in another shell:",
            *exports,
            f"METRICS_PORT={at.ports.worker} uv run worker",
            f"METRICS_PORT={at.ports.api_metrics} uv run api",
        )
    )
