"""The fake's gateway: sessions, resumes, compression, and every way a connection ends."""

import aiohttp
import pytest

from tests.discord.town import Town
from tests.fake_discord.application import Application
from tests.fake_discord.gateway import ACK, HEARTBEAT, INVALID, PRIVILEGED, RECONNECT
from tests.fake_discord.server import FakeDiscord


@pytest.mark.parametrize("compress", ["", "zlib-stream", "zstd-stream"])
async def test_a_shard_gets_ready_its_guilds_and_what_happens(town: Town, compress: str) -> None:
    ear = await town.app.shard(compress)
    assert ear.session["guilds"] == [{"id": town.guild.id, "unavailable": True}]
    whole = (await ear.hears("GUILD_CREATE"))["d"]
    assert [each["name"] for each in whole["channels"]] == ["clips"]
    town.discord.channel(town.guild, "more ☕")
    assert (await ear.hears("CHANNEL_CREATE"))["d"]["name"] == "more ☕"
    await ear.beat()
    assert (await ear.hears_op(ACK))["op"] == ACK
    assert town.discord.gateway.beats == 1


async def test_what_was_missed_is_replayed_after_a_resume_in_order(town: Town) -> None:
    await town.ear.hears("GUILD_CREATE")
    await town.discord.gateway.abort()
    asked = [await town.discord.slash(town.sable, town.channel, "clip") for _ in range(3)]
    ear = await town.app.connect("zstd-stream")
    await ear.resume(town.ear)
    heard = [(await ear.hears("INTERACTION_CREATE"))["d"]["id"] for _ in range(3)]
    assert heard == [each.id for each in asked]
    await ear.hears("RESUMED")
    await town.discord.slash(town.sable, town.channel, "clip")
    assert (await ear.hears("INTERACTION_CREATE"))["s"] == ear.seq
    assert [each["seq"] for each in town.discord.gateway.resumes] == [town.ear.seq]


async def test_a_replayed_interaction_is_the_same_again(town: Town) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    await town.discord.gateway.replay(asked)
    assert [(await town.ear.hears("INTERACTION_CREATE"))["d"]["id"] for _ in range(2)] == [asked.id] * 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"token": "wrong"}, 4004), ({"intents": PRIVILEGED}, 4014), ({"intents": None}, 4013), ({"shard": [2, 2]}, 4010)],
)
async def test_a_bad_identify_ends_the_connection(town: Town, fields: dict[str, object], code: int) -> None:
    ear = await town.app.connect()
    await ear.identify(**fields)
    assert await ear.closed() == code


async def test_nonsense_ends_the_connection(town: Town) -> None:
    ear = await town.app.connect()
    await ear.ws.send_str("{")
    assert await ear.closed() == 4002
    ear = await town.app.connect()
    await ear.say(99)
    assert await ear.closed() == 4001
    ear = await town.app.connect()
    await ear.say(3, {})
    assert await ear.closed() == 4003
    await town.ear.identify()
    assert await town.ear.closed() == 4005


async def test_too_many_words_end_the_connection(town: Town) -> None:
    for _ in range(120):
        await town.ear.say(HEARTBEAT)
    assert await town.ear.closed() == 4008


async def test_a_client_without_a_heartbeat_is_closed(town: Town) -> None:
    town.discord.gateway.heartbeat_seconds = 0.05
    ear = await town.app.shard()
    assert await ear.closed() == 4009


@pytest.mark.parametrize("code", [1000, 4000, 4009])
async def test_a_session_outlives_the_servers_close(town: Town, code: int) -> None:
    await town.discord.gateway.close(code)
    assert await town.ear.closed() == code
    await town.discord.until(lambda: town.discord.gateway.closed)
    ear = await town.app.connect()
    await ear.resume(town.ear)
    await ear.hears("RESUMED")


async def test_a_client_that_says_goodbye_gives_its_session_up(town: Town) -> None:
    await town.ear.ws.close(code=1000)
    await town.discord.until(lambda: town.discord.gateway.closed)
    ear = await town.app.connect()
    await ear.resume(town.ear)
    assert (await ear.hears_op(INVALID))["d"] is False
    await town.discord.gateway.invalid_session(resumable=True)
    assert (await ear.hears_op(INVALID))["d"] is True


async def test_op_7_asks_for_a_new_connection(town: Town) -> None:
    await town.discord.gateway.reconnect()
    assert (await town.ear.hears_op(RECONNECT))["op"] == RECONNECT


async def test_an_invalid_session_cannot_be_resumed_and_a_bad_seq_neither(town: Town) -> None:
    ear = await town.app.connect()
    await ear.resume(town.ear, seq=99)
    assert await ear.closed() == 4007
    await town.discord.gateway.invalid_session(resumable=False)
    assert (await town.ear.hears_op(INVALID))["d"] is False
    ear = await town.app.connect()
    await ear.resume(town.ear)
    assert (await ear.hears_op(INVALID))["d"] is False


async def test_a_silent_connection_neither_answers_nor_tells(town: Town) -> None:
    await town.ear.hears("GUILD_CREATE")
    await town.discord.gateway.silence()
    await town.ear.beat()
    town.discord.channel(town.guild, "unheard")
    with pytest.raises(TimeoutError):
        await town.ear.ws.receive(timeout=0.05)
    assert town.discord.gateway.beats == 0


async def test_raw_frames_and_events_arrive_as_given(town: Town) -> None:
    await town.discord.gateway.send_raw({"t": "SOMETHING_NEW", "d": [1]})
    assert (await town.ear.hears("SOMETHING_NEW"))["d"] == [1]
    await town.discord.gateway.send_raw(b"no json")
    assert (await town.ear.ws.receive_str()) == "no json"


async def test_the_bot_hears_of_its_guilds_and_channels_coming_and_going(town: Town) -> None:
    discord, hear = town.discord, town.ear.hears
    await discord.outage(town.guild)
    assert (await hear("GUILD_DELETE"))["d"] == {"id": town.guild.id, "unavailable": True}
    await discord.recover(town.guild)
    await hear("GUILD_CREATE")
    discord.rename(town.guild, "Day Owls")
    assert (await hear("GUILD_UPDATE"))["d"]["name"] == "Day Owls"
    thread = discord.thread(town.channel, "tonight")
    await discord.delete_channel(thread)
    assert (await hear("THREAD_DELETE"))["d"]["parent_id"] == town.channel.id
    await discord.delete_channel(town.channel)
    assert (await hear("CHANNEL_DELETE"))["d"]["id"] == town.channel.id
    await discord.kick(town.guild)
    assert (await hear("GUILD_DELETE"))["d"] == {"id": town.guild.id}
    await discord.invite(town.guild)
    assert (await hear("GUILD_CREATE"))["d"]["name"] == "Day Owls"


async def test_events_go_to_the_shard_of_their_guild_and_to_whoever_wants_them() -> None:
    async with FakeDiscord() as discord, Application.at(discord) as app:
        shards = [await app.shard(shard=[number, 2]) for number in range(2)]
        guild = discord.guild("Night Owls")
        mine = (int(guild.id) >> 22) % 2
        await shards[mine].hears("GUILD_CREATE")
        with pytest.raises(TimeoutError):
            await shards[1 - mine].ws.receive(timeout=0.05)
        deaf = await app.shard(intents=0, shard=[0, 1])
        discord.channel(guild, "unheard")
        with pytest.raises(TimeoutError):
            await deaf.ws.receive(timeout=0.05)


async def test_connections_and_sessions_are_limited(town: Town) -> None:
    gateway = town.discord.gateway
    assert (await town.app.call("GET", "/gateway/bot")).body["session_start_limit"]["remaining"] == 999
    gateway.identify_seconds = 60
    ear = await town.app.connect()
    await ear.identify()
    assert (await ear.hears_op(INVALID))["d"] is False
    gateway.identify_seconds, gateway.session_starts = 0, 0
    await ear.identify()
    assert (await ear.hears_op(INVALID))["d"] is False
    gateway.refuse = True
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        await town.app.connect()
    assert gateway.refused == 1


async def test_nobody_to_deliver_to_is_said_at_once() -> None:
    async with FakeDiscord() as discord, Application.at(discord) as app:
        channel, sable = discord.channel(discord.guild("Night Owls"), "clips"), discord.user("sable")
        with pytest.raises(AssertionError, match="no commands were synced"):
            await discord.slash(sable, channel, "clip")
        await app.sync({"name": "clip", "description": "Mark it.", "contexts": [0], "integration_types": [0]})
        with pytest.raises(AssertionError, match="no session to deliver it to"):
            await discord.slash(sable, channel, "clip")
