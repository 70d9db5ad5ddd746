"""The page where a session is moderated: who may open it, who may press its buttons, and what they do."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from commands import joining
from commands.choices import CHOICES
from moments.live import Author
from moments.people import Role
from moments.sessions import Status, Visibility
from tests.fake_discord.server import FakeDiscord
from tests.guild import BOSS, CLIPS, KnownGuilds, typed
from tests.private_town import PrivateTown, open_private_town, press
from tests.twitch_site import Answer, Somebody, dump, rows
from web_export.choosing import ASKED
from web_export.moderating import routes

BUTTONS: dict[str, dict[str, str]] = {
    "/state": {"act": "pause"},
    "/vodshift": {"seconds": "+5"},
    "/marks/1/hide": {},
    "/marks/1/restore": {},
    "/marks/1/block": {},
    "/unblock": {"account": "twitch:1"},
    "/links": {"hours": "24"},
    "/links/revoke": {},
}


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[PrivateTown]:
    async with open_private_town(tmp_path) as there:
        yield there


async def push(there: PrivateTown, somebody: Somebody, button: str, **fields: str) -> Answer:
    """A button of the page, as its form sends it."""
    desk = await there.desk()
    return await somebody.press(desk + button, on="/logout", **(fields or BUTTONS.get(button, {})))


def acts(there: PrivateTown) -> list[tuple[object, ...]]:
    """(who, act, target) of all that is in the audit log."""
    return [row[5:8] for row in rows(there.town.path, "audit")]


def test_every_button_of_the_page_is_tried_here() -> None:
    posts = [route for route in routes if isinstance(route, web.RouteDef) and route.method == "POST"]
    found = {route.path.removeprefix("/me/s/{session}") for route in posts}
    assert found == {button.replace("/1/", "/{number}/") for button in BUTTONS}


async def test_AZ_6_a_session_of_somebody_elses_is_as_little_there_as_none(there: PrivateTown) -> None:
    """Walks every id of one streamer's with another's login."""
    kept, page = dump(there.town.path), await there.desk()
    session_id = page.rpartition("/")[2]
    for path in ("", "?before=1.9.9", *BUTTONS):
        answers = []
        for word in (session_id, session_id[::-1]):
            if path in BUTTONS:
                answer = await there.stranger.press(f"/me/s/{word}{path}", on="/logout", **BUTTONS[path])
            else:
                answer = await there.stranger.get(f"/me/s/{word}{path}")
            answers.append((answer.status, answer.text.replace(word, "")))
        assert answers[0] == answers[1], path
        assert answers[0][0] == 404, path
    assert dump(there.town.path) == kept


async def test_AZ_6_marks_and_people_of_other_channels_cannot_be_reached_through_ones_own(there: PrivateTown) -> None:
    """The stranger has a channel and a session of their own, with one mark fewer than the number they try."""
    services, desk = there.town.services, await there.desk()
    theirs = there.owner
    there.owner = there.other
    await there.says("!start My own")
    own = await there.desk()
    there.owner = theirs
    kept = rows(there.town.path, "mark")
    for button in ("hide", "restore", "block"):
        for number in ("1", "3", "99", "x", "9" * 12):
            answer = await there.stranger.press(f"{own}/marks/{number}/{button}", on="/logout")
            assert answer.status == 404, (button, number)
    assert rows(there.town.path, "mark") == kept
    assert rows(there.town.path, "barred") == []
    ann = there.town.twitch.user("ann").id
    await there.mod.press(f"{desk}/marks/1/block", on="/logout")
    await there.stranger.press(f"{own}/unblock", on="/logout", account=f"twitch:{ann}")
    assert len(rows(there.town.path, "barred")) == 1
    assert (await services.store.newest_session("twitch", theirs.id)) is not None


async def test_whoever_is_not_logged_in_is_shown_the_login_whatever_the_address_says(there: PrivateTown) -> None:
    desk = await there.desk()
    for path in (desk, "/me/s/" + "x" * 22):
        answer = await there.anybody().get(path)
        assert answer.status == 200
        assert f'href="/login/twitch?moderator=1&amp;return={path}"' in answer.text
        assert "Secret" not in answer.text
        for button in BUTTONS:
            pressed = await press(there.anybody(), path + button)
            assert (pressed.status, pressed.location) == (303, path)
    back = await there.mod.log_in(there.moderator, f"/login/twitch?moderator=1&return={desk}")
    assert back.location == desk


async def test_a_moderator_who_logged_in_as_a_viewer_is_led_to_ask_twitch(there: PrivateTown) -> None:
    plain = there.anybody()
    await plain.log_in(there.moderator)
    answer = await plain.get(await there.desk())
    assert answer.status == 404
    assert f"/login/twitch?moderator=1&amp;return={await there.desk()}" in answer.text


async def test_the_page_shows_moderators_every_mark_and_the_streamer_what_was_done(there: PrivateTown) -> None:
    assert (await push(there, there.mod, "/marks/2/hide")).status == 303
    for somebody in (there.streamer, there.mod):
        page = await somebody.get(await there.desk())
        assert page.status == 200
        for words in ("what ann saw", "what ben saw", "what cleo saw", "Hidden by a moderator: on the site", "Restore"):
            assert words in page.text
        assert page.headers["Cache-Control"] == "private, no-store"
        assert page.headers["X-Robots-Tag"] == "noindex"
    assert "what ben saw" not in (await there.mod.get(await there.path())).text
    assert (await push(there, there.mod, "/marks/3/block")).status == 303
    said = re.sub(r"<[^>]+>", "", (await there.streamer.get(await there.desk())).text)
    assert "Blocked CleoSable · just now" in re.sub(r"\s*\n\s*", "", said)
    assert "Hid mark #2" in said
    assert "Hid mark #2" not in (await there.mod.get(await there.desk())).text


async def test_every_public_session_has_a_way_to_its_page_the_same_for_everyone(tmp_path: Path) -> None:
    async with open_private_town(tmp_path, private=False) as there:
        page, desk = await there.path(), await there.desk()
        texts = {(await who.get(page)).text for who in (there.anybody(), there.stranger, there.mod, there.streamer)}
        assert len(texts) == 1
        assert f'<a href="{desk}">Moderate</a>' in texts.pop()
        assert (await there.mod.get(desk)).status == 200
        assert (await there.stranger.get(desk)).status == 404


@pytest.fixture
async def owls(tmp_path: Path) -> AsyncIterator[tuple[PrivateTown, FakeDiscord, KnownGuilds]]:
    """A site where one logs in with either, and a Discord channel of a server with a session of its own."""
    guilds = KnownGuilds()
    async with FakeDiscord() as discord, open_private_town(tmp_path, discord=discord, guilds=guilds) as there:
        await typed(there.town.services, there.town.watch.now, "/start Rehearsal", "boss", role=Role.BROADCASTER)
        await typed(there.town.services, there.town.watch.now, "/clip what a dodge")
        yield there, discord, guilds


async def test_a_discord_channels_moderators_find_their_desk_without_what_needs_a_recording(
    owls: tuple[PrivateTown, FakeDiscord, KnownGuilds],
) -> None:
    there, discord, guilds = owls
    services, boss, somebody = there.town.services, discord.user("boss"), there.anybody()
    session = await services.store.newest_session(*CLIPS[:2])
    assert session is not None
    guilds.roles["9001", CLIPS.platform_id, boss.id] = Role.BROADCASTER
    desk = f"/me/s/{session.id}"
    assert f'<a href="{desk}">Moderate</a>' in (await somebody.get(f"/s/{session.id}")).text
    way = f"/login/discord?return={desk}"
    assert f'href="{way}">Log in with Discord</a>' in (await somebody.get(desk)).text
    assert (await somebody.log_in(boss, way)).location == desk
    page = (await somebody.get(desk)).text
    assert "what a dodge" in page
    assert "In the recording" not in page
    assert "streamer" not in page
    assert 'value="end"' in page
    assert (await somebody.press(desk + "/marks/1/hide", on=desk)).location == f"{desk}?said=hidden"
    assert "In the recording" in (await there.mod.get(await there.desk())).text


async def test_a_discord_channel_that_is_joined_to_a_stream_begins_no_session_of_its_own(
    owls: tuple[PrivateTown, FakeDiscord, KnownGuilds],
) -> None:
    there, discord, guilds = owls
    services, boss, somebody, now = there.town.services, discord.user("boss"), there.anybody(), there.town.watch.now
    session = await services.store.newest_session(*CLIPS[:2])
    assert session is not None
    guilds.roles |= {("9001", CLIPS.platform_id, who): Role.BROADCASTER for who in (boss.id, BOSS)}
    asked = await typed(services, now, "/setup join", "boss", role=Role.BROADCASTER)
    assert asked is not None
    by = Author(*there.place)
    code, read = asked.text.partition("code=")[2], (CLIPS.platform_id, by.user_id)
    await joining.agree(services, code, by, read=read, moderators=False, now=now)
    desk = f"/me/s/{session.id}"
    await somebody.log_in(boss, f"/login/discord?return={desk}")
    assert "Start the next session" not in (await somebody.get(desk)).text
    assert (await somebody.press(desk + "/state", on="/logout", act="start")).status == 409
    newest = await services.store.newest_session(*CLIPS[:2])
    assert newest is not None
    assert newest.id == session.id


async def test_AZ_6_both_logins_are_offered_whatever_the_address_says(
    owls: tuple[PrivateTown, FakeDiscord, KnownGuilds],
) -> None:
    there, _, _ = owls
    session = await there.town.services.store.newest_session(*CLIPS[:2])
    assert session is not None
    for word in (session.id, (await there.session()).id, "x" * 22):
        for somebody, status in ((there.anybody(), 200), (there.stranger, 404)):
            answer = await somebody.get(f"/me/s/{word}")
            assert answer.status == status
            assert f'href="/login/twitch?moderator=1&amp;return=/me/s/{word}"' in answer.text
            assert f'href="/login/discord?return=/me/s/{word}"' in answer.text


async def test_the_streams_buttons_do_what_the_commands_do(there: PrivateTown) -> None:
    desk = await there.desk()
    for act, status in (("pause", Status.PAUSED), ("resume", Status.ACTIVE), ("end", Status.ENDED)):
        page = await there.mod.get(desk)
        assert f'value="{act}"' in page.text
        assert (await push(there, there.mod, "/state", act=act)).status == 303
        assert (await there.session()).status is status
    answer = await push(there, there.mod, "/state", act="start", title="Round | two", game="Hollow Deep")
    session = await there.session()
    assert answer.location == f"/me/s/{session.id}?said=started"
    assert (session.title, session.game, session.status) == ("Round / two", "Hollow Deep", Status.ACTIVE)
    assert [act for who, act, _ in acts(there) if who == there.moderator.id] == ["pause", "resume", "end", "start"]
    old = await there.mod.press(f"{desk}/state", on="/logout", act="start")
    assert old.status == 409
    assert "Another session has begun since." in old.text
    assert 'value="start"' not in (await there.mod.get(desk)).text


@pytest.mark.parametrize("act", ["", "delclip", "setup", "forgetme", "clip"])
async def test_no_other_command_hides_behind_the_buttons(there: PrivateTown, act: str) -> None:
    kept = dump(there.town.path)
    assert (await push(there, there.mod, "/state", act=act)).status == 400
    assert dump(there.town.path) == kept


async def test_a_mark_is_hidden_and_restored_and_its_author_blocked_and_unblocked(there: PrivateTown) -> None:
    async def numbers() -> list[int]:
        return [mark.number for mark in await there.town.services.store.marks(await there.session())]

    assert (await push(there, there.mod, "/marks/3/hide")).status == 303
    assert await numbers() == [1, 2]
    assert (await push(there, there.mod, "/marks/3/hide")).status == 404
    assert (await push(there, there.streamer, "/marks/3/restore")).status == 303
    assert await numbers() == [1, 2, 3]
    cleo = there.town.twitch.user("cleo")
    assert (await push(there, there.mod, "/marks/3/block")).status == 303
    there.town.passes(seconds=60)
    await there.says("!clip again", cleo)
    assert await numbers() == [1, 2, 3]
    page = (await there.mod.get(await there.desk())).text
    assert "(blocked)" in page
    assert f'value="twitch:{cleo.id}"' in page
    assert (await push(there, there.mod, "/unblock", account=f"twitch:{cleo.id}")).status == 303
    await there.says("!clip again", cleo)
    assert await numbers() == [1, 2, 3, 4]
    done = [(act, target) for who, act, target in acts(there) if act in {"hide", "restore", "bar", "unbar"}]
    person = f"twitch:{cleo.id}"
    assert done == [("hide", "#3"), ("restore", "#3"), ("bar", person), ("unbar", person)]


async def test_the_list_goes_on_where_it_was_after_a_button(there: PrivateTown) -> None:
    moderator = there.moderator
    for number in range(60):
        await there.says(f"!clip mark {number}", moderator, Role.MODERATOR)
    first = await there.mod.get(await there.desk())
    assert first.text.count('/hide"') == 50
    older = re.search(r"\?before=([0-9.]+)\"", first.text)
    assert older
    second = await there.mod.get(f"{await there.desk()}?before={older[1]}")
    assert "what ann saw" in second.text
    assert second.text.count('/hide"') == 13
    answer = await push(there, there.mod, "/marks/1/hide", before=older[1])
    assert answer.location == f"{await there.desk()}?said=hidden&before={older[1]}"
    for wrong in ("x", "1.2.3&said=revoked", "//evil.example"):
        assert (await push(there, there.mod, "/marks/1/restore", before=wrong)).status == 400
        await push(there, there.mod, "/marks/1/hide", before="")
    assert (await there.mod.get(f"{await there.desk()}?before=x")).status == 400


async def test_the_links_into_the_recording_are_corrected(there: PrivateTown) -> None:
    assert (await push(there, there.mod, "/vodshift", seconds="+7")).status == 303
    assert (await there.session()).vod_shift_seconds == 7
    assert 'value="+7"' in (await there.mod.get(await there.desk())).text
    for wrong in ("", "soon", "abc", "7", "-99999", "+99999"):
        answer = await push(there, there.mod, "/vodshift", seconds=wrong)
        assert answer.status == 400
        assert "with a plus or a minus: +5 or -5, at most 7200. 0 puts them back." in answer.text
        assert f'href="{await there.desk()}">Back</a>' in answer.text
        assert re.search(r"[!`][a-z]+[ <]", re.sub("<!doctype html>", "", answer.text)) is None
    assert (await there.session()).vod_shift_seconds == 7


@pytest.mark.parametrize("act", ["pause", "resume"])
async def test_a_button_of_a_page_that_is_out_of_date_is_refused_in_the_pages_words(
    there: PrivateTown, act: str
) -> None:
    await there.says("!end")
    answer = await push(there, there.mod, "/state", act=act)
    assert answer.status == 409
    assert "That button does nothing any more" in answer.text
    assert f'href="{await there.desk()}">Back</a>' in answer.text


async def test_whatever_goes_wrong_with_a_form_its_page_is_a_link_away(there: PrivateTown) -> None:
    desk = await there.desk()
    headers = {"Sec-Fetch-Site": "same-origin"}
    for path, page in ((f"{desk}/vodshift", desk), ("/me/settings", "/me"), ("/me/s/%22%3E/links", "/me")):
        answer = await there.streamer.ask("POST", path, data={"csrf": "that of another login"}, headers=headers)
        assert answer.status == 403
        assert f'<a class="button main" href="{page}">Back</a>' in answer.text
    assert ">Back</a>" not in (await there.anybody().get("/nowhere")).text
    assert ">Back</a>" not in (await there.anybody().get("/menu")).text


async def test_AZ_3_acts_need_twitchs_word_of_the_last_ten_minutes(there: PrivateTown) -> None:
    await there.town.twitch.remove_moderator(there.owner, there.moderator)
    there.town.passes(minutes=10, seconds=1)
    tables = ("session", "mark", "barred", "channel", "audit")
    kept = [rows(there.town.path, table) for table in tables]
    assert (await there.mod.get(await there.desk())).status == 200
    for button in BUTTONS:
        answer = await push(there, there.mod, button)
        assert answer.status == 403, button
        assert "Twitch must say again that you moderate here." in answer.text
        assert answer.text.count("/login/twitch?moderator=1") == 1
    assert [rows(there.town.path, table) for table in tables] == kept
    await there.mod.log_in(there.moderator, "/login/twitch?moderator=1")
    assert (await push(there, there.mod, "/state")).status == 404
    assert (await push(there, there.streamer, "/state")).status == 303


async def test_LINK_3_the_streamer_and_whom_they_named_make_links_and_nobody_else(there: PrivateTown) -> None:
    assert "Private links" not in (await there.mod.get(await there.desk())).text
    assert (await push(there, there.mod, "/links")).status == 403
    await there.says(f"!setup moderator {there.moderator.login}")
    for somebody in (there.streamer, there.mod):
        assert "Make a link" in (await somebody.get(await there.desk())).text
        answer = await push(there, somebody, "/links", hours="168")
        path = answer.text.partition(there.town.services.public_url)[2].partition('"')[0]
        assert (await press(there.anybody(), path)).status == 303
        for wrong in ("", "0", "169", "24.0", "-24"):
            assert (await push(there, somebody, "/links", hours=wrong)).status == 400
    assert [(who, target) for who, act, target in acts(there) if act == "link"] == [
        (there.owner.id, "view"), (there.moderator.id, "view")
    ]  # fmt: skip


async def test_LINK_3_only_the_streamer_ends_all_links(there: PrivateTown) -> None:
    await there.says(f"!setup moderator {there.moderator.login}")
    link = await there.link()
    assert "End all links" not in (await there.mod.get(await there.desk())).text
    assert (await push(there, there.mod, "/links/revoke")).status == 409
    assert (await press(there.anybody(), link)).status == 303
    assert (await push(there, there.streamer, "/links/revoke")).status == 303
    assert (await press(there.anybody(), link)).status == 403


# --- settings


def form(there: PrivateTown, page: str) -> dict[str, str]:
    """The settings as the form shows them."""
    found = dict(re.findall(r'<input name="(\w+)" value="(\w*)" placeholder', page))
    for name, options in re.findall(r'<select name="(\w+)">(.*?)</select>', page):
        found[name] = re.search(r'value="(\w+)" selected', options)[1]  # type: ignore[index]
    return found


async def test_the_settings_show_what_holds_and_change_as_setup_does(there: PrivateTown) -> None:
    shown = form(there, (await there.streamer.get("/me")).text)
    assert set(shown) == set(ASKED) <= set(CHOICES)
    assert (shown["visibility"], shown["cooldown"], shown["who"]) == ("private", "", "everyone")
    same = await there.streamer.press("/me/settings", **shown)
    assert same.location == "/me?said=same"
    wanted = {"visibility": "public", "who": "vips", "cooldown": "30", "lead": "0", "window": "20"}
    wanted |= {"replies": "none", "names": "off", "markers": "on", "clips": "on"}
    assert set(wanted) == set(ASKED)
    before = len(acts(there))
    answer = await there.streamer.press("/me/settings", **wanted)
    assert answer.location == "/me?said=chosen"
    assert form(there, (await there.streamer.get("/me")).text) == wanted
    channel = await there.channel()
    assert channel.visibility is Visibility.PUBLIC
    assert channel.settings.cooldown_seconds == 30
    assert [(who, act) for who, act, _ in acts(there)[before:]] == [(there.owner.id, "setup")] * len(wanted)
    await there.streamer.press("/me/settings", cooldown="")
    assert (await there.channel()).settings.cooldown_seconds is None


@pytest.mark.parametrize(
    ("name", "word"), [("cooldown", "soon"), ("cooldown", "-1"), ("who", "nobody"), ("lead", "9e9")]
)
async def test_a_wrong_value_changes_none_of_the_settings(there: PrivateTown, name: str, word: str) -> None:
    kept = dump(there.town.path)
    answer = await there.streamer.press("/me/settings", **{"visibility": "public", name: word})
    assert answer.status == 400
    assert ASKED[name].label in answer.text
    assert 'href="/me">Back</a>' in answer.text
    assert dump(there.town.path) == kept


async def test_everybodys_form_is_about_their_own_channel(there: PrivateTown) -> None:
    await there.stranger.press("/me/settings", visibility="public", who="moderators")
    assert (await there.channel()).visibility is Visibility.PRIVATE
    assert (await there.channel()).settings.who_may_mark is Role.VIEWER
    assert (await there.mod.press("/me/settings", visibility="public")).status == 404
    assert "Settings of your channel" not in (await there.mod.get("/me")).text
