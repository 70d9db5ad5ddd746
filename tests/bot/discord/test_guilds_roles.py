"""What Discord says somebody may do in a channel: its own rules, asked once in ten minutes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.discord.client import DiscordClient
from bot.discord.guilds import DiscordGuilds
from bot.discord.rest import open_rest
from moments.errors import ProviderDown
from moments.people import Role
from tests.bot.discord.gateway_rig import SITE, settings_for
from tests.fake_discord.people import ADMINISTRATOR, MANAGE_GUILD, MANAGE_MESSAGES, VIEW_CHANNEL, Channel, Guild
from tests.fake_discord.server import FakeDiscord


class Scene:
    """A server with a channel, and a watch."""

    def __init__(self, discord: FakeDiscord) -> None:
        self.discord, self.now = discord, datetime.now(UTC)
        self.owner = discord.user("owner")
        self.guild: Guild = discord.guild("Night Owls", owner=self.owner)
        self.channel: Channel = discord.channel(self.guild, "clips")
        self.sable = discord.user("sable")

    async def role(self, guilds: DiscordGuilds) -> Role:
        return await guilds.role(self.guild.id, self.channel.id, self.sable.id)


@pytest.fixture
async def scene() -> AsyncIterator[tuple[Scene, DiscordGuilds]]:
    async with FakeDiscord() as discord:
        scene, settings = Scene(discord), settings_for(discord)
        async with open_rest(settings, SITE) as rest, DiscordClient(settings, print, print) as client:
            await client.enter()
            rest.bind(client)
            yield scene, DiscordGuilds(rest, lambda: scene.now)


@pytest.mark.parametrize(
    ("permissions", "role"),
    [
        (0, Role.VIEWER),
        (MANAGE_MESSAGES, Role.MODERATOR),
        (MANAGE_GUILD, Role.BROADCASTER),
        (ADMINISTRATOR, Role.BROADCASTER),
    ],
)
async def test_AZ_4_permissions_of_their_roles_say_who_they_are(
    scene: tuple[Scene, DiscordGuilds], permissions: int, role: Role
) -> None:
    here, guilds = scene
    here.discord.member(here.guild, here.sable, permissions=permissions)
    assert await here.role(guilds) is role


async def test_the_owner_may_all(scene: tuple[Scene, DiscordGuilds]) -> None:
    here, guilds = scene
    assert await guilds.role(here.guild.id, here.channel.id, here.owner.id) is Role.BROADCASTER


async def test_a_channels_exceptions_count(scene: tuple[Scene, DiscordGuilds]) -> None:
    here, guilds = scene
    other, hidden = (here.discord.channel(here.guild, name) for name in ("other", "hidden"))
    here.discord.member(here.guild, here.sable, permissions=MANAGE_MESSAGES)
    here.discord.deny(here.channel, MANAGE_MESSAGES, here.sable)
    here.discord.deny(hidden, VIEW_CHANNEL, here.sable)
    roles = [await guilds.role(here.guild.id, each.id, here.sable.id) for each in (here.channel, other, hidden)]
    assert roles == [Role.VIEWER, Role.MODERATOR, Role.VIEWER]


async def test_AZ_4_no_member_no_channel_and_another_servers_channel_give_nothing(
    scene: tuple[Scene, DiscordGuilds],
) -> None:
    here, guilds = scene
    assert await here.role(guilds) is Role.VIEWER
    elsewhere = here.discord.channel(here.discord.guild("Larks"), "clips")
    here.discord.member(here.guild, here.sable, permissions=ADMINISTRATOR)
    assert await guilds.role(here.guild.id, elsewhere.id, here.sable.id) is Role.VIEWER
    assert await guilds.role(here.guild.id, "1", here.sable.id) is Role.VIEWER
    await here.discord.kick(here.guild)
    assert await guilds.role(here.guild.id, here.channel.id, here.owner.id) is Role.VIEWER


async def test_an_answer_holds_for_ten_minutes(scene: tuple[Scene, DiscordGuilds]) -> None:
    here, guilds = scene
    here.discord.member(here.guild, here.sable, permissions=MANAGE_MESSAGES)
    assert await here.role(guilds) is Role.MODERATOR
    here.guild.members.pop(here.sable.id)
    here.now += timedelta(minutes=9, seconds=59)
    assert await here.role(guilds) is Role.MODERATOR
    here.now += timedelta(seconds=2)
    assert await here.role(guilds) is Role.VIEWER


async def test_AZ_4_what_must_be_true_now_is_asked_afresh_and_known_from_then_on(
    scene: tuple[Scene, DiscordGuilds],
) -> None:
    here, guilds = scene
    here.discord.member(here.guild, here.sable, permissions=MANAGE_MESSAGES)
    assert await here.role(guilds) is Role.MODERATOR
    here.guild.members.pop(here.sable.id)
    asked = here.guild.id, here.channel.id, here.sable.id
    assert await guilds.role(*asked, afresh=True) is Role.VIEWER
    assert await guilds.role(*asked) is Role.VIEWER


async def test_a_discord_that_is_down_is_said_and_asked_again(scene: tuple[Scene, DiscordGuilds]) -> None:
    here, guilds = scene
    here.discord.member(here.guild, here.sable, permissions=MANAGE_MESSAGES)
    here.discord.faults.add("GET", "/api/v10/guilds/*", status=503)
    with pytest.raises(ProviderDown):
        await here.role(guilds)
    assert await here.role(guilds) is Role.MODERATOR
