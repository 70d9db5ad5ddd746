"""PLAT-1, and every private name of discord.py 2.7 that we lean on: a new version that renames one fails here."""

import inspect
from importlib.metadata import version
from pathlib import Path

import discord
import discord.gateway
import discord.http
import discord.shard
import discord.state
import yarl
from pydantic import SecretStr

from bot.discord.client import INVITE_PERMISSIONS, DiscordClient, Socket, invite_url
from bot.settings import DiscordSettings, Settings
from tests.bot.discord.gateway_rig import open_rig, settings_for
from tests.fake_discord.server import FakeDiscord

VIEW_CHANNEL, SEND_MESSAGES, EMBED_LINKS = 1 << 10, 1 << 11, 1 << 14


# --- PLAT-1


def test_PLAT_1_the_invitation_asks_for_three_permissions_and_two_scopes() -> None:
    assert VIEW_CHANNEL | SEND_MESSAGES | EMBED_LINKS == INVITE_PERMISSIONS == 19456
    url = yarl.URL(invite_url("42"))
    assert (url.host, url.path) == ("discord.com", "/oauth2/authorize")
    assert dict(url.query) == {"client_id": "42", "scope": "bot applications.commands", "permissions": "19456"}


async def test_PLAT_1_identify_asks_for_the_guilds_intent_alone_and_shows_no_status(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        (said,) = rig.discord.gateway.identifies
    properties = {"os": "linux", "browser": "discord.py", "device": "discord.py"}
    assert said == {
        "token": rig.discord.token,
        "properties": properties,
        "compress": True,
        "large_threshold": 250,
        "intents": 1,
        "shard": [0, 1],
    }


async def test_nothing_of_servers_members_or_messages_is_kept(database: Path) -> None:
    async with FakeDiscord() as fake:
        fake.channel(fake.guild("Night Owls"), "clips")
        async with DiscordClient(settings_for(fake), print, print) as client:
            await client.enter()
            assert client.shard_count == 1
            state = client._connection
            assert state._messages is None
            assert state.member_cache_flags == discord.MemberCacheFlags.none()
            assert state.guild_ready_timeout == 0
            assert not state._chunk_guilds
            assert repr(state.allowed_mentions) == repr(discord.AllowedMentions.none())


# --- where Discord is


async def test_everything_goes_where_the_settings_say() -> None:
    async with FakeDiscord() as fake, DiscordClient(settings_for(fake), print, print):
        assert discord.http.Route("GET", "/users/@me").url == f"{fake.api_url}/v10/users/@me"
        assert yarl.URL(fake.gateway_url) == Socket.DEFAULT_GATEWAY
        assert discord.shard.DiscordWebSocket is Socket


async def test_without_settings_of_its_own_everything_goes_to_discord() -> None:
    defaults = [Settings.model_fields[f"discord_{which}_url"].default for which in ("api", "gateway")]
    settings = DiscordSettings(SecretStr("none"), *defaults)
    async with DiscordClient(settings, print, print):
        assert discord.http.Route.BASE == "https://discord.com/api/v10"
        assert yarl.URL("wss://gateway.discord.gg") == Socket.DEFAULT_GATEWAY


def test_nobody_but_us_sets_the_address_of_the_api() -> None:
    package = Path(inspect.getfile(discord)).parent
    callers = [path.name for path in package.rglob("*.py") if "_set_api_version" in path.read_text()]
    assert callers == ["http.py"]


# --- discord.py's own names


def test_discord_py_is_a_version_whose_insides_we_know() -> None:
    assert version("discord.py").startswith("2.7.")


def test_sockets_have_the_names_we_use() -> None:
    source = inspect.getsource(discord.gateway.DiscordWebSocket)
    assert "func(data)" in source, "events are handed to parsers somewhere else now"
    for name in ("self._keep_alive", "self.gateway = ", "self.shard_id", "ws._connection = ", "self.DEFAULT_GATEWAY"):
        assert name in source, name
    assert list(inspect.signature(discord.gateway.DiscordWebSocket.received_message).parameters) == ["self", "msg"]
    assert isinstance(discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY, yarl.URL)


def test_shards_open_sockets_by_the_name_we_replace() -> None:
    for method in (discord.shard.Shard.reidentify, discord.shard.Shard.reconnect):
        assert "DiscordWebSocket.from_client(" in inspect.getsource(method)
    assert "DiscordWebSocket.from_client(" in inspect.getsource(discord.AutoShardedClient.launch_shard)
    launch = inspect.getsource(discord.AutoShardedClient.launch_shards)
    assert "if self.shard_count is None:" in launch, "a known number of shards no longer keeps it from asking where"
    assert "gateway = DiscordWebSocket.DEFAULT_GATEWAY" in launch


def test_events_are_parsed_by_what_we_replace() -> None:
    assert "ws._discord_parsers = client._connection.parsers" in inspect.getsource(
        discord.gateway.DiscordWebSocket.from_client
    )
    for name in ("parse_ready", "parse_resumed"):
        assert callable(getattr(discord.state.AutoShardedConnectionState, name))
    assert "data['guilds']" in inspect.getsource(discord.state.AutoShardedConnectionState.parse_ready)
    assert "_get_client" in inspect.getsource(discord.AutoShardedClient.__init__)


def test_a_call_takes_what_we_hand_on() -> None:
    source = inspect.getsource(discord.http.HTTPClient.request)
    assert "self.__session.request(method, url, **kwargs)" in source
    assert "kwargs.pop('json')" in source
    returned = inspect.getsource(discord.http.HTTPClient.get_bot_gateway)
    assert "return data['shards'], data['url'], data['session_start_limit']" in returned
