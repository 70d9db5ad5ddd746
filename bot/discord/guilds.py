"""What somebody may do in a server, asked of Discord for the site, where no message carries it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.discord.permissions import ADMINISTRATOR, MANAGE_GUILD, MANAGE_MESSAGES, VIEW_CHANNEL
from bot.discord.rest import Rest
from commands.services import Clock
from moments.errors import ProviderRefused, ProviderUnreadable
from moments.people import Role

REMEMBERED_FOR = timedelta(minutes=10)
MOST_REMEMBERED = 10_000

Said = Mapping[str, Any]


class DiscordGuilds:
    """commands.services.Guilds over REST. An answer holds for ten minutes; what could not be asked is not kept."""

    def __init__(self, rest: Rest, clock: Clock) -> None:
        self._rest, self._clock = rest, clock
        self._known: dict[tuple[str, str, str], tuple[Role, datetime]] = {}

    async def role(self, guild_id: str, channel_id: str, user_id: str, *, afresh: bool = False) -> Role:
        """As commands.services.Guilds has it."""
        asked, now = (guild_id, channel_id, user_id), self._clock()
        role, until = self._known.get(asked, (Role.VIEWER, now))
        if now < until and not afresh:
            return role
        role = await self._ask(*asked)
        self._known.pop(asked, None)
        self._known[asked] = role, now + REMEMBERED_FOR
        if len(self._known) > MOST_REMEMBERED:
            del self._known[next(iter(self._known))]
        return role

    async def _ask(self, guild_id: str, channel_id: str, user_id: str) -> Role:
        try:
            guild = await self._rest.get("/guilds/{guild_id}", guild_id=guild_id)
            member = await self._rest.get("/guilds/{guild_id}/members/{user_id}", guild_id=guild_id, user_id=user_id)
            channel = await self._rest.get("/channels/{channel_id}", channel_id=channel_id)
        except ProviderRefused as error:
            if error.status in {403, 404}:  # no such member, no such channel, or the bot is no member itself
                return Role.VIEWER
            raise
        return _read(lambda: _role(guild, member, channel, user_id, self._clock()))


def _role(guild: Said, member: Said, channel: Said, user_id: str, now: datetime) -> Role:
    """The role from Discord's own rules: the owner may all, an administrator too; then the channel's exceptions."""
    if str(channel["guild_id"]) != str(guild["id"]):
        return Role.VIEWER
    roles = {str(role["id"]): int(role["permissions"]) for role in guild["roles"]}
    everyone, held = str(guild["id"]), {str(role) for role in member["roles"]}
    allowed = roles.get(everyone, 0)
    for role in held:
        allowed |= roles.get(role, 0)
    if str(guild["owner_id"]) == user_id or allowed & ADMINISTRATOR:
        return Role.BROADCASTER
    if (until := member.get("communication_disabled_until")) and datetime.fromisoformat(until) > now:
        return Role.VIEWER  # timed out
    if allowed & MANAGE_GUILD:  # of the server: no channel makes exceptions to it
        return Role.BROADCASTER
    exceptions = {str(each["id"]): each for each in channel.get("permission_overwrites") or ()}
    for some in ([everyone], held, [user_id]):
        denied, granted = _of(some, exceptions, "deny"), _of(some, exceptions, "allow")
        allowed = (allowed & ~denied) | granted
    return Role.MODERATOR if allowed & VIEW_CHANNEL and allowed & MANAGE_MESSAGES else Role.VIEWER


def _of(ids: Iterable[str], exceptions: Mapping[str, Said], which: str) -> int:
    bits = 0
    for each in ids:
        bits |= int(exceptions[each][which]) if each in exceptions else 0
    return bits


def _read(read: Callable[[], Role]) -> Role:
    try:
        return read()
    except (LookupError, TypeError, ValueError, AttributeError):
        problem = "GET /guilds/{guild_id}: members, roles or channels in no shape we know"
    raise ProviderUnreadable(problem)
