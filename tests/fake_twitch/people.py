"""The people of this Twitch, and what they are in whose channel."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

Badge = dict[str, str]


@dataclass(slots=True, eq=False)
class FakeUser:
    """An account. Its login and display name may change, its id never."""

    id: str
    login: str
    display_name: str
    created_at: datetime


class People:
    """Accounts by id, and roles by (channel id, user id)."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._users: dict[str, FakeUser] = {}
        self._numbers = itertools.count(1001)
        self.moderators: set[tuple[str, str]] = set()
        self.vips: set[tuple[str, str]] = set()
        self.subscribers: set[tuple[str, str]] = set()
        self.editors: set[tuple[str, str]] = set()

    def user(self, login: str, display_name: str | None = None, id: str | None = None) -> FakeUser:  # noqa: A002
        """A new account, or the one that has this login."""
        if known := self.by_login(login):
            return known
        new = FakeUser(id or str(next(self._numbers)), login.lower(), display_name or login, self._clock())
        self._users[new.id] = new
        return new

    def everyone(self) -> list[FakeUser]:
        """In the order they came."""
        return list(self._users.values())

    def by_id(self, user_id: str | None) -> FakeUser | None:
        return self._users.get(user_id or "")

    def by_login(self, login: str) -> FakeUser | None:
        return next((user for user in self._users.values() if user.login == login.lower()), None)

    def rename(self, user: FakeUser, login: str, display_name: str | None = None) -> None:
        """The same account under another login; the old login is free for somebody else."""
        user.login, user.display_name = login.lower(), display_name or login

    def forget(self, user: FakeUser) -> None:
        """The account is gone."""
        del self._users[user.id]

    def is_moderator(self, channel_id: str, user_id: str) -> bool:
        """As Helix counts it: the broadcaster too."""
        return channel_id == user_id or (channel_id, user_id) in self.moderators

    def badges(self, channel: FakeUser, user: FakeUser) -> list[Badge]:
        """What the person's chat messages wear in that channel."""
        here = (channel.id, user.id)
        worn = [
            (channel is user, "broadcaster", "1", ""),
            (here in self.moderators, "moderator", "1", ""),
            (here in self.vips, "vip", "1", ""),
            (here in self.subscribers, "subscriber", "12", "16"),
        ]
        return [{"set_id": set_id, "id": version, "info": info} for has, set_id, version, info in worn if has]
