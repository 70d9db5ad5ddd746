"""What somebody who is logged in on the site may do in a channel (AZ-3).

Authority belongs to an account on its own platform: linking accounts moves counts, never powers.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from commands.services import Services
from moments.people import Role
from moments.sessions import Channel
from storage import named_moderators

ACTS_FOR = timedelta(minutes=10)
"""How long the platform's word that somebody moderates a channel lets them act there …"""
READS_FOR = timedelta(hours=1)
"""… and how long it lets them read what only moderators may."""


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
    if (viewer.platform, viewer.user_id) == (channel.platform, channel.platform_id):
        return Role.BROADCASTER
    if await named_moderators.is_named(services.store, channel.id, viewer.platform, viewer.user_id):
        return Role.MODERATOR
    if moderates(viewer, channel, services.clock(), act=act):
        return Role.MODERATOR
    return Role.VIEWER


def moderates(viewer: Viewer, channel: Channel, now: datetime, *, act: bool) -> bool:
    """Whether the platform itself said so, lately enough."""
    if viewer.moderates_at is None or viewer.platform != channel.platform:
        return False
    fresh = timedelta(0) <= now - viewer.moderates_at <= (ACTS_FOR if act else READS_FOR)
    return fresh and channel.platform_id in viewer.moderates
