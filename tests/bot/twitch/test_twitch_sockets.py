"""The sockets under every disturbance of research/twitch.md §4: marks flow again, none lost or doubled."""

import pytest

from bot.twitch.connection import DEAF, READY
from bot.twitch.shards import trusted
from tests.bot.twitch.rig import Rig, eventually
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.server import FakeTwitch
from tests.fake_twitch.sockets import Session

SHARDS = 2


async def marks_flow(rig: Rig, streamer: FakeUser) -> None:
    """A viewer's mark is kept, once; asked again and again while nobody listens."""
    viewer = rig.twitch.user("late_viewer")
    before = await rig.notes(streamer)

    async def kept() -> bool:
        return len(await rig.notes(streamer)) > len(before)

    await rig.twitch.until(lambda: all_serve(rig))
    await rig.twitch.say(streamer, viewer, "!clip again")
    await rig.pulse.until(kept)
    assert await rig.notes(streamer) == [*before, "again"]


def all_serve(rig: Rig) -> bool:
    """Whether every shard has a socket of its own, and no socket is without a shard."""
    (conduit,) = rig.twitch.conduits.all.values()
    serving = {shard.session_id for shard in conduit.shards.values() if shard.status == "enabled"}
    alive = {session.id for session in rig.twitch.sockets.live.values() if not session.silent}
    return len(serving) == SHARDS and serving == alive


def patches(rig: Rig) -> int:
    """How often Twitch was told which socket serves which shard."""
    return sum(request.method == "PATCH" for request in rig.twitch.requests)


def all_closed(sessions: list[Session]) -> bool:
    return all(session.ws.closed for session in sessions)


async def test_a_viewers_clip_is_kept_and_answered_in_thread(rig: Rig) -> None:
    viewer = rig.twitch.user("rook")
    async with rig.running():
        streamer = await rig.live()
        message_id = await rig.twitch.say(streamer, viewer, "!clip what a dodge")
        assert await rig.until_notes(streamer, 1) == ["what a dodge"]
        answered = await rig.twitch.until(lambda: [sent for sent in rig.twitch.sent if "#1" in sent.text])
    assert answered[0].reply_parent_message_id == message_id


async def test_trap_1_a_reconnect_address_nobody_answers_leaves_nobody_deaf(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        old = list(rig.twitch.sockets.live.values())
        await rig.twitch.sockets.reconnect("ws://127.0.0.1:1/ws")
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip meanwhile")
        assert await rig.until_notes(streamer, 1) == ["meanwhile"]
        await rig.twitch.until(lambda: rig.twitch.sockets.opened == 2 * SHARDS)
        await eventually(lambda: all_closed(old))
        await marks_flow(rig, streamer)
        assert len(rig.enabled()) == 6


async def test_trap_3_a_reconnect_without_a_welcome_is_given_up_for_a_new_socket(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        rig.twitch.sockets.welcome_delay = 60
        await rig.twitch.sockets.reconnect()
        await eventually(lambda: rig.twitch.sockets.opened == 2 * SHARDS)
        rig.twitch.sockets.welcome_delay = 0
        await eventually(lambda: rig.twitch.sockets.opened > 2 * SHARDS)
        await marks_flow(rig, streamer)


async def test_trap_4_what_arrives_on_the_old_socket_during_a_handover_is_kept(rig: Rig) -> None:
    viewer = rig.twitch.user("rook")
    async with rig.running():
        streamer = await rig.live()
        rig.twitch.sockets.welcome_delay = 0.4
        old = list(rig.twitch.sockets.live.values())
        await rig.twitch.sockets.reconnect()
        await eventually(lambda: rig.twitch.sockets.opened == 2 * SHARDS)
        await rig.twitch.say(streamer, viewer, "!clip one")
        await rig.twitch.say(streamer, viewer, "!clip two")
        assert rig.twitch.sockets.live.keys() == {session.id for session in old}, "said to the old sockets"
        assert set(await rig.until_notes(streamer, 2)) == {"one", "two"}
        assert rig.twitch.sockets.live.keys() == {session.id for session in old}, "and heard before the new ones"
        await rig.twitch.until(lambda: all_serve(rig) and not rig.twitch.sockets.live.keys() & {s.id for s in old})
        await marks_flow(rig, streamer)


async def test_trap_5_a_handover_leaves_as_many_sockets_as_there_are_shards(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        associations = patches(rig)
        for handovers in (2, 3, 4):
            old = list(rig.twitch.sockets.live.values())
            await rig.twitch.sockets.reconnect()
            await eventually(lambda old=old: all_closed(old))  # type: ignore[misc]
            assert rig.twitch.sockets.opened == handovers * SHARDS
            assert all_serve(rig)
            await marks_flow(rig, streamer)
        assert patches(rig) == associations, "Twitch itself moved the shards along"


async def test_trap_6_more_channels_than_one_websocket_could_hold_are_all_heard(rig: Rig) -> None:
    streamers = [await rig.streamer(f"streamer_{number}") for number in range(55)]
    viewer = rig.twitch.user("rook")
    async with rig.running():
        await rig.ready(len(streamers))
        for streamer in (streamers[0], streamers[-1]):
            await rig.twitch.say(streamer, streamer, "!start")
            await rig.twitch.until(lambda at=streamer: any(sent.channel_id == at.id for sent in rig.twitch.sent))  # type: ignore[misc]
            await rig.twitch.say(streamer, viewer, f"!clip for {streamer.login}")
            assert await rig.until_notes(streamer, 1) == [f"for {streamer.login}"]


@pytest.mark.parametrize("code", [4000, 4001, 4003, 1001])
async def test_sockets_closed_by_twitch_are_replaced_whatever_it_says(rig: Rig, code: int) -> None:
    async with rig.running():
        streamer = await rig.live()
        await rig.twitch.sockets.close(code)
        await marks_flow(rig, streamer)
        assert rig.board.said.count("ready") == 1, "the client was mended, not rebuilt"


async def test_cut_wires_are_replaced(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        rig.twitch.sockets.abort()
        await marks_flow(rig, streamer)


async def test_while_no_chat_is_heard_people_are_told_so_long_before_everything_is_built_anew(rig: Rig) -> None:
    async with rig.running(rig.pace(look=60)):
        streamer = await rig.live()
        rig.twitch.faults.add("PATCH", "/helix/eventsub/conduits/shards", status=503, times=None)
        rig.twitch.sockets.abort()
        await rig.board.until(DEAF)
        rig.twitch.faults.clear()
        await rig.board.until(READY)
        await marks_flow(rig, streamer)


@pytest.mark.parametrize("pongs", [True, False])
async def test_silent_servers_are_left_for_new_sockets(rig: Rig, *, pongs: bool) -> None:
    async with rig.running():
        streamer = await rig.live()
        silent = list(rig.twitch.sockets.live.values())
        rig.twitch.sockets.silence(pongs=pongs)
        await rig.twitch.until(lambda: all_serve(rig))
        await eventually(lambda: all(session.ws.closed for session in silent) or not pongs)
        await marks_flow(rig, streamer)


async def test_a_refused_shard_association_is_tried_again_at_once_and_leaves_no_socket(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        fault = rig.twitch.faults.add("PATCH", "/helix/eventsub/conduits/shards", status=500, times=4)
        rig.twitch.sockets.abort()
        await rig.twitch.until(lambda: fault.used == 4 and all_serve(rig))
        await marks_flow(rig, streamer)
        assert rig.twitch.sockets.opened == SHARDS + 4 + SHARDS


async def test_sockets_that_close_while_twitch_is_told_of_them_are_replaced_too(rig: Rig) -> None:
    async with rig.running(rig.pace(look=60)):
        streamer = await rig.live()
        taken: dict[str, list[str]] = {"data": [], "errors": []}
        slow = rig.twitch.faults.add(
            "PATCH", "/helix/eventsub/conduits/shards", status=202, body=taken, delay=0.2, times=SHARDS
        )
        rig.twitch.sockets.abort()
        await eventually(lambda: slow.used == SHARDS)
        rig.twitch.sockets.abort()
        await marks_flow(rig, streamer)
        assert rig.board.said.count("ready") == 1, "nobody had to look for it"


async def test_a_shard_twitch_refuses_in_a_200_is_tried_again(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        wrong = {"data": [], "errors": [{"id": "0", "message": "no", "code": "internal"}]}
        rig.twitch.faults.add("PATCH", "/helix/eventsub/conduits/shards", status=202, body=wrong, times=2)
        rig.twitch.sockets.abort()
        await marks_flow(rig, streamer)
        assert rig.board.said.count("ready") == 1


async def test_trap_9_a_persistent_401_asks_a_bounded_number_of_times(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        rig.twitch.persistent_401(None)
        before = len(rig.twitch.requests)
        rig.twitch.sockets.abort()
        await rig.board.until("down")
        assert len(rig.twitch.requests) - before < 100
        rig.twitch.persistent_401(None, on=False)
        await marks_flow(rig, streamer)


JUNK: list[str | bytes] = [
    "",
    "{",
    "[]",
    "null",
    "7",
    "{}",
    b"\x00\xff binary",
    '{"metadata": null}',
    '{"metadata": {}}',
    '{"metadata": {"message_type": 5}}',
    '{"metadata": {"message_type": "new_kind"}}',
    '{"metadata": {"message_type": "session_welcome"}, "payload": {"session": {"id": 5}}}',
    '{"metadata": {"message_type": "session_reconnect"}, "payload": {"session": null}}',
    '{"metadata": {"message_type": "notification"}}',
    '{"metadata": {"message_type": "notification", "subscription_type": "channel.chat.message"}, "payload": []}',
    '{"metadata": {"message_type": "revocation"}, "payload": {"subscription": {"condition": 1}}}',
    '{"metadata": {"message_type": "notification"}, "payload": {"x": "' + "a" * 1_000_000 + '"}}',
    '{"metadata": {"message_type": "session_keepalive", "x": "\\ud800"}}',
    "[" * 100_000,
]


async def test_PLAT_5_junk_frames_are_left_out_and_the_same_sockets_read_on(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        for frame in JUNK:
            await rig.twitch.junk(frame)
        await marks_flow(rig, streamer)
        assert rig.twitch.sockets.opened == SHARDS


async def test_PLAT_3_a_reconnect_address_elsewhere_is_not_followed(rig: Rig) -> None:
    async with FakeTwitch() as evil, rig.running():
        streamer = await rig.live()
        old = list(rig.twitch.sockets.live.values())
        await rig.twitch.sockets.reconnect(evil.eventsub_url.replace("127.0.0.1", "localhost"))
        await eventually(lambda: all_closed(old))
        await marks_flow(rig, streamer)
        assert evil.sockets.opened == 0
        assert rig.twitch.sockets.opened == 2 * SHARDS


OURS = "wss://eventsub.wss.twitch.tv/ws"


@pytest.mark.parametrize(
    ("url", "configured", "expected"),
    [
        (f"{OURS}?challenge=x", OURS, True),
        ("wss://cell-a.eventsub.wss.twitch.tv/ws?id=1", OURS, True),
        ("wss://EVENTSUB.wss.Twitch.TV./ws", OURS, True),
        ("ws://eventsub.wss.twitch.tv/ws", OURS, False),
        ("http://eventsub.wss.twitch.tv/ws", OURS, False),
        ("wss://evil", OURS, False),
        ("wss://twitch.tv.evil.example/ws", OURS, False),
        ("wss://eviltwitch.tv/ws", OURS, False),
        ("wss://eventsub.wss.twitch.tv@evil.example/ws", OURS, False),
        ("wss://me:pass@eventsub.wss.twitch.tv/ws", OURS, False),
        ("wss:///ws", OURS, False),
        ("", OURS, False),
        ("wss://[::1", OURS, False),
        ("wss://eventsub.wss.twitch.tv\\.evil.example/ws", OURS, False),
        ("ws://127.0.0.1:81/ws", "ws://127.0.0.1:80/ws", True),
        ("ws://127.0.0.2:80/ws", "ws://127.0.0.1:80/ws", False),
        ("ws://10.0.0.1/ws", "ws://127.0.0.1:80/ws", False),
        ("wss://127.0.0.1/ws", "ws://127.0.0.1:80/ws", True),
        ("ws://localhost:81/ws", "ws://localhost:80/ws", True),
    ],
)
def test_PLAT_3_where_a_reconnect_may_lead(url: str, configured: str, *, expected: bool) -> None:
    assert trusted(url, configured) is expected


async def test_a_helix_outage_changes_nothing_about_sockets_that_deliver(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        looks = rig.twitch.faults.add("GET", "/helix/eventsub/conduits/shards", body="<html>down", times=None)
        rig.twitch.faults.add("*", "/helix/*", status=503, times=None)
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip during the outage")
        assert await rig.until_notes(streamer, 1) == ["during the outage"]
        await eventually(lambda: looks.used >= 4)
        assert rig.twitch.sockets.opened == SHARDS
        assert rig.board.said[-1] == "ready"
        rig.twitch.faults.clear()
        await marks_flow(rig, streamer)


async def test_sockets_that_break_during_a_helix_outage_are_mended_after_it(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        rig.twitch.faults.add("*", "/helix/*", status=503, times=None)
        rig.twitch.sockets.abort()
        await rig.board.until("down: Twitch ")
        rig.twitch.faults.clear()
        await marks_flow(rig, streamer)


async def test_a_shard_only_twitch_believes_dead_is_built_anew(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        (conduit,) = rig.twitch.conduits.all.values()
        conduit.shards["1"].status = "websocket_internal_error"
        await rig.board.until("down: Twitch does not see all of our connection")
        await marks_flow(rig, streamer)


async def test_a_conduit_twitch_has_let_go_is_made_anew(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        (conduit_id,) = rig.twitch.conduits.all
        await rig.api.helix.delete_conduit(conduit_id)
        await rig.board.until("down")
        await rig.ready()
        assert conduit_id not in rig.twitch.conduits.all
        await marks_flow(rig, streamer)
