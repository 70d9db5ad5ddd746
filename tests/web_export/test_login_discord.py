"""Logging in with Discord: the same walk as Twitch's, with another proof and one scope."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fake_discord.server import FakeDiscord
from tests.twitch_site import Somebody, Town, dump, open_town, rows, state_of


@asynccontextmanager
async def opened(folder: Path, **more: Any) -> AsyncIterator[tuple[Town, FakeDiscord]]:  # noqa: ANN401 -- open_town's
    async with FakeDiscord() as discord, open_town(folder, discord=discord, **more) as town:
        yield town, discord


@pytest.fixture
async def places(tmp_path: Path) -> AsyncIterator[tuple[Town, FakeDiscord]]:
    async with opened(tmp_path) as both:
        yield both


@pytest.fixture
def town(places: tuple[Town, FakeDiscord]) -> Town:
    return places[0]


@pytest.fixture
def discord(places: tuple[Town, FakeDiscord]) -> FakeDiscord:
    return places[1]


START = "/login/discord"


def asked(discord: FakeDiscord, path: str) -> list[Any]:
    return [request for request in discord.requests if request.path == f"/api/v10{path}"]


async def name_of(somebody: Somebody) -> str | None:
    """Who the site says is logged in."""
    found = re.search(r"logged in as <b><bdi>(.*?)</bdi>", (await somebody.get("/logout")).text)
    return found[1] if found else None


async def test_somebody_logs_in_and_out_and_the_page_is_theirs(town: Town, discord: FakeDiscord) -> None:
    sable, somebody = discord.user("sable", global_name="Sable <3"), town.somebody()
    page = (await somebody.get("/me")).text
    assert 'href="/login/discord">Log in with Discord</a>' in page
    assert 'href="/login/twitch">Log in with Twitch</a>' in page
    back = await somebody.log_in(sable, START)
    assert (back.status, back.location) == (303, "/me")
    assert await name_of(somebody) == "Sable &lt;3"
    mine = (await somebody.get("/me")).text
    assert "<h3>Discord</h3>" in mine
    assert "Log in with Twitch to look after your channel." in mine
    assert 'href="/login/twitch">Log in with Twitch</a>' in mine
    assert "Not connected." not in mine
    assert "type <b>/clip</b>" in mine
    assert "type <b>/moment</b>" in (await somebody.get("/me/moments")).text
    assert rows(town.path, "web_session")[0][2:4] == ("discord", sable.id)
    await somebody.press("/logout", on="/logout")
    assert await name_of(somebody) is None


async def test_AUTH_1_only_digests_of_a_state_are_kept_and_for_this_provider(town: Town) -> None:
    address = await town.somebody().leave(START)
    assert len(state_of(address)) == 43
    (attempt,) = rows(town.path, "login_attempt")
    assert state_of(address) not in str(attempt)
    assert attempt[1:3] == ("discord", "login")


@pytest.mark.parametrize(
    "kind", ["wrong", "missing", "expired", "other browser", "no browser", "twitch's", "for twitch", "link's", "twice"]
)
async def test_AUTH_1_AUTH_3_a_wrong_state_is_refused_before_any_code_is_used(
    town: Town, discord: FakeDiscord, kind: str
) -> None:
    somebody, sable = town.somebody(), discord.user("sable")
    back = await somebody.agree(await somebody.leave(START), sable)
    state = parse_qs(urlsplit(back).query)["state"][0]
    match kind:
        case "wrong":
            back = back.replace(state, state[::-1])
        case "missing":
            back = back.replace(f"&state={state}", "")
        case "expired":
            town.passes(minutes=10)
        case "other browser":
            somebody = town.somebody()
            await somebody.leave(START)
        case "no browser":
            somebody = town.somebody()
        case "twitch's":
            twitch = await somebody.agree(await somebody.leave("/login/twitch"), town.twitch.user("ann"))
            back = twitch.replace("/login/twitch/", "/login/discord/")
        case "for twitch":
            back = back.replace("/login/discord/", "/login/twitch/")
        case "link's":
            back = back.replace("/login/discord/", "/me/link/discord/")
        case "twice":
            assert (await somebody.get(back)).status == 303
    used, kept, sessions = len(asked(discord, "/oauth2/token")), dump(town.path), rows(town.path, "web_session")
    answer = await somebody.get(back)
    assert answer.status == 400
    assert "Nothing was changed; please start it again." in answer.text
    assert (len(asked(discord, "/oauth2/token")), dump(town.path)) == (used, kept)
    assert rows(town.path, "web_session") == sessions
    assert not [request for request in town.twitch.requests if request.path == "/oauth2/token"]


async def test_AUTH_1_twenty_replays_at_once_are_one_login(town: Town, discord: FakeDiscord) -> None:
    somebody = town.somebody()
    back = await somebody.agree(await somebody.leave(START), discord.user("sable"))
    answers = await asyncio.gather(*(somebody.get(back) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [303] + [400] * 19
    assert len(asked(discord, "/oauth2/token")) == 1
    assert len(rows(town.path, "web_session")) == 1


async def test_AUTH_2_a_code_brought_with_another_walks_verifier_logs_nobody_in(
    town: Town, discord: FakeDiscord
) -> None:
    """A code that was stolen on its way is put into the thief's own walk."""
    victim, thief = town.somebody(), town.somebody()
    stolen = await victim.agree(await victim.leave(START), discord.user("sable"))
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    answer = await thief.get(f"/login/discord/callback?code={code}&state={state_of(await thief.leave(START))}")
    assert answer.status == 400
    assert "please start it again" in answer.text
    assert rows(town.path, "web_session") == []
    assert discord.oauth.tokens == []


async def test_AUTH_2_every_walk_has_a_challenge_of_its_own(town: Town, discord: FakeDiscord) -> None:
    somebody = town.somebody()
    for _ in range(2):
        await somebody.log_in(discord.user("sable"), START)
    challenges = {each.code_challenge for each in discord.oauth.asked if each.user}
    assert len(challenges) == 2
    assert None not in challenges


async def test_AUTH_3_the_way_back_is_the_public_address_whatever_the_host_says(town: Town) -> None:
    answer = await town.somebody().get(START, Host="localhost.", **{"X-Forwarded-Host": "evil.example"})
    assert "evil.example" not in answer.location
    back = parse_qs(urlsplit(answer.location).query)["redirect_uri"]
    assert back == [f"{town.services.public_url}/login/discord/callback"]


async def test_AUTH_3_a_code_of_twitch_is_of_no_use_at_discords_callback(town: Town, discord: FakeDiscord) -> None:
    somebody = town.somebody()
    twitch = await somebody.agree(await somebody.leave("/login/twitch"), town.twitch.user("ann"))
    code, state = parse_qs(urlsplit(twitch).query)["code"][0], state_of(await somebody.leave(START))
    assert (await somebody.get(f"/login/discord/callback?code={code}&state={state}")).status == 400
    assert rows(town.path, "web_session") == []
    assert discord.oauth.tokens == []


async def test_AUTH_4_a_login_asks_who_one_is_and_keeps_no_token(town: Town, discord: FakeDiscord) -> None:
    await town.somebody().log_in(discord.user("sable"), f"{START}?moderator=1")
    assert discord.oauth.asked[-1].scopes == frozenset({"identify"})
    assert rows(town.path, "credential") == []
    assert discord.oauth.tokens == []
    assert [request.path.rpartition("/")[2] for request in discord.requests][-3:] == ["token", "@me", "revoke"]
    kept = "\n".join(dump(town.path))
    assert not [secret for secret in discord.secrets if secret in kept]


async def test_a_token_that_cannot_be_given_back_keeps_nobody_out(town: Town, discord: FakeDiscord) -> None:
    discord.faults.add("POST", "/api/v10/oauth2/token/revoke", status=503, times=1)
    somebody = town.somebody()
    assert (await somebody.log_in(discord.user("sable"), START)).status == 303
    assert await name_of(somebody) == "sable"


async def test_AUTH_7_a_login_makes_a_new_session_and_the_old_one_is_dead(town: Town, discord: FakeDiscord) -> None:
    somebody, before = town.somebody(), town.somebody()
    await somebody.log_in(town.twitch.user("ann"))
    before.cookies = dict(somebody.cookies)
    await somebody.log_in(discord.user("sable"), START)
    assert await name_of(before) is None
    assert await name_of(somebody) == "sable"
    assert len(rows(town.path, "web_session")) == 1


async def test_AUTH_8_the_way_back_is_not_in_any_address_and_is_ours(town: Town, discord: FakeDiscord) -> None:
    somebody, sable = town.somebody(), discord.user("sable")
    address = await somebody.leave(f"{START}?return=/s/abc")
    assert "abc" not in address
    assert (await somebody.get(await somebody.agree(address, sable))).location == "/s/abc"
    assert (await somebody.log_in(sable, f"{START}?return=//evil.example")).location == "/"


async def test_AUTH_11_what_discord_says_is_not_repeated_and_kept_nowhere(town: Town) -> None:
    somebody = town.somebody()
    back = await somebody.agree(await somebody.leave(START), None)
    answer = await somebody.get(back + "&error_description=<b>CANARY</b>&code=")
    assert (answer.status, answer.location, answer.text) == (303, "/me?said=refused-discord", "")
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Discord did not log you in. Nothing was changed." in (await somebody.get(answer.location)).text
    again = await somebody.get(back + "&error_description=<b>CANARY</b>")
    assert again.status == 400
    assert "CANARY" not in again.text
    assert "denied" not in again.text


@pytest.mark.parametrize("path", ["/api/v10/oauth2/token", "/api/v10/users/@me"])
async def test_discord_being_down_is_told_in_our_words(town: Town, discord: FakeDiscord, path: str) -> None:
    discord.faults.add("*", path, status=503, times=1)
    answer = await town.somebody().log_in(discord.user("sable"), START)
    assert answer.status == 502
    assert "Discord did not answer as it should. Nothing was changed" in answer.text
    assert "oauth2" not in answer.text
    assert discord.oauth.tokens == []
    assert rows(town.path, "web_session") == []


async def test_without_its_settings_the_pages_say_what_the_operator_sets(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        somebody = town.somebody()
        answer = await somebody.get(START)
        assert answer.status == 404
        assert "MOMENTS_DISCORD_APPLICATION_ID and MOMENTS_DISCORD_CLIENT_SECRET" in answer.text
        page = (await somebody.get("/me")).text
        assert "Log in with Twitch" in page
        assert "Discord" not in page
        assert (await somebody.get("/login/elsewhere")).status == 404


async def test_with_discord_alone_one_logs_in_there_and_connects_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, twitch=False) as (town, discord):
        somebody = town.somebody()
        page = (await somebody.get("/me")).text
        assert "Log in with Discord" in page
        assert "/twitch/connect" not in page
        await somebody.log_in(discord.user("sable"), START)
        page = (await somebody.get("/me")).text
        assert "/twitch/connect" not in page
        assert "Link Twitch" not in page
