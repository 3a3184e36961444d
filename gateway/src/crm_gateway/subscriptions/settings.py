"""What keeping and following events needs from the environment, the api's process as well as the worker's."""

from datetime import timedelta
from functools import lru_cache

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SubscriptionSettings(BaseSettings):
    """How long events are kept, and how they are followed."""

    model_config = SettingsConfigDict(env_prefix="EVENTS_", extra="ignore", frozen=True, env_ignore_empty=True)

    # Seven days is when an erased person's data must be gone everywhere.
    kept_days: float = Field(5.0, gt=0, le=7, description="How long events are kept for readers without the bus.")
    heartbeat_s: float = Field(15.0, gt=0, le=60, description="A stream says at least this often that it is there.")
    look_every_s: float = Field(2.0, gt=0, description="How often is looked for events that nobody told us of.")

    @property
    def kept_for(self) -> timedelta:
        """How long events are kept."""
        return timedelta(days=self.kept_days)


@lru_cache(maxsize=1)
def subscription_settings() -> SubscriptionSettings:
    """The settings of this process."""
    return SubscriptionSettings()  # pyright: ignore[reportCallIssue] # the environment fills it
