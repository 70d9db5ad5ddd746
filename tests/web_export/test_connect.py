"""Connecting a channel and the bot's own account, and the names channels are found by."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commands import connecting
from commands.credentials import ASKED_EVERY, StoredGrants, validate_all
from commands.dispatch import Dispatcher
from commands.model import Heard, Platform
from moments.live import Author, Place
from moments.people import Role
from storage.connections import State
from storage.credentials import Vault
from tests.chat import KEYS
from tests.twitch_site import Town, dump, open_town, rows

ALL = {"channel:bot", "channel:manage:broadcast", "channel:manage:clips"}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


async def states(town: Town) -> list[tuple[str, State]]:
    return [(each.place.display_name, each.state) for each in await connecting.channels(town.services)]


async def an_hour(town: Town) -> None:
    """The next hour, with the question whether each grant still holds."""

    async def dead(user_id: str) -> None:
        pytest.fail(f"the grant of {user_id} is dead")

    async def at_once(_seconds: float) -> None:
        pass

    town.passes(hours=1)
    grants = StoredGrants(town.services.store, Vault(KEYS), town.watch, dead)
    await validate_all(grants, town.api, asked_before=town.watch.now - ASKED_EVERY, sleep=at_once)


async def says(town: Town, channel: Place, text: str, name: str = "viewer") -> None:
    """A line in a channel's chat on Twitch."""
    role = Role.BROADCASTER if name == "streamer" else Role.VIEWER
    heard = Heard(Platform("twitch"), channel, Author("twitch", f"id-{name}", name), role, text, town.watch.now)
    await Dispatcher(town.services).hear(heard)


async def test_a_streamer_connects_and_lands_on_their_page_with_the_bot_in_chat(town: Town) -> None:
    town.twitch.user("moments_bot")
    code = await connecting.bot_code(town.services)
    await town.somebody().connect(town.twitch.user("moments_bot"), f"?code={code}")
    town.services.changed.clear()
    streamer = town.somebody()
    asks = (await streamer.get("/twitch/connect")).text
    for scope in ALL:
        assert scope in asks
    assert asks.count('type="checkbox"') == 2
    assert "checked" not in asks
    back = await streamer.connect(town.twitch.user("streamer", "Streamer"))
    assert (back.status, back.location) == (303, "/c/twitch/streamer?connected=1")
    page = await streamer.get(back.location)
    assert page.status == 200
    assert "The bot is in this chat. Type !clip and what moved you." in page.text
    assert "No sessions yet. One begins by itself with the next stream." in page.text
    assert page.headers["Cache-Control"] == "no-store"  # connected again within 30 s, it must not be the page before
    assert (await streamer.get("/c/twitch/streamer")).headers["Cache-Control"] == "public, max-age=30"
    assert town.services.changed.is_set()
    assert await states(town) == [("Streamer", State.CONNECTED)]
    assert "Streamer" in (await streamer.get("/logout")).text  # connecting proves who they are, so it logs in, too


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("down: GET /helix/users: 503", "not connected to Twitch just now. It joins again by itself"),
        ("", "not connected to Twitch just now"),
        ("ready, but Twitch has yet to grant 1 subscription", "The bot is in this chat"),
    ],
)
async def test_the_page_says_what_is_wrong_when_the_bot_is_not_there(town: Town, state: str, words: str) -> None:
    back = await town.somebody().connect(town.twitch.user("streamer"))
    assert "has connected the bot’s own account" in (await town.somebody().get(back.location)).text
    code = await connecting.bot_code(town.services)
    await town.somebody().connect(town.twitch.user("moments_bot"), f"?code={code}")
    town.states["twitch"]["state"] = state
    assert words in (await town.somebody().get(back.location)).text
    page = await town.somebody().get("/c/twitch/streamer")
    assert words in page.text
    assert page.headers["Cache-Control"] == ("public, max-age=30" if "in this chat" in words else "no-store")


async def test_who_has_just_connected_again_is_not_asked_to_by_a_copy_of_the_page(town: Town) -> None:
    user, streamer = town.twitch.user("streamer"), town.somebody()
    await streamer.connect(user)
    await connecting.needs_authorisation(town.services, user.id, town.watch.now)
    page = await streamer.get("/c/twitch/streamer")
    assert "Twitch no longer lets the bot act" in page.text
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "scopes"),
    [
        ("", {"channel:bot"}),
        ("?markers=1", {"channel:bot", "channel:manage:broadcast"}),
        ("?clips=1", {"channel:bot", "channel:manage:clips"}),
        ("?markers=1&clips=1&scopes=user:edit&scope=user:edit", ALL),
    ],
)
async def test_AUTH_4_connecting_asks_for_what_was_ticked_and_no_more(town: Town, query: str, scopes: set[str]) -> None:
    user = town.twitch.user("streamer")
    await town.somebody().connect(user, query)
    asked = town.twitch.asked[-1]
    assert (asked.scopes, asked.force_verify) == (frozenset({*scopes, "openid"}), True)
    (connected,) = await connecting.channels(town.services)
    assert connected.scopes == scopes
    channel = await town.services.store.channel("twitch", user.id)
    assert channel is not None
    assert channel.settings.mirror_markers == ("channel:manage:broadcast" in scopes)
    assert channel.settings.promote == ("channel:manage:clips" in scopes)
    assert not [secret for secret in town.twitch.secrets if secret in "\n".join(dump(town.path))]


async def test_AUTH_4_less_than_was_asked_is_said_and_that_feature_stays_off(town: Town) -> None:
    user, streamer = town.twitch.user("streamer"), town.somebody()
    address = await streamer.leave("/twitch/connect/start?markers=1&clips=1")
    less = address.replace("channel%3Amanage%3Aclips+", "")
    back = await streamer.get(await streamer.agree(less, user))
    assert back.location == "/c/twitch/streamer?connected=1&no_clips=1"
    assert "Clips are off: Twitch did not grant them." in (await streamer.get(back.location)).text
    (connected,) = await connecting.channels(town.services)
    assert connected.scopes == {"channel:bot", "channel:manage:broadcast"}
    channel = await town.services.store.channel("twitch", user.id)
    assert channel is not None
    assert (channel.settings.mirror_markers, channel.settings.promote) == (True, False)
    mine = (await streamer.get("/me")).text
    assert "Allowed: marks may become markers" in mine
    assert "Allowed: moderators may turn" not in mine


async def test_the_front_page_leads_streamers_to_connect(town: Town) -> None:
    front = (await town.somebody().get("/")).text
    assert '<a class="button main" href="/twitch/connect">Connect your Twitch channel</a>' in front
    assert "On Twitch it opens with the stream, by itself." in front


async def test_AUTH_4_without_a_seat_in_chat_nothing_is_kept(town: Town) -> None:
    streamer = town.somebody()
    address = await streamer.leave("/twitch/connect/start?markers=1")
    answer = await streamer.get(
        await streamer.agree(address.replace("channel%3Abot+", ""), town.twitch.user("streamer"))
    )
    assert answer.status == 409
    assert "Without leave to be in your chat" in answer.text
    assert (rows(town.path, "credential"), rows(town.path, "channel"), rows(town.path, "web_session")) == ([], [], [])
    assert town.twitch.requests[-1].path == "/oauth2/revoke"


async def test_AUTH_3_a_code_for_the_login_is_refused_where_channels_are_connected(town: Town) -> None:
    """Swapped codes: Twitch holds each code to the redirect URI it was made for."""
    user, streamer = town.twitch.user("streamer"), town.somebody()
    login = await streamer.agree(await streamer.leave("/login/twitch"), user)
    connect = await streamer.agree(await streamer.leave("/twitch/connect/start"), user)
    code = re.search(r"code=(\w+)", login)
    assert code
    answer = await streamer.get(re.sub(r"code=\w+", code[0], connect))
    assert answer.status == 400
    assert rows(town.path, "credential") == []


async def test_nobody_binds_a_channel_that_is_not_theirs(town: Town) -> None:
    """Whatever the browser says, the channel is the one of the account that agreed on Twitch."""
    victim, mallory = town.twitch.user("victim"), town.twitch.user("mallory")
    await town.somebody().connect(victim, "?markers=1")
    kept = rows(town.path, "credential")
    back = await town.somebody().connect(mallory, f"?channel={victim.id}&login=victim&platform_id={victim.id}")
    assert back.location == "/c/twitch/mallory?connected=1"
    assert [row for row in rows(town.path, "credential") if row[1] == victim.id] == kept


async def test_connecting_again_takes_the_new_grant_and_keeps_the_channel(town: Town) -> None:
    user, streamer = town.twitch.user("streamer"), town.somebody()
    await streamer.connect(user, "?markers=1&clips=1")
    town.twitch.rename(user, "renamed", "Renamed")
    town.passes(hours=25)
    back = await streamer.connect(user)
    assert back.location == "/c/twitch/renamed?connected=1"
    assert await states(town) == [("Renamed", State.CONNECTED)]
    (connected,) = await connecting.channels(town.services)
    assert connected.scopes == {"channel:bot"}
    assert len(rows(town.path, "channel")) == len(rows(town.path, "credential")) == 1


# ------------------------------------------------------------------------------------- the bot's account


async def test_the_operator_connects_the_bot_with_the_code_once(town: Town) -> None:
    code, operator = await connecting.bot_code(town.services), town.somebody()
    assert code not in "\n".join(dump(town.path))
    assert not await connecting.bot_is_authorised(town.services)
    page = await operator.get(f"/twitch/connect?code={code}")
    assert page.status == 200
    assert town.api.bot_id in page.text
    town.services.changed.clear()
    back = await operator.connect(town.twitch.user("moments_bot"), f"?code={code}")
    assert (back.status, back.location) == (303, "/twitch/connect?said=bot")
    assert town.twitch.asked[-1].scopes == {"user:read:chat", "user:write:chat", "user:bot", "openid"}
    assert town.twitch.asked[-1].force_verify
    assert await connecting.bot_is_authorised(town.services)
    assert town.services.changed.is_set()
    assert rows(town.path, "web_session") == []
    for path in (f"/twitch/connect?code={code}", f"/twitch/connect/start?code={code}"):
        assert (await operator.get(path)).status == 403


async def test_a_wrong_or_older_code_opens_nothing(town: Town) -> None:
    older = await connecting.bot_code(town.services)
    await connecting.bot_code(town.services)
    for code in (older, "", "guess", "é\ud83d"):
        for path in ("/twitch/connect", "/twitch/connect/start"):
            answer = await town.somebody().get(f"{path}?code={code}".encode("utf-8", "replace").decode())
            assert answer.status == 403
            assert "Open the newest link" in answer.text
    assert rows(town.path, "login_attempt") == []


async def test_another_account_than_the_bots_is_named_and_nothing_is_kept(town: Town) -> None:
    code, operator = await connecting.bot_code(town.services), town.somebody()
    answer = await operator.connect(town.twitch.user("operator"), f"?code={code}")
    assert answer.status == 409
    assert "That was the account operator" in answer.text
    assert "switch accounts on Twitch" in answer.text
    assert rows(town.path, "credential") == []
    assert town.twitch.requests[-1].path == "/oauth2/revoke"
    back = await operator.connect(town.twitch.user("moments_bot"), f"?code={code}")
    assert back.status == 303


async def test_a_bot_that_was_granted_too_little_is_not_kept(town: Town) -> None:
    code, operator = await connecting.bot_code(town.services), town.somebody()
    address = await operator.leave(f"/twitch/connect/start?code={code}")
    less = address.replace("user%3Awrite%3Achat", "user%3Aread%3Achat")
    assert (await operator.get(await operator.agree(less, town.twitch.user("moments_bot")))).status == 409
    assert rows(town.path, "credential") == []


async def test_a_code_used_up_meanwhile_lets_nobody_in(town: Town) -> None:
    code, one, other = await connecting.bot_code(town.services), town.somebody(), town.somebody()
    bot = town.twitch.user("moments_bot")
    backs = [(who, await who.agree(await who.leave(f"/twitch/connect/start?code={code}"), bot)) for who in (one, other)]
    assert [(await who.get(back)).status for who, back in backs] == [303, 403]
    assert town.twitch.requests[-1].path == "/oauth2/revoke"


# ------------------------------------------------------------------------------------------------ names


async def test_ID_1_a_channel_is_found_by_the_name_it_has_today(town: Town) -> None:
    user = town.twitch.user("streamer", "Streamer")
    await town.somebody().connect(user)
    reader = town.somebody()
    for word in ("streamer", "STREAMER"):
        assert "Streamer" in (await reader.get(f"/c/twitch/{word}")).text
    answer = await reader.get(f"/c/twitch/{user.id}?before=9")
    assert (answer.status, answer.location) == (302, "/c/twitch/streamer?before=9")
    assert (await reader.get("/c/twitch/nobody")).status == 404
    assert (await reader.get("/c/twitch/no.name")).status == 404
    assert (await reader.get("/c/twitch/999")).status == 404


async def test_ID_1_the_new_owner_of_an_old_name_gets_nothing_of_the_old(town: Town) -> None:
    old = town.twitch.user("aaa", "AaA")
    await town.somebody().connect(old)
    await says(town, Place("twitch", old.id, "AaA"), "!start The first owner's evening", "streamer")
    reader = town.somebody()
    assert "evening" in (await reader.get("/c/twitch/aaa")).text
    town.twitch.rename(old, "bbb", "BbB")
    new = town.twitch.user("aaa", "aAa")
    await an_hour(town)
    assert (await reader.get("/c/twitch/aaa")).status == 404
    assert "evening" in (await reader.get("/c/twitch/bbb")).text
    back = await town.somebody().connect(new)
    assert back.location == "/c/twitch/aaa?connected=1"
    page = (await reader.get("/c/twitch/aaa")).text
    assert '<h1 dir="auto" lang="">aAa</h1>' in page
    assert "evening" not in page
    assert (await reader.get(f"/c/twitch/{old.id}")).location == "/c/twitch/bbb"


async def test_ID_1_a_name_taken_within_the_day_belongs_to_who_connects_with_it(town: Town) -> None:
    old = town.twitch.user("aaa", "First")
    await town.somebody().connect(old)
    town.twitch.rename(old, "bbb")
    await town.somebody().connect(town.twitch.user("aaa", "aAa"))
    assert ">aAa</h1>" in (await town.somebody().get("/c/twitch/aaa")).text


async def test_ID_1_a_renamed_channel_is_found_by_its_new_name_within_the_hour_and_the_old_one_leads_nowhere(
    town: Town,
) -> None:
    user = town.twitch.user("aaa", "AaA")
    await town.somebody().connect(user)
    town.twitch.rename(user, "bbb", "BbB")
    await an_hour(town)
    assert ">bbb</h1>" in (await town.somebody().get("/c/twitch/BBB")).text  # Twitch has told no more than that yet
    assert (await town.somebody().get("/c/twitch/aaa")).status == 404


@pytest.mark.parametrize("display_name", ["AaA", "梟の夜", "Čilko"])
async def test_ID_1_a_name_in_other_letters_stays_the_channels_own(town: Town, display_name: str) -> None:
    user = town.twitch.user("aaa", display_name)
    await town.somebody().connect(user)
    assert f">{display_name}</h1>" in (await town.somebody().get("/c/twitch/aaa")).text
    town.passes(hours=25)
    assert f">{display_name}</h1>" in (await town.somebody().get(f"/c/twitch/{user.id}")).text


async def test_ID_1_a_name_is_kept_fresh_for_as_long_as_its_streamer_stays_connected(town: Town) -> None:
    user = town.twitch.user("streamer", "Streamer")
    await town.somebody().connect(user)
    for _ in range(30):
        await an_hour(town)
    assert (await town.somebody().get("/c/twitch/streamer")).status == 200
    assert (await town.somebody().get(f"/c/twitch/{user.id}")).location == "/c/twitch/streamer"


async def test_ID_1_a_name_nobody_confirmed_for_a_day_leads_nowhere_and_its_page_is_there_under_the_id(
    town: Town,
) -> None:
    user = town.twitch.user("streamer")
    await town.somebody().connect(user)
    town.passes(hours=24)
    assert (await town.somebody().get(f"/c/twitch/{user.id}")).status == 200
    assert (await town.somebody().get("/c/twitch/streamer")).status == 404


async def test_ID_1_a_name_of_digits_leads_nobody_to_the_channel_with_that_number(town: Town) -> None:
    digits, user = town.twitch.user("4711"), town.twitch.user("streamer")
    await town.somebody().connect(user)
    town.twitch.rename(digits, user.id)
    await town.somebody().connect(digits)
    page = await town.somebody().get(f"/c/twitch/{digits.id}")
    assert page.status == 200
    assert user.id in page.text


async def test_for_the_name_in_an_address_twitch_is_not_asked(town: Town) -> None:
    """Anybody could use up what it answers; and what it answers, and when, would tell who is here (AZ-6)."""
    user = town.twitch.user("streamer")
    await town.somebody().connect(user)
    town.passes(hours=25)
    asked = len(town.twitch.requests)
    for word in ("streamer", user.id, "nobody", "999", "no.name", "%00", "%C4%B0"):
        await town.somebody().get(f"/c/twitch/{word}")
    assert len(town.twitch.requests) == asked


# -------------------------------------------------------------------------------------- the same for all


async def test_API_1_every_cacheable_page_is_the_same_for_everyone(town: Town) -> None:
    streamer, viewer, anonymous = town.somebody(), town.somebody(), town.somebody()
    user = town.twitch.user("streamer", "Streamer")
    await streamer.connect(user)
    await viewer.log_in(town.twitch.user("viewer"))
    place = Place("twitch", user.id, "Streamer")
    await says(town, place, "!start An evening", "streamer")
    await says(town, place, "!clip wow")
    session = await town.services.store.find_session("latest")
    known = {"session": session.id, "platform": "twitch", "channel": "streamer", "digest": "x", "name": "x", "id": "x"}
    paths = {
        re.sub(r"{(\w+)}", lambda found: known.get(found[1], "x"), route.resource.canonical)
        for route in town.site.app.router.routes()
        if route.method == "GET" and route.resource and not route.resource.canonical.endswith("/events")
    }
    paths |= {"/c/twitch/streamer?no_clips=1"}
    cacheable = 0
    for path in sorted(paths):
        answers = [await who.get(path) for who in (anonymous, viewer, streamer)]
        if "no-store" in answers[0].headers["Cache-Control"]:
            continue
        cacheable += 1
        assert len({(each.status, each.text, each.headers.get("ETag")) for each in answers}) == 1, path
        assert not any(each.cookies for each in answers), path
    assert cacheable >= 6
    page = await streamer.get("/me")
    assert page.headers["Cache-Control"] == "private, no-store"
    assert page.headers["Vary"] == "Cookie"
    assert "ETag" not in page.headers
