"""Who speaks: people, their accounts, and the roles a message carries."""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a caller may do in this channel, on this message; a higher role includes the lower."""

    VIEWER = 0
    SUBSCRIBER = 1
    VIP = 2
    MODERATOR = 3
    BROADCASTER = 4


@dataclass(frozen=True, slots=True)
class Person:
    """One human. Accounts point at people; counts are of people."""

    id: int


@dataclass(frozen=True, slots=True)
class Account:
    """A login on one platform, known by (platform, user id); the name is for display only."""

    id: int
    person_id: int
    platform: str
    user_id: str
    display_name: str
