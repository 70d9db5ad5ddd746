"""The faults of research/discord.md §2 and §3 at the gateway: each is lived through, none is answered twice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yarl

from bot.discord.client import DiscordClient, is_discords
from bot.discord.supervisor import REFUSED, sentence
from bot.discord.translate import left_out
from tests.bot.discord.gateway_rig import Rig, eventually, open_rig, settings_for
from tests.fake_discord.server import FakeDiscord


async def all_is_well(rig: Rig) -> None:
    """A command is answered, once."""
    user, channel = rig.place("Somewhere else")
    await rig.asks(user, channel)
    ids = [each["id"] for each in rig.echo.taken if "id" in each]
    assert len(ids) == len(set(ids))


# --- coming up


async def test_it_logs_in_identifies_once_and_answers(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        await all_is_well(rig)
        assert rig.board.said == ["connecting", "ready"]
        assert len(rig.discord.gateway.identifies) == 1


async def test_a_gateway_that_is_down_at_boot_is_said_and_waited_for(database: Path) -> None:
    async with open_rig(database) as rig:
        rig.discord.gateway.refuse = True
        async with rig.running():
            await rig.board.until("down: Discord cannot be reached")
            await rig.discord.until(lambda: rig.discord.gateway.refused > 2)
            rig.discord.gateway.refuse = False
            await rig.ready()
            await all_is_well(rig)


@pytest.mark.parametrize("path", ["/api/v10/users/@me", "/api/v10/oauth2/applications/@me", "/api/v10/gateway/bot"])
async def test_a_login_that_fails_anywhere_is_made_anew_until_it_works(database: Path, path: str) -> None:
    async with open_rig(database) as rig:
        rig.discord.faults.add("GET", path, status=503, times=2)
        rig.discord.faults.add("GET", path, abort=True, times=1)
        async with rig.running():
            await rig.ready()
            await all_is_well(rig)
            assert "down: Discord cannot be reached" in rig.board.said


async def test_many_shards_may_take_as_long_as_discord_keeps_them_apart(database: Path) -> None:
    async with open_rig(database) as rig:
        rig.discord.gateway.shards = 5
        async with rig.running(rig.pace(start=0.5, between_starts=0.2)):
            await rig.ready()
            assert len(rig.discord.gateway.identifies) == 5
            assert rig.board.said == ["connecting", "ready"]


async def test_a_token_discord_does_not_know_is_said_and_tried_again_slowly(database: Path) -> None:
    async with open_rig(database) as rig:
        fault = rig.discord.faults.add("GET", "/api/v10/users/@me", status=401, times=2)
        async with rig.running(rig.pace(first_pause=0.01, longest_pause=1.0)):
            await rig.board.until(f"down: {REFUSED}")
            began = asyncio.get_running_loop().time()
            await rig.discord.until(lambda: fault.used == 2)
            assert asyncio.get_running_loop().time() - began > 0.45, "asked again at once"
            await rig.ready()


@pytest.mark.parametrize("code", [4004, 4014])
async def test_a_gateway_that_refuses_the_token_is_tried_again(database: Path, code: int) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        await rig.discord.gateway.close(code)
        await rig.board.until(f"down: {REFUSED}")
        await rig.board.until("ready")
        await all_is_well(rig)


async def test_where_discord_would_soon_allow_no_more_sessions_none_is_begun(database: Path) -> None:
    async with open_rig(database) as rig:
        rig.discord.gateway.session_starts = 15
        async with rig.running():
            await rig.board.until("down: Discord allows no more logins for 1,440 minutes")
            assert not rig.discord.gateway.identifies
            rig.discord.gateway.session_starts = 500
            await rig.ready()


# --- going on


async def test_asked_to_reconnect_it_resumes(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        await rig.discord.gateway.reconnect()
        await rig.discord.until(lambda: rig.discord.gateway.resumes)
        await all_is_well(rig)
        assert len(rig.discord.gateway.identifies) == 1


@pytest.mark.parametrize("resumable", [True, False])
async def test_an_invalid_session_is_resumed_or_begun_anew(database: Path, resumable: bool) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        await rig.discord.gateway.invalid_session(resumable=resumable)
        gateway = rig.discord.gateway
        await rig.discord.until(lambda: gateway.resumes if resumable else len(gateway.identifies) == 2)
        await rig.discord.gateway.ready()
        await all_is_well(rig)


@pytest.mark.parametrize("code", [1000, 4000, 4009])
async def test_a_closed_socket_is_opened_again(database: Path, code: int) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        opened = rig.discord.gateway.opened
        await rig.discord.gateway.close(code)
        await rig.discord.until(lambda: rig.discord.gateway.opened > opened and rig.discord.gateway.live)
        await all_is_well(rig)


async def test_what_happened_while_the_wire_was_cut_is_handled_exactly_once(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        user, channel = rig.place()
        await rig.discord.gateway.abort()
        asked = [await rig.discord.slash(user, channel, "ping") for _ in range(5)]
        for each in asked:
            await rig.discord.answered(each)
        assert sorted(each["id"] for each in rig.echo.taken) == sorted(each.id for each in asked)
        assert [len(each.callbacks) for each in asked] == [1] * 5
        assert len(rig.discord.gateway.identifies) == 1


async def test_a_gateway_that_falls_silent_is_left_for_another_connection(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        await rig.falls_silent()
        opened = rig.discord.gateway.opened
        await rig.discord.until(lambda: rig.discord.gateway.opened > opened and rig.discord.gateway.live)
        await all_is_well(rig)


async def test_silence_that_discord_py_does_not_notice_has_everything_built_anew(database: Path) -> None:
    async with open_rig(database) as rig, rig.running(rig.pace(resume=60)):
        await rig.ready()
        await rig.falls_silent()
        await rig.board.until("down: Discord has fallen silent")
        await rig.board.until("ready")
        await all_is_well(rig)


async def test_a_gateway_that_goes_away_later_is_said_and_waited_for(database: Path) -> None:
    async with open_rig(database) as rig, rig.running(rig.pace(silence=30)):
        await rig.ready()
        rig.discord.gateway.refuse = True
        await rig.discord.gateway.abort()
        await rig.board.until("down: Discord cannot be reached")
        rig.discord.gateway.refuse = False
        await rig.board.until("ready")
        await all_is_well(rig)


async def test_discord_py_that_is_stuck_in_a_reconnect_is_left_behind(database: Path) -> None:
    async with open_rig(database) as rig, rig.running(rig.pace(silence=0.6)):
        await rig.ready()
        rig.discord.gateway.refuse = True
        await rig.discord.gateway.abort()
        await rig.board.until("down: Discord has fallen silent")  # it would swallow being cancelled there
        rig.discord.gateway.refuse = False
        await rig.board.until("ready")
        await all_is_well(rig)


async def test_a_short_outage_costs_no_session(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        user, channel = rig.place()
        rig.discord.gateway.refuse = True
        await rig.discord.gateway.abort()
        await rig.discord.until(lambda: rig.discord.gateway.refused)
        asked = await rig.discord.slash(user, channel, "ping")
        rig.discord.gateway.refuse = False
        await rig.discord.answered(asked)
        assert len(rig.discord.gateway.identifies) == 1


async def test_an_attempt_leaves_no_socket_behind(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        await rig.discord.gateway.close(4004)
        await rig.board.until("down")
        await rig.board.until("ready")
        await rig.discord.until(lambda: len(rig.discord.gateway.live) == 1)
    await rig.discord.until(lambda: not rig.discord.gateway.live)


# --- events nobody can read (PLAT-5)


BROKEN: list[Any] = [
    {"t": "INTERACTION_CREATE", "d": None},
    {"t": "INTERACTION_CREATE", "d": [1, 2]},
    {"t": "READY", "d": {}},
    {"t": "READY", "d": {"resume_gateway_url": 7, "session_id": [], "guilds": 1}},
    {"t": "RESUMED", "d": None},
    {"t": "GUILD_CREATE", "d": {"id": {}}},
    {"t": "GUILD_DELETE", "d": None},
    {"t": "GUILD_UPDATE", "d": "x" * 100_000},
    {"t": ["a", "list"], "d": {}},
    {"t": {"an": "object"}, "d": {}},
    b"[1, 2, 3]",
    b"null",
    b"no JSON at all",
    b'{"op": 0, "t": "INTERACTION_CREATE"',
    b'"' + b"[" * 10_000,
]
"""Each is left out and counted."""


async def test_PLAT_5_an_event_nobody_can_read_is_left_out_and_the_next_is_answered(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        opened = rig.discord.gateway.opened
        for broken in BROKEN:
            await rig.discord.gateway.send_raw(broken)
            await all_is_well(rig)
        assert rig.discord.gateway.opened == opened, "it was connected anew"
        assert len(rig.discord.gateway.identifies) == 1


async def test_PLAT_5_an_interaction_our_own_code_stumbles_over_ends_nothing(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        await rig.discord.gateway.send_raw({"t": "INTERACTION_CREATE", "d": {"no": "id"}})
        await all_is_well(rig)
        assert len(rig.discord.gateway.identifies) == 1


async def test_events_we_make_nothing_of_are_not_even_parsed(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        for event in ("MESSAGE_CREATE", "CHANNEL_UPDATE", "GUILD_MEMBER_ADD", "A_NEW_ONE"):
            await rig.discord.gateway.send_raw({"t": event, "d": None})
        await all_is_well(rig)


# --- where a resume goes


DISCORD, PROXY = "wss://gateway.discord.gg", "ws://127.0.0.1:7000/gateway"


@pytest.mark.parametrize(
    ("url", "configured", "taken"),
    [
        ("wss://gateway-us-east1-b.discord.gg", DISCORD, True),
        ("wss://gateway.discord.gg/", DISCORD, True),
        ("ws://gateway-us-east1-b.discord.gg", DISCORD, False),
        ("wss://gateway-us-east1-b.discord.gg:8443", DISCORD, False),
        ("wss://me@gateway.discord.gg", DISCORD, False),
        ("wss://discord.gg.evil.example", DISCORD, False),
        ("wss://evildiscord.gg", DISCORD, False),
        ("wss://gateway-us-east1-b.discord.gg", PROXY, False),
        ("ws://127.0.0.1:7000/elsewhere", PROXY, True),
        ("ws://127.0.0.1:7001/gateway", PROXY, False),
    ],
)
def test_PLAT_3_a_resume_address_is_taken_only_where_discord_was_configured_to_be(
    url: str, configured: str, taken: bool
) -> None:
    assert is_discords(yarl.URL(url), yarl.URL(configured)) is taken


async def test_PLAT_3_a_resume_address_elsewhere_is_not_gone_to(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        (session,) = rig.discord.gateway.live
        ready = next(each for each in session.sent if b'"READY"' in each)
        evil = ready.replace(b"ws://127.0.0.1", b"ws://127.0.0.2")
        assert evil != ready
        session.sent.append(evil)
        assert session.connection
        session.connection.put(evil)
        await rig.discord.gateway.reconnect()
        await rig.discord.until(lambda: rig.discord.gateway.resumes)


# --- servers


async def test_a_server_that_lets_the_bot_go_is_told_of_and_one_that_is_down_is_not() -> None:
    gone: list[str] = []
    async with FakeDiscord() as discord:
        guild, other = discord.guild("Night Owls"), discord.guild("Larks")
        async with DiscordClient(settings_for(discord), print, gone.append) as client:
            await client.enter()
            staying = asyncio.create_task(client.stay())
            await client.wait_until_ready()
            assert client.servers == {guild.id, other.id}
            await discord.gateway.send_raw({"t": "GUILD_DELETE", "d": {"id": other.id, "unavailable": True}})
            await discord.kick(guild)
            await eventually(lambda: gone)
            assert gone == [guild.id]
            assert client.servers == {other.id}
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)


async def test_a_server_that_let_the_bot_go_while_the_session_was_lost_is_told_of() -> None:
    gone: list[str] = []
    async with FakeDiscord() as discord:
        discord.gateway.shards = 2
        guilds = [discord.guild(name) for name in ("Night Owls", "Larks", "Wrens")]
        async with DiscordClient(settings_for(discord), print, gone.append, between_starts=0.05) as client:
            await client.enter()
            staying = asyncio.create_task(client.stay())
            await client.wait_until_ready()
            assert client.servers == {guild.id for guild in guilds}
            await discord.gateway.send_raw({"t": "GUILD_CREATE", "d": {"id": "none", "name": "left out"}})
            await discord.kick(guilds[2])
            await eventually(lambda: gone)  # all before it was read
            gone.clear()
            discord.gateway.refuse = True
            await discord.gateway.abort()
            await discord.gateway.invalid_session(resumable=False)
            discord.gateway.sessions.clear()
            await discord.kick(guilds[1])
            discord.gateway.refuse = False
            await eventually(lambda: gone)
            await discord.until(lambda: len(discord.gateway.identifies) == 4 and len(discord.gateway.live) == 2)
            assert gone == [guilds[1].id]
            assert client.servers == {guilds[0].id}
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)


async def test_a_server_that_is_down_keeps_its_name(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        user, channel = rig.place("Night Owls")
        await rig.ready()
        assert channel.guild
        unavailable = {"id": channel.guild.id, "unavailable": True}
        await rig.discord.gateway.send_raw({"t": "GUILD_CREATE", "d": unavailable})
        await rig.asks(user, channel)
        assert rig.echo.taken[0]["guild"]["name"] == "Night Owls"


async def test_an_interaction_is_handed_on_as_it_came_with_its_servers_name(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        user, channel = rig.place("Night Owls")
        await rig.ready()
        asked = await rig.asks(user, channel)
        (taken,) = rig.echo.taken
        assert taken["guild"]["name"] == "Night Owls"
        assert {**taken, "guild": None} == {**asked.payload, "guild": None}


async def test_a_thread_comes_with_its_channels_name_as_that_is_now_whatever_else_is_renamed(database: Path) -> None:
    async with open_rig(database) as rig, rig.running():
        user, guild = rig.discord.user("sable"), rig.discord.guild("Night Owls")
        channel = rig.discord.channel(guild, "clips")
        thread = rig.discord.thread(channel, "tonight")
        await rig.ready()
        other = rig.discord.channel(guild, "music")
        for where, name in ((thread, "clips"), (rig.discord.thread(other, "encore"), "music"), (thread, "best-of")):
            if name == "best-of":
                rig.discord.rename(channel, name)
                rig.discord.rename(guild, "Larks")
            asked = await rig.asks(user, where)
            taken = rig.echo.taken[-1]["channel"]
            assert taken == {**asked.payload["channel"], "parent_name": name}
        await rig.discord.delete_channel(other)
        await rig.asks(user, rig.discord.thread(other, "encore"))
        assert "parent_name" not in rig.echo.taken[-1]["channel"]


async def test_no_more_channels_names_are_kept_than_fit_and_none_of_a_server_that_let_the_bot_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.discord.client.MOST_CHANNELS", 2)
    taken: list[Any] = []
    unread = left_out["event"]
    async with FakeDiscord() as discord:
        gone: list[str] = []
        async with DiscordClient(settings_for(discord), taken.append, gone.append) as client:
            await client.enter()
            staying = asyncio.create_task(client.stay())
            await client.wait_until_ready()

            async def names() -> list[str]:
                """What threads in four channels of two servers are said to be in."""
                for channel in "1234":
                    inside = {"id": "9", "type": 11, "parent_id": channel}
                    told = {"guild": {"id": "7" if channel < "4" else "8"}, "channel": inside}
                    await discord.gateway.send_raw({"t": "INTERACTION_CREATE", "d": told})
                await eventually(lambda: len(taken) == 4)
                found = [each["channel"].get("parent_name", "") for each in taken]
                taken.clear()
                return found

            there = [{"id": str(number), "type": 0, "name": f"c{number}"} for number in (1, 2, 3)]
            category = {"id": "5", "type": 4, "name": "a category"}
            await discord.gateway.send_raw({"t": "GUILD_CREATE", "d": {"id": "7", "channels": [*there, category]}})
            assert await names() == ["", "c2", "c3", ""]
            await discord.gateway.send_raw(
                {"t": "GUILD_CREATE", "d": {"id": "8", "channels": [{**there[0], "id": "4"}]}}
            )
            assert await names() == ["", "", "c3", "c1"]
            await discord.gateway.send_raw({"t": "GUILD_DELETE", "d": {"id": "7"}})
            assert await names() == ["", "", "", "c1"]
            assert (gone, left_out["event"]) == (["7"], unread)
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)


# --- what is said


async def test_nothing_of_what_discord_py_says_is_shown() -> None:
    class Secretive(Exception):
        pass

    assert sentence(Secretive("the token is abc")) == "something broke on our side (Secretive)"
