"""From no token at all to a year alone: starting, failing, coming back, ending, and what is caught up with."""

import asyncio
import errno
import fcntl
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from bot.lock import PlatformLock
from bot.twitch.events import use_cases
from bot.twitch.supervisor import sentence
from bot.twitch.translate import WentOnline
from commands import connecting
from commands.dispatch import Dispatcher
from commands.model import Heard, Reply
from commands.services import Services, utc_now
from moments.errors import (
    NotAuthorised,
    ProviderBusy,
    ProviderDown,
    ProviderRefused,
    ProviderUnreadable,
    StoreBusy,
)
from moments.live import Place
from moments.sessions import Status
from storage import facts
from storage.connections import Connected
from tests.bot.twitch.rig import BOT_SCOPES, Rig, eventually, open_rig
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.server import FakeTwitch


async def until_status(rig: Rig, channel: FakeUser, status: Status) -> None:
    async def so() -> bool:
        session = await rig.services.store.newest_session("twitch", channel.id)
        return session is not None and session.status is status

    await rig.pulse.until(so)


# --- starting


async def test_without_the_bots_leave_it_waits_and_asks_once(database: Path) -> None:
    async with open_rig(database, bot_authorised=False) as rig, rig.running():
        await rig.board.until("waiting for authorisation")
        await asyncio.sleep(3 * rig.pace().authorised)
        assert (rig.asked, rig.twitch.sockets.opened) == (1, 0)
        await rig.authorise_bot()
        await rig.board.until("ready")
        assert rig.board.said == ["waiting for authorisation", "connecting", "ready"]


async def test_an_operator_who_could_not_be_asked_is_asked_again(database: Path) -> None:
    async with open_rig(database, bot_authorised=False) as rig:
        rig.asking_fails = [StoreBusy("another process holds it")]
        async with rig.running():
            await eventually(lambda: rig.asked == 2)
            await asyncio.sleep(3 * rig.pace().authorised)
            assert (rig.asked, rig.board.now) == (2, "waiting for authorisation")


async def test_a_restart_takes_up_the_same_conduit_and_its_subscriptions(database: Path) -> None:
    async with FakeTwitch() as twitch:
        twitch.sockets.keepalive_seconds = 0.1
        async with open_rig(database, twitch=twitch) as rig, rig.running():
            streamer = await rig.live()
        subscribed = set(twitch.eventsub.subscriptions)
        await twitch.until(lambda: not twitch.sockets.live)
        async with open_rig(database, twitch=twitch) as rig, rig.running():
            await rig.ready()
            await rig.twitch.say(streamer, streamer, "!clip")
            await rig.until_notes(streamer, 1)
            assert list(twitch.conduits.all) == [await facts.get(rig.services.store, facts.CONDUIT)]
        assert set(twitch.eventsub.subscriptions) == subscribed


async def test_trap_7_a_message_delivered_again_after_a_restart_is_still_one_mark(database: Path) -> None:
    async with FakeTwitch() as twitch:
        twitch.sockets.keepalive_seconds = 0.1
        async with open_rig(database, twitch=twitch) as rig, rig.running():
            streamer = await rig.live()
            await twitch.say(streamer, twitch.user("rook"), "!clip before")
            await rig.until_notes(streamer, 1)
            delivery = twitch.deliveries[-1]
        await twitch.until(lambda: not twitch.sockets.live)
        async with open_rig(database, twitch=twitch) as rig, rig.running():
            await rig.ready()
            await twitch.redeliver(delivery)
            await twitch.say(streamer, twitch.user("sable"), "!clip after")
            assert set(await rig.until_notes(streamer, 2)) == {"before", "after"}


async def test_other_conduits_of_the_application_are_left_alone(rig: Rig) -> None:
    others = {(await rig.api.helix.create_conduit(1)).id for _ in range(3)}
    async with rig.running():
        await rig.board.until("ready")
        ours = await facts.get(rig.services.store, facts.CONDUIT)
    assert rig.twitch.conduits.all.keys() == others | {ours}


async def test_too_many_conduits_are_said_in_words(rig: Rig) -> None:
    for _ in range(5):
        await rig.api.helix.create_conduit(1)
    async with rig.running():
        await rig.board.until("down: Twitch keeps five conduits")
        await rig.api.helix.delete_conduit(next(iter(rig.twitch.conduits.all)))
        await rig.board.until("ready")


# --- failing and coming back


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/oauth2/token"),
        ("GET", "/helix/eventsub/conduits"),
        ("POST", "/helix/eventsub/conduits"),
        ("PATCH", "/helix/eventsub/conduits/shards"),
        ("GET", "/ws"),
    ],
)
async def test_trap_15_a_start_that_fails_anywhere_is_made_anew_until_it_works(
    rig: Rig, method: str, path: str
) -> None:
    fault = rig.twitch.faults.add(method, path, status=503, times=None)
    async with rig.running():
        await rig.board.until("down: Twitch")
        await rig.twitch.until(lambda: fault.used > 4)
        assert "ready" not in rig.board.said
        rig.twitch.faults.clear()
        streamer = await rig.live()
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip")
        await rig.until_notes(streamer, 1)
        assert len(rig.twitch.sockets.live) == 2


async def test_between_attempts_it_waits_longer_each_time(rig: Rig) -> None:
    rig.twitch.sockets.refuse = 1_000
    async with rig.running(rig.pace(first_pause=0.05, longest_pause=5)):
        await asyncio.sleep(1)
        assert 2 <= rig.twitch.sockets.refused / 2 <= 8


async def test_the_wrong_client_secret_is_said_in_words(rig: Rig) -> None:
    refusal = {"status": 403, "message": "invalid client secret"}
    rig.twitch.faults.add("POST", "/oauth2/token", status=403, body=refusal, times=None)
    async with rig.running():
        await rig.board.until("down: Twitch refuses MOMENTS_TWITCH_CLIENT_ID or MOMENTS_TWITCH_CLIENT_SECRET")


async def test_LOG_3_a_failing_run_logs_no_secret(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        rig.twitch.faults.add("PATCH", "/helix/eventsub/conduits/shards", status=500, times=3)
        rig.twitch.faults.add("POST", "/oauth2/token", abort=True, times=1)
        async with rig.running():
            streamer = await rig.live()
            rig.twitch.persistent_401(None)
            await rig.twitch.sockets.reconnect("ws://127.0.0.1:1/ws?challenge=canary-77aa")
            rig.twitch.sockets.abort()
            await rig.board.until("down")
            rig.twitch.persistent_401(None, on=False)
            await rig.ready()
            await rig.twitch.revoke(streamer)
            await rig.twitch.until(lambda: len(rig.enabled()) == 3)
    said = "\n".join([*map(str, lines), caplog.text, *rig.board.said])
    assert len(lines) > 10
    assert not [record for record in caplog.records if record.name.startswith("twitchio")]
    assert not [secret for secret in (*rig.twitch.secrets, "canary-77aa") if secret in said]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ProviderDown("GET /helix/x: 500"), "Twitch cannot be reached"),
        (ProviderBusy("GET /helix/x: 429", 3), "Twitch asks us to wait"),
        (ProviderUnreadable("x"), "Twitch answers what Moments does not understand"),
        (ProviderRefused("x", 404), "Twitch answers what Moments does not understand"),
        (NotAuthorised("x"), "Twitch refuses MOMENTS_TWITCH_CLIENT_ID or MOMENTS_TWITCH_CLIENT_SECRET"),
        (StoreBusy("/srv/secret/path is in use"), "the store cannot be used; the log says more"),
        (TimeoutError(), "Twitch's events cannot be reached"),
        (ConnectionResetError("wss://x?token=secret"), "Twitch's events cannot be reached"),
        (KeyError("secret"), "something broke on our side (KeyError)"),
    ],
)
def test_each_failure_is_a_sentence_without_a_secret(error: Exception, words: str) -> None:
    assert sentence(error) == words


# --- only one of us


async def test_a_second_process_waits_and_takes_over_when_the_first_ends(rig: Rig, database: Path) -> None:
    holder = PlatformLock(database, "twitch")
    assert holder.take()
    async with rig.running():
        await rig.board.until("another process runs Twitch")
        assert rig.twitch.sockets.opened == 0
        holder.release()
        await rig.ready(0)


async def test_a_lock_file_that_cannot_be_used_is_said_once_and_tried_until_it_can(rig: Rig, database: Path) -> None:
    path = PlatformLock(database, "twitch").path
    path.mkdir()
    with structlog.testing.capture_logs() as lines:
        async with rig.running() as running:
            await rig.board.until("down: the lock file beside the database cannot be used")
            await asyncio.sleep(3 * rig.pace().lock)
            assert not running.done()
            path.rmdir()
            await rig.ready(0)
    assert len([line for line in lines if line["event"].startswith("the lock file of Twitch")]) == 1


def test_a_disk_that_knows_no_locks_costs_no_descriptor(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = free_descriptor()
    for _ in range(5):
        with pytest.raises(OSError, match="No locks"):
            PlatformLock(database, "twitch").take()
    assert free_descriptor() == before


def free_descriptor() -> int:
    """The one the system would give out next: always the lowest."""
    descriptor = os.dup(1)
    os.close(descriptor)
    return descriptor


def test_a_lock_ends_with_its_process_however_that_ends(database: Path) -> None:
    program = (
        "import pathlib, sys, bot.lock as l\n"
        f"print(l.PlatformLock(pathlib.Path({str(database)!r}), 'twitch').take() and 'taken', flush=True)\n"
        "sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        lock = PlatformLock(database, "twitch")
        assert not lock.take()
    finally:
        holder.kill()
        holder.communicate()
    assert lock.take()
    assert lock.take(), "ours already"
    assert lock.path.stat().st_mode & 0o777 == 0o600
    assert not PlatformLock(database, "twitch").take()
    lock.release()
    again = PlatformLock(database, "twitch")
    assert again.take()
    again.release()


# --- what happens while it runs


async def test_a_store_that_cannot_be_read_for_a_moment_costs_no_socket(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0

    async def busy(services: Services) -> list[Connected]:
        nonlocal refused
        refused += 1
        raise StoreBusy("another process holds it")

    async with rig.running():
        streamer = await rig.live()
        with monkeypatch.context() as patched:
            patched.setattr(connecting, "channels", busy)
            await eventually(lambda: refused > 2)
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip")
        await rig.until_notes(streamer, 1)
        assert rig.twitch.sockets.opened == 2


async def test_a_stream_begins_and_is_called_as_helix_says(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.streamer("nightowl")
        await rig.ready()
        await rig.twitch.online(streamer, "Any% attempts", "Hollow Deep")
        await until_status(rig, streamer, Status.ACTIVE)
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip")
        assert len(await rig.until_notes(streamer, 1)) == 1


async def test_a_stream_that_began_while_nobody_listened_is_caught_up_with(rig: Rig) -> None:
    streamer = await rig.streamer("nightowl")
    await rig.twitch.online(streamer, "Any% attempts", "Hollow Deep")
    async with rig.running():
        await until_status(rig, streamer, Status.ACTIVE)


async def test_whoever_connects_in_the_middle_of_a_stream_has_a_session_at_once(rig: Rig) -> None:
    streamer = rig.twitch.user("nightowl")
    await rig.twitch.online(streamer, "Any%", "")
    async with rig.running(rig.pace(look=60)):
        await rig.board.until("ready")
        await rig.connect(streamer)
        await until_status(rig, streamer, Status.ACTIVE)


async def test_a_stream_that_began_while_sockets_were_mended_is_caught_up_with(rig: Rig) -> None:
    streamer = await rig.streamer("nightowl")
    rig.services.changed.clear()
    async with rig.running(rig.pace(look=60)):
        await rig.ready()
        await rig.twitch.until(lambda: any(request.path == "/helix/streams" for request in rig.twitch.requests))
        rig.twitch.sockets.refuse = 4
        rig.twitch.sockets.abort()
        await rig.twitch.until(lambda: not rig.twitch.sockets.live)
        await rig.twitch.online(streamer, "Any% attempts", "Hollow Deep")
        assert rig.twitch.eventsub.undelivered, "nobody was told"
        await until_status(rig, streamer, Status.ACTIVE)


async def test_what_is_on_the_air_is_asked_again_when_helix_did_not_say(rig: Rig) -> None:
    streamer = await rig.streamer("nightowl")
    await rig.twitch.online(streamer, "Any%", "")
    fault = rig.twitch.faults.add("GET", "/helix/streams", status=400, times=2)
    async with rig.running():
        await until_status(rig, streamer, Status.ACTIVE)
    assert fault.used == 2


async def test_a_rerun_starts_nothing(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.streamer("nightowl")
        await rig.ready()
        await rig.twitch.online(streamer, "old one", "", type="rerun")
        await rig.twitch.say(streamer, streamer, "!session")
        await rig.twitch.until(lambda: rig.twitch.sent)
        assert await rig.services.store.newest_session("twitch", streamer.id) is None


async def test_a_deleted_message_takes_its_mark_along(rig: Rig) -> None:
    viewer, rude = rig.twitch.user("rook"), rig.twitch.user("rude")
    async with rig.running():
        streamer = await rig.live()
        message_id = await rig.twitch.say(streamer, viewer, "!clip taken back")
        await rig.twitch.say(streamer, rude, "!clip rude")
        await rig.twitch.say(streamer, streamer, "!clip stays")
        await rig.until_notes(streamer, 3)
        await rig.twitch.delete_message(streamer, message_id)
        await rig.twitch.clear_user(streamer, rude)

        async def gone() -> bool:
            return await rig.notes(streamer) == ["stays"]

        await rig.pulse.until(gone)


async def test_AZ_2_trap_21_22_powers_come_from_this_messages_badges_and_never_from_a_shared_chat(rig: Rig) -> None:
    viewer, elsewhere = rig.twitch.user("rook"), rig.twitch.user("elsewhere")
    async with rig.running():
        streamer = await rig.live()
        rig.twitch.make_moderator(elsewhere, viewer)
        worn = rig.twitch.people.badges(elsewhere, viewer)
        assert worn
        await rig.twitch.say(streamer, viewer, "!end")
        await rig.twitch.say(streamer, viewer, "!end", source_channel=elsewhere, source_badges=worn)
        await rig.twitch.say(streamer, viewer, "!end", source_channel=elsewhere, source_badges=worn, badges=worn)
        await rig.twitch.say(streamer, rig.twitch.user("sable"), "!clip still running")
        assert await rig.until_notes(streamer, 1) == ["still running"]
        lead = [{"set_id": "lead_moderator", "id": "1", "info": ""}]
        await rig.twitch.say(streamer, viewer, "!pause", badges=lead)
        await until_status(rig, streamer, Status.PAUSED)


async def test_CHAT_5_trap_22_what_the_bot_itself_says_is_no_command(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        await rig.twitch.say(streamer, rig.bot, "!clip mine")
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip theirs")
        assert await rig.until_notes(streamer, 1) == ["theirs"]


async def test_AZ_7_the_transcripts_signs_are_words_here(rig: Rig) -> None:
    async with rig.running():
        streamer = await rig.live()
        viewer = rig.twitch.user("rook")
        await rig.twitch.say(streamer, viewer, "<@rook> !end")
        await rig.twitch.say(streamer, viewer, "!clip <@x> !end")
        assert await rig.until_notes(streamer, 1) == ["<@x> !end"]
        session = await rig.services.store.newest_session("twitch", streamer.id)
        assert session is not None
        assert session.status is Status.ACTIVE


async def test_trap_18_19_commands_in_any_case_with_any_quotes_and_the_bypass_character(rig: Rig) -> None:
    typed = ["!CLIP \U000e0000", '!Clip "unbalanced', "!cLiP “smart” 'one'", "!clip नमस्ते 👨‍👩‍👧 \U000e0000"]
    async with rig.running():
        streamer = await rig.live()
        for number, text in enumerate(typed):
            await rig.twitch.say(streamer, rig.twitch.user(f"viewer_{number}"), text)
        notes = await rig.until_notes(streamer, 4)
    # Two sockets deliver them, so that two said at once may overtake each other.
    assert {note or "" for note in notes} == {"", '"unbalanced', "“smart” 'one'", "नमस्ते 👨‍👩‍👧"}


# --- the end


async def test_trap_17_a_command_under_way_at_the_end_is_kept_and_answered(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, hear = asyncio.Event(), asyncio.Event(), Dispatcher.hear

    async def slow(dispatcher: Dispatcher, heard: Heard) -> Reply | None:
        if "slow" in heard.text:
            begun.set()
            await go_on.wait()
        return await hear(dispatcher, heard)

    monkeypatch.setattr(Dispatcher, "hear", slow)
    async with rig.running(rig.pace(drain=5)) as task:
        streamer = await rig.live()
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip slow")
        await begun.wait()
        task.cancel()
        await rig.twitch.until(lambda: not rig.twitch.sockets.live)
        go_on.set()
        await asyncio.gather(task, return_exceptions=True)
        assert await rig.notes(streamer) == ["slow"]
        assert any("#1" in sent.text for sent in rig.twitch.sent)


async def test_the_end_leaves_no_task_and_no_socket(rig: Rig) -> None:
    before = asyncio.all_tasks()
    async with rig.running():
        await rig.live()
        await rig.twitch.sockets.reconnect()
        rig.twitch.sockets.abort()
    await rig.twitch.until(lambda: not rig.twitch.sockets.live)
    ours = ("bot/twitch", "twitchio")
    await eventually(
        lambda: (
            not [
                task
                for task in asyncio.all_tasks() - before
                if any(part in str(task.get_coro()) for part in ours) or task.get_name().startswith("outbox")
            ]
        )
    )


async def test_it_can_be_ended_while_it_waits_and_while_twitch_is_down(database: Path) -> None:
    async with open_rig(database, bot_authorised=False) as rig:
        async with rig.running():
            await rig.board.until("waiting")
        rig.twitch.sockets.refuse = 1_000
        rig.twitch.mint(rig.bot, BOT_SCOPES)
        await rig.authorise_bot()
        async with rig.running():
            await rig.board.until("down")
        lock = PlatformLock(database, "twitch")
        assert lock.take(), "given up at the end"
        lock.release()


async def test_what_a_stream_is_called_is_asked_again_when_helix_did_not_say(rig: Rig) -> None:
    streamer = await rig.streamer("owl")
    rig.services.changed.clear()  # set, it has everything on the air asked about until Helix answers
    rig.twitch.faults.add("GET", "/helix/channels", status=503, times=None)
    began = WentOnline(Place("twitch", streamer.id, "Owl"), "m1", "77", "live")
    await use_cases(rig.services).happened(began, utc_now())
    assert rig.services.changed.is_set()
