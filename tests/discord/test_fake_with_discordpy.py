"""The real discord.py against the fake, over real sockets: both must agree on the protocol."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
import discord.shard
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from tests.fake_discord.messages import EPHEMERAL
from tests.fake_discord.people import MANAGE_MESSAGES
from tests.fake_discord.server import Channel, FakeDiscord, FakeUser


class Client(discord.AutoShardedClient):
    """A bot with one slash command, one button, one menu with a form."""

    def __init__(self) -> None:
        intents = discord.Intents.none()
        intents.guilds = True
        quiet = discord.AllowedMentions.none()
        super().__init__(intents=intents, max_messages=None, guild_ready_timeout=0, allowed_mentions=quiet)
        self.tree = app_commands.CommandTree(self)
        self.settled = asyncio.Event()
        self.ran = 0
        self.tree.add_command(app_commands.Command(name="clip", description="Mark it.", callback=self.clip))
        self.tree.add_command(app_commands.ContextMenu(name="Save moment", callback=self.menu))

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Without the library's pause of five seconds."""

    async def on_socket_event_type(self, event: str) -> None:
        """The guild comes before or after "ready", since that waits for no guild."""
        if event == "GUILD_CREATE":
            self.settled.set()

    async def clip(self, asked: discord.Interaction, note: str = "") -> None:
        self.ran += 1
        await asked.response.defer()
        view = discord.ui.View(timeout=None)
        button: discord.ui.Button[discord.ui.View] = discord.ui.Button(label="Save", custom_id="press:save:1")
        button.callback = self.save  # type: ignore[assignment, method-assign]  # as the library's own examples do
        view.add_item(button)
        embed = discord.Embed(title=note or "nothing", url="https://moments.example/m/1")
        await asked.edit_original_response(content="Marked", embed=embed, view=view)

    async def save(self, asked: discord.Interaction) -> None:
        await asked.response.defer()
        await asked.edit_original_response(content="Marked, 1 saved")
        assert isinstance(asked.user, discord.Member)
        words = "as a moderator" if asked.permissions.manage_messages else "as a viewer"
        await asked.followup.send(f"Saved {words}", ephemeral=True)

    async def menu(self, asked: discord.Interaction, message: discord.Message) -> None:
        form = Form(message.content)
        await asked.response.send_modal(form)


class Form(discord.ui.Modal, title="Save moment"):
    """One field, filled in beforehand."""

    def __init__(self, text: str) -> None:
        super().__init__(custom_id="form:save")
        self.field: discord.ui.TextInput[Form] = discord.ui.TextInput(custom_id="url", default=text)
        self.add_item(discord.ui.Label(text="Link", component=self.field))

    async def on_submit(self, asked: discord.Interaction) -> None:
        await asked.response.send_message(f"Saved {self.field.value}", ephemeral=True)


class House:
    """A fake with people, and the bot that is connected to it."""

    def __init__(self, fake: FakeDiscord, client: Client, channel: Channel, sable: FakeUser) -> None:
        self.fake, self.client, self.channel, self.sable = fake, client, channel, sable


@asynccontextmanager
async def connected(fake: FakeDiscord, client: Client) -> AsyncIterator[None]:
    await client.login(fake.token)
    await client.tree.sync()
    running = asyncio.create_task(client.connect())
    try:
        await fake.gateway.ready()
        await client.wait_until_ready()
        await client.settled.wait()
        yield
    finally:
        await client.close()
        await running


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    async with FakeDiscord() as fake:
        monkeypatch.setattr(Route, "BASE", f"{fake.api_url}/v10")
        monkeypatch.setattr(discord.shard, "DiscordWebSocket", DiscordWebSocket)  # ours, where our client ran before
        monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(fake.gateway_url))
        channel = fake.channel(fake.guild("Night Owls"), "clips")
        fake.thread(channel, "tonight")
        client = Client()
        async with connected(fake, client):
            yield House(fake, client, channel, fake.user("sable", global_name="Sable"))


async def test_it_sees_its_guild_and_compresses_with_zstd(house: House) -> None:
    (guild,) = house.client.guilds
    assert (guild.name, [each.name for each in guild.channels], [each.name for each in guild.threads]) == (
        "Night Owls",
        ["clips"],
        ["tonight"],
    )
    (session,) = house.fake.gateway.live
    assert session.connection
    assert session.connection.compress == "zstd-stream"
    assert house.fake.gateway.identifies[0]["intents"] == 1
    assert [each["name"] for each in house.fake.commands] == ["clip", "Save moment"]


async def test_it_compresses_with_zlib_where_there_is_no_zstandard() -> None:
    async with FakeDiscord() as fake:
        fake.channel(fake.guild("Night Owls"), "clips ☕")
        program = (
            "import sys; sys.modules['zstandard'] = None\n"
            "import asyncio, discord, yarl\n"
            f"discord.http.Route.BASE = {fake.api_url + '/v10'!r}\n"
            f"discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL({fake.gateway_url!r})\n"
            "client = discord.AutoShardedClient(intents=discord.Intents(guilds=True), guild_ready_timeout=0)\n"
            "@client.event\n"
            "async def on_socket_event_type(event):\n"
            "    if event == 'GUILD_CREATE':\n"
            "        print(client.guilds[0].channels[0].name)\n"
            "        await client.close()\n"
            f"client.run({fake.token!r}, log_handler=None)\n"
        )
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout == "clips ☕\n", done.stderr
        assert fake.gateway.compressions == ["zlib-stream"]


async def test_a_command_its_button_and_a_menus_form_work(house: House) -> None:
    fake = house.fake
    assert house.channel.guild
    fake.member(house.channel.guild, house.sable, permissions=MANAGE_MESSAGES)
    asked = await fake.answered(await fake.slash(house.sable, house.channel, "clip", note="what a dodge"))
    assert asked.text == "Marked\nwhat a dodge"
    (shown,) = fake.messages(house.channel)
    pressed = await fake.answered(await fake.press(house.sable, shown, "Save"), follow_ups=1)
    assert (shown.content, pressed.text, pressed.ephemeral) == ("Marked, 1 saved", "Saved as a moderator", True)
    said = fake.say(house.sable, house.channel, "https://a.b/")
    menu = await fake.answered(await fake.menu(house.sable, said, "Save moment"))
    sent = await fake.answered(await fake.submit(house.sable, menu))
    assert (sent.text, sent.original and sent.original.flags) == ("Saved https://a.b/", EPHEMERAL)


@pytest.mark.parametrize("how", ["abort", "close", "reconnect", "invalid"])
async def test_it_resumes_and_runs_what_it_missed_once(house: House, how: str) -> None:
    gateway = house.fake.gateway
    if how == "abort":
        await gateway.abort()
        asked = await house.fake.slash(house.sable, house.channel, "clip")
    else:
        acts = {"close": gateway.close, "reconnect": gateway.reconnect}
        await (acts[how]() if how in acts else gateway.invalid_session(resumable=True))
        await house.fake.until(lambda: gateway.resumes)
        asked = await house.fake.slash(house.sable, house.channel, "clip")
    await house.fake.answered(asked)
    assert (house.client.ran, len(gateway.resumes), len(gateway.identifies)) == (1, 1, 1)


async def test_it_identifies_anew_when_its_session_is_gone(house: House) -> None:
    await house.fake.gateway.invalid_session(resumable=False)
    await house.fake.until(lambda: len(house.fake.gateway.identifies) == 2 and house.fake.gateway.live)
    await house.fake.answered(await house.fake.slash(house.sable, house.channel, "clip"))


async def test_it_waits_out_a_429_that_carries_via(house: House) -> None:
    house.fake.faults.add("PATCH", "/api/v10/webhooks/*/@original", status=429)
    asked = await house.fake.answered(await house.fake.slash(house.sable, house.channel, "clip"))
    assert asked.text.startswith("Marked")


async def test_a_kick_and_a_deleted_channel_reach_it(house: House) -> None:
    (guild,) = house.client.guilds
    await house.fake.delete_channel(house.channel)
    assert house.channel.guild
    await house.fake.kick(house.channel.guild)
    seen = await house.client.wait_for("guild_remove", timeout=10)
    assert (seen.id, list(guild.channels)) == (guild.id, [])


async def test_a_wrong_token_is_a_login_failure(house: House) -> None:
    client = discord.Client(intents=discord.Intents.none())
    with pytest.raises(discord.LoginFailure):
        await client.login("wrong")
    await client.close()
