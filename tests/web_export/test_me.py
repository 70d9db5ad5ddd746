"""Somebody's own page, and the ways to end each thing on it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commands import connecting, mirror
from commands.dispatch import Dispatcher
from commands.model import Heard, Platform
from moments.live import Author, Place
from moments.people import Role
from storage import Transaction
from storage.connections import State
from tests.twitch_site import Somebody, Town, open_town, rows

ROOM = Place("twitch", "77", "Owl & <Friends>")


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


@pytest.fixture
async def ann(town: Town) -> Somebody:
    ann = town.somebody()
    await ann.log_in(town.twitch.user("ann", "Ann"))
    return ann


async def says(town: Town, text: str, login: str = "ann", *, role: Role = Role.VIEWER) -> None:
    """A line in the room's chat on Twitch; a minute passes."""
    user = town.twitch.user(login)
    who = Author("twitch", user.id, login)
    await Dispatcher(town.services).hear(Heard(Platform("twitch"), ROOM, who, role, text, town.watch.now))
    town.passes(minutes=1)


async def logins(town: Town) -> int:
    return len(rows(town.path, "web_session"))


async def test_own_marks_are_listed_newest_first_with_links(town: Town, ann: Somebody) -> None:
    assert "No marks yet." in (await ann.get("/me")).text
    await says(town, "!start <b>Evening</b>", "owl", role=Role.MODERATOR)
    await says(town, "!clip the <first>")
    await says(town, "!clip somebody else's", "ben")
    await says(town, "!clip")
    page = (await ann.get("/me")).text
    session = await town.services.store.find_session("latest")
    assert page.count(f'href="/s/{session.id}"') == 2
    assert "2 marks" in page
    assert "somebody else" not in page
    assert page.index("No note") < page.index("the &lt;first&gt;")
    assert "&lt;b&gt;Evening&lt;/b&gt;" in page
    assert "Owl &amp; &lt;Friends&gt;" in page
    assert "<bdi>Ann</bdi>" in page


async def test_the_list_is_paged(town: Town, ann: Somebody) -> None:
    await says(town, "!start", "owl", role=Role.MODERATOR)
    for number in range(101):
        await says(town, f"!clip number {number}.")
    seen: list[str] = []
    path: str | None = "/me"
    while path:
        page = (await ann.get(path)).text
        assert len(re.findall(r"number \d+\.", page)) <= 50
        seen += re.findall(r"number (\d+)\.", page)
        older = re.search(r'href="(/me\?before=[^"]+)"', page)
        path = older[1] if older else None
    assert seen == [str(number) for number in reversed(range(101))]
    assert (await ann.get("/me?before=x")).status == 400


async def test_a_private_channels_title_and_page_are_not_told_to_who_marked_there(town: Town, ann: Somebody) -> None:
    await says(town, "!start Secret plans", "owl", role=Role.MODERATOR)
    await says(town, "!clip my own words")
    await says(town, "!setup visibility private", "owl", role=Role.BROADCASTER)
    page = (await ann.get("/me")).text
    assert "my own words" in page
    assert "Secret plans" not in page
    assert "/s/" not in page


async def test_hidden_marks_are_in_no_list(town: Town, ann: Somebody) -> None:
    await says(town, "!start", "owl", role=Role.MODERATOR)
    await says(town, "!clip hide me")
    live_place, now = ROOM, town.watch.now

    async def hide(transaction: Transaction) -> None:
        mark = await transaction.mark_numbered(live_place, 1)
        assert mark is not None
        await transaction.hide_mark(live_place, mark, Author("twitch", "1", "owl"), "rude", now)

    await town.services.store.run(hide, message=None, now=now)
    assert "hide me" not in (await ann.get("/me")).text


async def test_AUTH_10_logins_are_listed_and_ended(town: Town, ann: Somebody) -> None:
    phone = town.somebody()
    await phone.log_in(town.twitch.user("ann"))
    town.passes(minutes=3)
    page = (await ann.get("/me")).text
    assert page.count("seen 3 minutes ago</p>") == 2
    assert page.count("This browser") == 1
    phone_id = phone.cookies["moments"].partition(".")[0]
    answer = await ann.press(f"/me/logins/{phone_id}/end")
    assert answer.location == "/me?said=ended"
    assert "Log in with Twitch" in (await phone.get("/me")).text
    assert "Your moments" in (await ann.get("/me")).text
    own = ann.cookies["moments"].partition(".")[0]
    await ann.press(f"/me/logins/{own}/end")
    assert "moments" not in ann.cookies
    assert await logins(town) == 0


async def test_AZ_6_nobody_ends_somebody_elses_login(town: Town, ann: Somebody) -> None:
    ben = town.somebody()
    await ben.log_in(town.twitch.user("ben"))
    for session_id in (ben.cookies["moments"].partition(".")[0], "nobodys"):
        assert (await ann.press(f"/me/logins/{session_id}/end")).location == "/me?said=gone"
    assert await logins(town) == 2


async def test_AUTH_10_disconnecting_takes_the_bot_out_and_ends_every_login(town: Town) -> None:
    user, streamer, phone = town.twitch.user("streamer"), town.somebody(), town.somebody()
    await phone.log_in(user)
    await streamer.connect(user, "?clips=1")
    token = next(iter(town.twitch.tokens._access.values()))
    assert "Connected since" in (await streamer.get("/me")).text
    town.services.changed.clear()
    answer = await streamer.press("/me/disconnect")
    assert answer.location == "/me?said=disconnected"
    assert "Your marks stay." in (await streamer.get(answer.location)).text
    assert rows(town.path, "credential") == []
    assert await connecting.channels(town.services) == []
    assert town.services.changed.is_set()
    assert town.twitch.tokens.find(token.value) is None
    assert not town.twitch.tokens.granted(user.id, "channel:bot")
    assert await logins(town) == 0
    await streamer.log_in(user)
    assert "Not connected." in (await streamer.get("/me")).text
    acts = [(row[6], row[5]) for row in rows(town.path, "audit")]
    assert acts == [("connect", user.id), ("disconnect", user.id)]


async def test_disconnecting_works_while_twitch_is_down_and_says_what_is_left_to_do(town: Town) -> None:
    streamer = town.somebody()
    await streamer.connect(town.twitch.user("streamer"))
    town.twitch.faults.add("POST", "/oauth2/revoke", status=503, times=None)
    answer = await streamer.press("/me/disconnect")
    assert answer.location == "/me?said=untold"
    assert "remove Moments there, too" in (await streamer.get(answer.location)).text
    assert rows(town.path, "credential") == []


async def test_a_streamer_whose_grant_is_dead_is_asked_to_reconnect(town: Town) -> None:
    user, streamer, reader = town.twitch.user("streamer"), town.somebody(), town.somebody()
    await streamer.connect(user, "?markers=1&clips=1")
    assert (await streamer.get("/me")).text.count("Allowed: ") == 2
    await connecting.needs_authorisation(town.services, user.id, town.watch.now)
    mine, page = (await streamer.get("/me")).text, (await reader.get("/c/twitch/streamer")).text
    assert "Allowed: " not in mine
    assert "Not until you connect again" in mine
    assert "Reconnect</a>" in mine
    assert "your marks are all kept" in mine
    assert "Reconnect Twitch</a>" in page
    assert [each.state for each in await connecting.channels(town.services)] == [State.NEEDS_AUTHORISATION]
    await streamer.connect(user, "?clips=1")
    again = (await streamer.get("/me")).text
    assert "Reconnect" not in again
    assert "Allowed: moderators may turn" in again


async def test_a_streamer_reads_why_marks_become_no_markers_and_what_to_do(town: Town) -> None:
    user, streamer = town.twitch.user("streamer"), town.somebody()
    waits, again = "you have yet to allow them on Twitch", 'href="/twitch/connect">Connect again</a>'
    await streamer.connect(user)
    mine = (await streamer.get("/me")).text
    assert mine.count("Not allowed. Connect again") == 2
    assert again not in mine
    await streamer.press("/me/settings", markers="on", clips="on")
    mine = (await streamer.get("/me")).text
    assert (mine.count(waits), mine.count(again)) == (2, 2)
    await streamer.connect(user, "?markers=1&clips=1")
    mine = (await streamer.get("/me")).text
    assert "Allowed: marks may become markers" in mine
    assert again not in mine
    channel = await town.services.store.channel("twitch", user.id)
    assert channel is not None
    town.services.mirroring_off[channel.id] = mirror.NOT_TAKEN
    assert "with Store past broadcasts turned on in its settings" in (await streamer.get("/me")).text
    await streamer.press("/me/settings", markers="off")
    assert "Store past broadcasts" not in (await streamer.get("/me")).text


async def test_deleting_everything_asks_once_on_a_page_of_its_own(town: Town) -> None:
    user, streamer = town.twitch.user("streamer", "Streamer"), town.somebody()
    await streamer.connect(user)
    await says(town, "!start", "streamer", role=Role.BROADCASTER)
    await says(town, "!clip mine", "streamer")
    await says(town, "!clip theirs", "ben")
    asks = (await streamer.get("/me/delete")).text
    assert "This removes 1 mark of" in asks
    assert "your channel is disconnected" in asks
    assert len(rows(town.path, "mark")) == 2
    answer = await streamer.press("/me/delete", on="/me/delete")
    assert answer.location == "/me?said=forgotten"
    assert "Everything about you is deleted." in (await streamer.get(answer.location)).text
    assert [row[9] for row in rows(town.path, "mark")] == ["theirs"]
    for table in ("credential", "web_session"):
        assert rows(town.path, table) == []
    assert await connecting.channels(town.services) == []
    assert not town.twitch.tokens.granted(user.id, "channel:bot")


async def test_who_never_marked_anything_can_be_forgotten_too(town: Town, ann: Somebody) -> None:
    phone = town.somebody()
    await phone.log_in(town.twitch.user("ann"))
    await ann.press("/me/delete", on="/me/delete")
    assert await logins(town) == 0


async def test_forgetting_in_chat_ends_the_logins_and_the_connection_as_well(town: Town) -> None:
    user, streamer = town.twitch.user("streamer"), town.somebody()
    await streamer.connect(user)
    heard = Heard(
        Platform("twitch"), ROOM, Author("twitch", user.id, "streamer"), Role.VIEWER, "!forgetme", town.watch.now
    )
    dispatcher = Dispatcher(town.services)
    asks = await dispatcher.hear(heard)
    assert asks is not None
    assert asks.text.startswith("This deletes what we know of you everywhere and disconnects your channel, for good.")
    await dispatcher.hear(heard)
    assert (rows(town.path, "credential"), rows(town.path, "web_session")) == ([], [])
    assert not town.twitch.tokens.granted(user.id, "channel:bot")


@pytest.mark.parametrize("path", ["/me/delete", "/logout", "/me"])
async def test_pages_of_ones_own_say_what_to_do_when_nobody_is_logged_in(town: Town, path: str) -> None:
    answer = await town.somebody().get(path)
    assert answer.status in {200, 303}
    assert answer.headers["Cache-Control"] == "private, no-store"
