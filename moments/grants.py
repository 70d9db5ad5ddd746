"""What somebody granted us on a platform: the tokens, and how far they reach."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """One account's tokens. They are in no repr, so that no log or exception ever shows them (LOG-1)."""

    platform: str
    user_id: str
    login: str
    """Display data, as of when it was granted or last validated."""
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    scopes: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    """When the access token ends, as far as we were told."""
    generation: int = field(default=0, compare=False)
    """Which time of granting it is from, as the store tells: what is learnt of one is not meant for the next."""
