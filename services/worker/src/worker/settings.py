"""The worker's settings."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from shared.platform.settings import (
    DatabaseSettings,
    ObservabilitySettings,
    TemporalSettings,
)


class WorkerSettings(DatabaseSettings, TemporalSettings, ObservabilitySettings):
    stripe_api_key: SecretStr
    stripe_api_base: str | None = None
    """Unset is Stripe itself; the development stack points it at the simulator."""
    carrier: Literal["manual", "simulator"] = "manual"
    carrier_api_base: str | None = None
    approval_limit: int = Field(100_000, ge=0)
    """Orders above this total, in minor units, wait for approval."""
    approval_limit_new_customer: int = Field(50_000, ge=0)
    approval_burst_orders: int = Field(10, ge=1)
    """More orders of one customer within an hour wait for approval."""
    graceful_shutdown_seconds: float = Field(20, ge=0)
    """What runs at SIGTERM may finish for so long. The pod's grace period is longer."""
    max_concurrent_steps: int = Field(100, ge=1)
    temporal_deployment_name: str | None = None
    temporal_worker_build_id: str | None = None

    @model_validator(mode="after")
    def _carrier_is_reachable(self) -> Self:
        if self.carrier == "simulator" and self.carrier_api_base is None:
            raise ValueError("CARRIER=simulator needs CARRIER_API_BASE")
        return self

    @property
    def graceful_shutdown(self) -> timedelta:
        return timedelta(seconds=self.graceful_shutdown_seconds)
