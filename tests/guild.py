"""A Discord server's channel to type into, beside a streamer's chat, and a Discord that says who may what there."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace
from typing import cast

from bot.discord.translate import DISCORD
from commands.dispatch import Dispatcher
from commands.model import Guild, Heard, Reply
from commands.services import Services
from moments.errors import ProviderDown
from moments.live import Author, Place
from moments.people import Role
from providers.twitch import TwitchApi
from providers.twitch.shapes import User

OWLS = Guild("9001", "Night Owls", may_manage=False)
FOXES = Guild("9002", "Foxes", may_manage=False)
CLIPS = Place("discord", "7001", "Night Owls › #clips")
MUSIC = Place("discord", "7002", "Night Owls › #music")
DEN = Place("discord", "7003", "Foxes › #den")
BOSS = "50boss"
"""Discord's id of `boss`."""
GUILDS: Mapping[str, Guild] = {CLIPS.platform_id: OWLS, MUSIC.platform_id: OWLS, DEN.platform_id: FOXES}


@dataclass
class KnownGuilds:
    """What Discord says of who may what; a viewer unless told otherwise."""

    roles: dict[tuple[str, str, str], Role] = field(default_factory=dict)
    """By server, channel and user."""
    down: bool = False
    asked: int = 0
    afresh: int = 0
    """How often of these no answer from before would do."""

    async def role(self, guild_id: str, channel_id: str, user_id: str, *, afresh: bool = False) -> Role:
        self.asked += 1
        self.afresh += afresh
        if self.down:
            raise ProviderDown("GET /guilds: 503")
        return self.roles.get((guild_id, channel_id, user_id), Role.VIEWER)


async def typed(
    services: Services,
    now: datetime,
    line: str,
    name: str = "rook",
    *,
    role: Role = Role.VIEWER,
    place: Place = CLIPS,
    manages: bool | None = None,
    message_id: str | None = None,
) -> Reply | None:
    """The reply to a slash command in a server's channel, typed as one line. Whoever is its BROADCASTER manages it."""
    guild = GUILDS[place.platform_id]._replace(may_manage=role is Role.BROADCASTER if manages is None else manages)
    who = Author("discord", f"50{name}", name.title())
    return await Dispatcher(services).hear(Heard(DISCORD, place, who, role, line, now, message_id, guild=guild))


def boss_manages() -> dict[tuple[str, str, str], Role]:
    """What Discord says of `boss`, who may manage every server there is."""
    return {(guild.id, channel, BOSS): Role.BROADCASTER for channel, guild in GUILDS.items()}


def with_twitch(services: Services) -> Services:
    """The same services, where Twitch is set up too; it knows nobody."""

    async def users(**_asked: object) -> list[User]:
        return []

    twitch = SimpleNamespace(helix=SimpleNamespace(users=users), bot_id="1")
    return replace(services, twitch=cast("TwitchApi", twitch))


def with_guilds(services: Services, guilds: KnownGuilds) -> Services:
    """The same services, with a Discord to ask."""
    return replace(services, guilds=guilds)
