"""Which channels of a server everybody in it may read: what is typed elsewhere stays with its author (design.md §8).

Kept are numbers alone: what @everyone may do in a server, and the channels that make an exception to that.
"""

from collections.abc import Mapping
from typing import Any

from bot.discord.permissions import ADMINISTRATOR, VIEW_CHANNEL

MOST_EXCEPTIONS = 1_000
"""Channels of one server that are kept; Discord allows a server no more than half as many."""

Told = Mapping[str, Any]


class Audience:
    """By what the gateway tells of servers, their roles and their channels. What is yet to be told counts as hidden."""

    def __init__(self) -> None:
        self._awaited: set[str] = set()
        """Servers of which Discord has yet to tell, again or at all."""
        self._everyone: dict[str, int] = {}
        """What @everyone may do, by server."""
        self._exceptions: dict[str, dict[str, bool]] = {}
        """Of the channels that say otherwise: whether @everyone may see them there."""
        self._crowded: set[str] = set()
        """Servers with more of these than are kept."""

    def is_hidden(self, guild: str, channel: str) -> bool:
        """Whether a channel is not for everybody in its server; a channel nothing was told of is like its server."""
        allowed = self._everyone.get(guild, VIEW_CHANNEL)
        if guild in self._awaited or guild in self._crowded:
            return True
        if allowed & ADMINISTRATOR:
            return False
        return not self._exceptions.get(guild, {}).get(channel, bool(allowed & VIEW_CHANNEL))

    def take_roles(self, guild: str, data: Told) -> None:
        """A server's; of one that is down none are told."""
        if data.get("unavailable"):
            return
        for role in data.get("roles") or ():
            self.take_role(guild, role)
        self._awaited.discard(guild)

    def take_role(self, guild: str, role: Told) -> None:
        """@everyone is the role that has the server's own id."""
        if str(role["id"]) == guild:
            self._everyone[guild] = 0  # hidden, should what comes now be unreadable
            self._everyone[guild] = int(role["permissions"])

    def take_channel(self, guild: str, data: Told) -> None:
        """A channel and its exceptions."""
        channel, known = str(data["id"]), self._exceptions.setdefault(guild, {})
        known[channel] = False  # likewise
        here = [each for each in data.get("permission_overwrites") or () if str(each["id"]) == guild]
        denied, granted = (any(int(each[which]) & VIEW_CHANNEL for each in here) for which in ("deny", "allow"))
        if granted or not denied:
            del known[channel]
        if granted:
            known[channel] = True
        if len(known) > MOST_EXCEPTIONS:
            known.clear()
            self._crowded.add(guild)

    def forget_channel(self, guild: str, channel: str) -> None:
        """It is gone."""
        self._exceptions.get(guild, {}).pop(channel, None)

    def await_guild(self, guild: str) -> None:
        """It will be told anew: hidden until then."""
        self.forget_guild(guild)
        self._awaited.add(guild)

    def forget_guild(self, guild: str) -> None:
        """It is gone."""
        self._awaited.discard(guild)
        self._everyone.pop(guild, None)
        self._exceptions.pop(guild, None)
        self._crowded.discard(guild)
