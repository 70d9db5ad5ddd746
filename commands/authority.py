"""What somebody who is logged in on the site may do in a channel (AZ-3).

Authority belongs to an account on its own platform: linking accounts moves counts, never powers.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from commands.services import Services
from moments.errors import ProviderError
from moments.people import Role
from moments.sessions import Channel
from storage import joined, named_moderators
from storage.joined import DISCORD

ACTS_FOR = timedelta(minutes=10)
"""How long the platform's word that somebody moderates a channel lets them act there …"""
READS_FOR = timedelta(hours=1)
"""… and how long it lets them read what only moderators may."""

_log = structlog.get_logger("authority")


@dataclass(frozen=True, slots=True)
class Viewer:
    """An account that is logged in on the site."""

    platform: str
    user_id: str
    display_name: str
    moderates: frozenset[str] = frozenset()
    """Ids of the channels of its own platform that it moderated …"""
    moderates_at: datetime | None = None
    """… when the platform was asked; None when it never was."""


async def role_of(services: Services, viewer: Viewer | None, channel: Channel, *, act: bool) -> Role:
    """The viewer's role in the channel now: to do something there, or only to read."""
    if viewer is None:
        return Role.VIEWER
    if is_own(viewer.platform, viewer.user_id, channel):
        return Role.BROADCASTER
    in_guild = await role_in_guild(services, viewer.platform, viewer.user_id, channel)
    if in_guild >= Role.MODERATOR:
        return in_guild
    if await named_moderators.is_named(services.store, channel.id, viewer.platform, viewer.user_id):
        return Role.MODERATOR
    if moderates(viewer, channel, services.clock(), act=act):
        return Role.MODERATOR
    return Role.VIEWER


def is_own(platform: str, user_id: str, channel: Channel) -> bool:
    """Whether an account is the channel itself, as its streamer's is on Twitch; on Discord nobody is a channel."""
    return channel.platform != DISCORD and (platform, user_id) == (channel.platform, channel.platform_id)


async def role_in_guild(services: Services, platform: str, user_id: str, channel: Channel) -> Role:
    """What Discord says, within ten minutes, that its own account may do in a channel of a server.

    A viewer's, where that cannot be known: the bot has left the server, or Discord cannot be asked just now.
    """
    if services.guilds is None or not platform == channel.platform == DISCORD:
        return Role.VIEWER
    guild_id = await joined.guild_of(services.store, channel.platform_id)
    if guild_id is None:
        return Role.VIEWER
    try:
        return await services.guilds.role(guild_id, channel.platform_id, user_id)
    except ProviderError as error:
        _log.warning("Discord could not be asked who moderates a channel", error=str(error))
        return Role.VIEWER


def moderates(viewer: Viewer, channel: Channel, now: datetime, *, act: bool) -> bool:
    """Whether the platform itself said so, lately enough."""
    if viewer.moderates_at is None or viewer.platform != channel.platform:
        return False
    fresh = timedelta(0) <= now - viewer.moderates_at <= (ACTS_FOR if act else READS_FOR)
    return fresh and channel.platform_id in viewer.moderates
