"""The page a streamer agrees on: whom it lets agree, to what, and the list by which they end it again."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from commands import connecting
from moments.live import Place
from moments.people import Role
from storage import audit, joined
from storage.retention import JOIN_CODE
from tests.fake_discord.server import FakeDiscord
from tests.guild import CLIPS, DEN, KnownGuilds, boss_manages, typed
from tests.private_town import PrivateTown, open_private_town
from tests.twitch_site import Answer, Somebody, dump, open_town, rows


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[PrivateTown]:
    async with open_private_town(tmp_path, private=False, guilds=KnownGuilds(boss_manages())) as there:
        yield there


async def answer(
    there: PrivateTown, line: str, name: str = "rook", role: Role = Role.VIEWER, place: Place = CLIPS
) -> str:
    """What a slash command is answered in a server's channel."""
    reply = await typed(there.town.services, there.town.watch.now, line, name, role=role, place=place)
    return reply.text if reply else ""


async def link(there: PrivateTown, place: Place = CLIPS) -> str:
    """The page that `/setup join` leads to."""
    return "/join" + (await answer(there, "/setup join", "boss", Role.BROADCASTER, place)).rpartition("/join")[2]


async def opened(who: Somebody, page: str) -> Answer:
    """What that link shows: the code goes into a cookie on the way."""
    there = await who.get(page)
    return await who.get(there.location) if there.status == 303 else there


async def press(who: Somebody, page: str, **more: str) -> tuple[int, str]:
    """The page's button, by whoever it is shown to."""
    form = {"code": page.rpartition("=")[2], "discord": CLIPS.platform_id, **more}
    said = await who.press("/join", on="/logout", **form)
    return said.status, said.location if said.status == 303 else said.text


async def joinings(there: PrivateTown) -> list[tuple[object, ...]]:
    return rows(there.town.path, "joined")


async def test_a_streamer_reads_what_is_asked_agrees_and_ends_it_on_their_page(there: PrivateTown) -> None:
    page = await link(there)
    shown = await opened(there.streamer, page)
    text = unescape(shown.text)
    assert shown.status == 200
    for word in ("Night Owls", "9001", "#clips", "7001", "Boss", "50boss", "Nightowl", "Who asks"):
        assert word in text, word
    assert shown.headers["Cache-Control"] == "private, no-store"
    assert shown.headers["X-Robots-Tag"] == "noindex"
    assert 'type="checkbox"' in text
    assert "checked" not in text
    agreed = await there.streamer.press(
        "/join", on="/join", code=page.rpartition("=")[2], discord=CLIPS.platform_id, streamer=there.owner.id
    )
    assert (agreed.status, agreed.location) == (303, "/me?said=joined")
    mine = unescape((await there.streamer.get(agreed.location)).text)
    assert "goes into your session" in mine
    assert "Joined on Discord" in mine
    assert "#clips" in mine
    assert "its moderators may" not in mine
    assert (await answer(there, "/clip from Discord")).startswith("Marked #4")
    assert "from Discord" in (await there.anybody().get(await there.path())).text
    ended = await there.streamer.press(f"/me/joined/{CLIPS.platform_id}/end")
    assert ended.location == "/me?said=unjoined"
    assert "Joined on Discord" not in (await there.streamer.get("/me")).text
    assert (await answer(there, "/clip")).startswith("Not live")
    assert (await there.streamer.press(f"/me/joined/{CLIPS.platform_id}/end")).location == "/me?said=not-joined"


async def test_the_code_waits_through_the_login_and_its_page_says_nothing_before(there: PrivateTown) -> None:
    page, somebody = await link(there), there.anybody()
    before = await opened(somebody, page)
    assert before.status == 200
    assert "Night Owls" not in before.text
    assert 'href="/login/twitch?return=/join"' in before.text
    back = await somebody.log_in(there.owner, "/login/twitch?return=/join")
    assert back.location == "/join"
    assert "Night Owls" in (await somebody.get(back.location)).text


async def test_AZ_4_the_code_leaves_the_address_bar_for_a_cookie_and_is_never_in_the_store(there: PrivateTown) -> None:
    page, somebody = await link(there), there.anybody()
    code = page.rpartition("=")[2]
    answer = await somebody.get(page)
    assert (answer.status, answer.location) == (303, "/join")
    assert answer.headers["Cache-Control"] == "private, no-store"
    (cookie,) = answer.cookies
    assert cookie == f"moments-join={code}; HttpOnly; Max-Age=600; Path=/join; SameSite=Lax"
    where = re.search(r'href="(/login/twitch[^"]*)"', (await somebody.get("/join")).text)
    assert where
    await somebody.leave(where[1])
    assert len(rows(there.town.path, "login_attempt")) == 1
    assert code.encode() not in b"".join(each.read_bytes() for each in there.town.path.parent.glob("moments.db*"))


async def test_over_https_only_https_may_set_the_codes_cookie(tmp_path: Path) -> None:
    async with open_town(tmp_path, public_url="https://moments.example") as town:
        answer = await town.somebody().get(f"/join?code={'x' * 32}")
        (cookie,) = answer.cookies
        assert cookie.startswith("__Secure-moments-join=x")  # __Host- is for cookies of all paths
        assert {"Secure", "HttpOnly", "Path=/join", "SameSite=Lax"} <= set(cookie.split("; "))


async def test_AZ_4_the_page_refuses_who_asked_and_manages_the_server_no_more(there: PrivateTown) -> None:
    guilds = there.town.services.guilds
    assert isinstance(guilds, KnownGuilds)
    page = await link(there)
    guilds.roles.clear()
    status, text = await press(there.streamer, page, streamer=there.owner.id)
    assert status == 409
    assert "Whoever asked for this may not manage that server any more." in unescape(text)
    guilds.down = True
    status, text = await press(there.streamer, page, streamer=there.owner.id)
    assert status == 409
    assert "Discord does not say just now" in unescape(text)
    assert await joinings(there) == []


async def test_who_is_logged_in_with_discord_is_asked_to_log_in_with_twitch_and_told_no_more(tmp_path: Path) -> None:
    async with FakeDiscord() as discord, open_town(tmp_path, discord=discord) as town:
        somebody = town.somebody()
        await somebody.log_in(discord.user("sable"), "/login/discord")
        page = f"/join?code={'x' * 32}"
        shown = await opened(somebody, page)
        assert shown.status == 200
        assert 'href="/login/twitch?return=/join"' in shown.text
        assert "whose channel" not in shown.text


async def test_who_agrees_reads_that_marks_may_be_posted_with_words_and_names(there: PrivateTown) -> None:
    text = (await opened(there.streamer, await link(there))).text
    assert "have the marks of your sessions posted there, with what was written and by whom" in text


async def test_AZ_4_a_moderator_who_confirms_is_refused(there: PrivateTown) -> None:
    page = await link(there)
    shown = await opened(there.mod, page)
    assert shown.status == 403
    assert "Night Owls" not in shown.text
    assert "/twitch/connect" in shown.text
    for streamer in (there.owner.id, there.moderator.id):
        assert (await press(there.mod, page, streamer=streamer, moderators="1"))[0] == 403
    assert await joinings(there) == []


async def test_AZ_4_another_streamer_cannot_confirm_this_ones_page(there: PrivateTown) -> None:
    page = await link(there)
    assert (await press(there.stranger, page, streamer=there.owner.id))[0] == 403
    assert await joinings(there) == []


async def test_AZ_4_a_code_of_one_server_is_refused_for_another(there: PrivateTown) -> None:
    page = await link(there)
    await link(there, DEN)
    assert (await press(there.streamer, page, discord=DEN.platform_id, streamer=there.owner.id))[0] == 403
    assert await joinings(there) == []


async def test_AZ_4_a_code_is_used_once_and_for_ten_minutes(there: PrivateTown) -> None:
    page = await link(there)
    there.town.watch.now += JOIN_CODE
    late = await opened(there.streamer, page)
    assert late.status == 404
    assert "That code has run out, or was used already." in late.text
    assert (await press(there.streamer, page, streamer=there.owner.id))[0] == 404
    page = await link(there)
    assert (await press(there.streamer, page, streamer=there.owner.id))[0] == 303
    assert (await press(there.streamer, page, streamer=there.owner.id))[0] == 404
    assert (await there.streamer.get("/join?code=short")).status == 400
    assert (await there.anybody().get("/join")).status == 400


async def test_AZ_4_the_servers_moderators_act_only_where_the_box_was_ticked(there: PrivateTown) -> None:
    await press(there.streamer, await link(there), streamer=there.owner.id)
    assert (await answer(there, "/pause", "mod", Role.MODERATOR)).startswith("This channel marks along with")
    await there.streamer.press(f"/me/joined/{CLIPS.platform_id}/end")
    await press(there.streamer, await link(there), streamer=there.owner.id, moderators="1")
    assert "its moderators may" in (await there.streamer.get("/me")).text
    assert (await answer(there, "/pause", "mod", Role.MODERATOR)).startswith("Paused")
    desk = unescape((await there.streamer.get(await there.desk())).text)
    assert "Joined a Discord channel, moderators too" in desk


async def test_AZ_4_disconnecting_ends_what_was_joined(there: PrivateTown) -> None:
    await press(there.streamer, await link(there), streamer=there.owner.id)
    await there.streamer.press("/me/disconnect")
    assert await joinings(there) == []


async def test_AZ_6_nobody_ends_another_streamers_joining(there: PrivateTown) -> None:
    await press(there.streamer, await link(there), streamer=there.owner.id)
    for somebody in (there.mod, there.stranger):
        refused = await somebody.press(f"/me/joined/{CLIPS.platform_id}/end")
        assert refused.location == "/me?said=not-joined"
    assert (await there.anybody().ask("POST", f"/me/joined/{CLIPS.platform_id}/end")).location == "/me"
    assert len(await joinings(there)) == 1


async def test_AUTH_6_another_sites_form_joins_and_ends_nothing(there: PrivateTown) -> None:
    page = await link(there)
    form = {"code": page.rpartition("=")[2], "discord": CLIPS.platform_id, "streamer": there.owner.id}
    for path in ("/join", f"/me/joined/{CLIPS.platform_id}/end"):
        answer = await there.streamer.ask("POST", path, data=form, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status == 403
    assert await joinings(there) == []


async def test_reading_the_page_changes_nothing_and_hides_the_code_from_the_store(there: PrivateTown) -> None:
    page = await link(there)
    before = dump(there.town.path)
    for somebody in (there.streamer, there.mod, there.anybody()):
        await opened(somebody, page)
    assert dump(there.town.path) == before
    assert page.rpartition("=")[2] not in "\n".join(before)


async def test_AZ_8_both_sides_read_who_did_what(there: PrivateTown) -> None:
    await press(there.streamer, await link(there), streamer=there.owner.id)
    channel = await there.town.services.store.channel(*CLIPS[:2])
    assert channel
    told = [(each.act, each.actor_user_id) for each in await audit.entries(there.town.services.store, channel)]
    assert told == [("join", there.owner.id), ("ask to join", "50boss")]


async def test_a_private_discord_channels_pages_open_for_nobody_but_its_servers_moderators(there: PrivateTown) -> None:
    guilds = KnownGuilds({("9001", CLIPS.platform_id, "50mod"): Role.MODERATOR})
    services = replace(there.town.services, guilds=guilds)
    there.town.services = services
    await answer(there, "/start Rehearsal", "boss", Role.BROADCASTER)
    await answer(there, "/setup visibility private", "boss", Role.BROADCASTER)
    session = await services.store.newest_session(*CLIPS[:2])
    assert session
    for somebody in (there.anybody(), there.mod, there.streamer):
        assert (await somebody.get(f"/s/{session.id}")).status == 404
    given = await answer(there, "/clips", "mod", Role.MODERATOR)
    assert "/link/" in given


async def test_a_streamer_whose_leave_is_over_is_sent_to_connect_again(there: PrivateTown) -> None:
    page = await link(there)
    await connecting.needs_authorisation(there.town.services, there.owner.id, there.town.watch.now)
    assert (await opened(there.streamer, page)).status == 403
    assert (await press(there.streamer, page, streamer=there.owner.id))[0] == 403
    assert await joined.of_discord(there.town.services.store, CLIPS.platform_id) is None
