"""Logging in with Twitch: who comes back, what for, and what is kept of it."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from commands.authority import role_of
from moments.people import Role
from storage import web_sessions
from tests.twitch_site import Somebody, Town, dump, open_town, rows, state_of
from web_export.limits import LimitRates, Limits
from web_export.oauth import return_path
from web_export.visitors import viewer


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


def exchanges(town: Town) -> int:
    """How often a code was brought to Twitch."""
    return sum(
        request.path == "/oauth2/token" and request.form.get("grant_type") == "authorization_code"
        for request in town.twitch.requests
    )


async def name_of(somebody: Somebody) -> str | None:
    """Who the site says is logged in."""
    found = re.search(r"logged in as <b><bdi>(.*?)</bdi>", (await somebody.get("/logout")).text)
    return found[1] if found else None


async def test_somebody_logs_in_and_out(town: Town) -> None:
    ann = town.somebody()
    assert "Log in with Twitch" in (await ann.get("/me")).text
    back = await ann.log_in(town.twitch.user("ann", "Ann"))
    assert (back.status, back.location) == (303, "/me")
    assert await name_of(ann) == "Ann"
    answer = await ann.press("/logout", on="/logout")
    assert (answer.status, answer.location) == (303, "/me?said=out")
    assert "You are logged out." in (await ann.get(answer.location)).text
    assert await name_of(ann) is None
    assert rows(town.path, "web_session") == []


async def test_AUTH_1_only_the_digest_of_a_state_is_kept(town: Town) -> None:
    address = await town.somebody().leave("/login/twitch")
    assert len(state_of(address)) == 43
    assert state_of(address) not in str(rows(town.path, "login_attempt"))
    assert len(rows(town.path, "login_attempt")) == 1


@pytest.mark.parametrize(
    "kind",
    ["wrong", "missing", "expired", "other browser", "no browser", "connect for login", "login for connect", "twice"],
)
async def test_AUTH_1_a_wrong_state_is_refused_before_any_code_is_used(town: Town, kind: str) -> None:
    ann, user = town.somebody(), town.twitch.user("ann")
    start = "/twitch/connect/start" if kind == "connect for login" else "/login/twitch"
    back = await ann.agree(await ann.leave(start), user)
    state = parse_qs(urlsplit(back).query)["state"][0]
    match kind:
        case "wrong":
            back = back.replace(state, state[::-1])
        case "missing":
            back = back.replace(f"&state={state}", "")
        case "expired":
            town.passes(minutes=10)
        case "other browser":
            ann = town.somebody()
            await ann.leave("/login/twitch")
        case "no browser":
            ann = town.somebody()
        case "connect for login":
            back = back.replace("/twitch/connect/callback", "/login/twitch/callback")
        case "login for connect":
            back = back.replace("/login/twitch/callback", "/twitch/connect/callback")
        case "twice":
            assert (await ann.get(back)).status == 303
    attempts, kept, used = rows(town.path, "login_attempt"), dump(town.path), exchanges(town)
    answer = await ann.get(back)
    assert answer.status == 400
    assert "Nothing was changed; please start it again." in answer.text
    assert (rows(town.path, "login_attempt"), dump(town.path), exchanges(town)) == (attempts, kept, used)
    assert not answer.cookies


async def test_AUTH_1_twenty_replays_at_once_are_one_login(town: Town) -> None:
    ann = town.somebody()
    back = await ann.agree(await ann.leave("/login/twitch"), town.twitch.user("ann"))
    answers = await asyncio.gather(*(ann.get(back) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [303] + [400] * 19
    assert exchanges(town) == 1
    assert len(rows(town.path, "web_session")) == 1


async def test_AUTH_1_a_code_of_somebody_elses_walk_is_of_no_use(town: Town) -> None:
    """Login CSRF: the victim's browser is made to open the attacker's callback."""
    attacker, victim = town.somebody(), town.somebody()
    await victim.leave("/login/twitch")
    back = await attacker.agree(await attacker.leave("/login/twitch"), town.twitch.user("mallory"))
    assert (await victim.get(back)).status == 400
    assert await name_of(victim) is None
    assert (await attacker.get(back)).status == 303  # the attempt was not used up by the wrong browser


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "another-client"}, {"iss": "https://evil.example"},
        {"exp": 1}, {"sub": "999"}, {"sub": None},
    ],
)  # fmt: skip
async def test_AUTH_2_an_identity_that_is_not_for_us_here_and_now_is_refused(
    town: Town, changes: dict[str, object]
) -> None:
    town.twitch.id_token_changes.update(changes)
    ann = town.somebody()
    assert (await ann.log_in(town.twitch.user("ann"))).status == 400
    assert await name_of(ann) is None
    assert rows(town.path, "web_session") == []


async def test_AUTH_2_a_token_of_another_client_is_refused(town: Town) -> None:
    ann = town.somebody()
    body = {"client_id": "another", "login": "ann", "scopes": ["openid"], "user_id": "1002", "expires_in": 5000}
    town.twitch.faults.add("GET", "/oauth2/validate", status=200, body=body, times=None)
    assert (await ann.log_in(town.twitch.user("ann"))).status == 400
    assert rows(town.path, "web_session") == []


async def test_AUTH_3_the_way_back_is_the_public_address_whatever_the_host_says(town: Town) -> None:
    ann = town.somebody()
    for start, callback in (("/login/twitch", "/login/twitch/callback"), ("/twitch/connect/start", None)):
        answer = await ann.get(start, Host="localhost.", **{"X-Forwarded-Host": "evil.example"})
        address = answer.location if answer.status == 303 else answer.text
        assert "evil.example" not in address
        if callback:
            assert parse_qs(urlsplit(address).query)["redirect_uri"] == [town.services.public_url + callback]
    assert (await ann.get("/login/twitch", Host="evil.example")).status == 421
    assert len(town.services.public_url.split(":")) == 3


async def test_AUTH_4_a_login_asks_for_nothing_and_keeps_no_token(town: Town) -> None:
    ann = town.somebody()
    await ann.log_in(town.twitch.user("ann"))
    asked = town.twitch.asked[-1]
    assert (asked.scopes, asked.force_verify, bool(asked.nonce)) == (frozenset({"openid"}), False, True)
    assert rows(town.path, "credential") == []
    revoked = [request for request in town.twitch.requests if request.path == "/oauth2/revoke"]
    assert len(revoked) == 1
    assert town.twitch.tokens.find(revoked[0].form["token"]) is None
    kept = "\n".join(dump(town.path))
    assert not [secret for secret in town.twitch.secrets if secret in kept]


async def test_AUTH_4_whoever_moderates_is_asked_for_the_list_and_that_token_goes_too(town: Town) -> None:
    ann, streamer = town.twitch.user("ann"), town.twitch.user("streamer")
    town.twitch.make_moderator(streamer, ann)
    somebody = town.somebody()
    back = await somebody.log_in(ann, "/login/twitch?moderator=1&return=/c/twitch/streamer")
    assert back.location == "/c/twitch/streamer"
    assert town.twitch.asked[-1].scopes == {"openid", "user:read:moderated_channels"}
    (session,) = rows(town.path, "web_session")
    assert f'["{streamer.id}"]' in session
    assert rows(town.path, "credential") == []
    revoked = [request for request in town.twitch.requests if request.path == "/oauth2/revoke"]
    assert town.twitch.tokens.find(revoked[0].form["token"]) is None


async def test_AUTH_4_the_token_goes_back_also_when_the_list_cannot_be_had(town: Town) -> None:
    town.twitch.faults.add("GET", "/helix/moderation/channels", status=500, times=None)
    somebody = town.somebody()
    answer = await somebody.log_in(town.twitch.user("ann"), "/login/twitch?moderator=1")
    assert answer.status == 502
    assert "Nothing was changed; try again in a minute." in answer.text
    assert [request.path for request in town.twitch.requests][-1] == "/oauth2/revoke"
    assert rows(town.path, "web_session") == []


async def test_AUTH_5_the_cookie_and_what_is_kept_of_it(town: Town) -> None:
    ann = town.somebody()
    back = await ann.log_in(town.twitch.user("ann"))
    (line,) = back.cookies
    cookie: SimpleCookie = SimpleCookie(line)
    morsel = cookie["moments"]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["domain"], morsel["secure"]) == (
        True, "Lax", "/", "", ""
    )  # fmt: skip
    session_id, secret = morsel.value.split(".")
    (row,) = rows(town.path, "web_session")
    assert secret not in str(row)
    thief = town.somebody()
    thief.cookies["moments"] = f"{session_id}.{row[1]}"
    assert await name_of(thief) is None
    thief.cookies["moments"] = f"{session_id}.{'A' * 43}"
    assert await name_of(thief) is None


async def test_AUTH_5_on_https_no_other_host_and_no_plain_page_can_set_the_cookie(tmp_path: Path) -> None:
    async with open_town(tmp_path, public_url="https://moments.example") as town:
        ann = town.somebody()
        start = await ann.get("/login/twitch")
        (browser,) = start.cookies
        back = await ann.agree(start.location, town.twitch.user("ann"))
        (line,) = (await ann.get(back)).cookies
        for cookie, name in ((browser, "__Host-moments-login="), (line, "__Host-moments=")):
            assert cookie.startswith(name)
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
            assert "Domain" not in cookie
        assert await name_of(ann) == "ann"
        (cleared,) = (await ann.press("/logout", on="/logout")).cookies
        assert {"Secure", "Path=/", "Max-Age=0"} <= set(cleared.split("; "))


async def test_AUTH_5_a_login_ends_after_30_idle_days_and_after_90_days(town: Town) -> None:
    idle, busy = town.somebody(), town.somebody()
    await idle.log_in(town.twitch.user("idle"))
    await busy.log_in(town.twitch.user("busy"))
    for _ in range(3):
        town.passes(days=29, hours=23)
        assert await name_of(busy) == "busy"
    assert await name_of(idle) is None
    town.passes(hours=4)
    assert await name_of(busy) is None


async def test_that_somebody_was_seen_is_written_every_few_minutes_at_most(town: Town) -> None:
    ann = town.somebody()
    await ann.log_in(town.twitch.user("ann"))
    kept = dump(town.path)
    town.passes(minutes=5)
    await ann.get("/me")
    assert dump(town.path) == kept
    town.passes(seconds=1)
    await ann.get("/me")
    assert dump(town.path) != kept


async def test_AUTH_7_a_login_makes_a_new_session_and_the_old_one_is_dead(town: Town) -> None:
    ann = town.somebody()
    await ann.log_in(town.twitch.user("ann"))
    before = town.somebody()
    before.cookies = dict(ann.cookies)
    for step in (ann.log_in, ann.connect):
        await step(town.twitch.user("ann"))
        assert await name_of(before) is None
        assert before.cookies["moments"] != ann.cookies["moments"]
        assert await name_of(ann) == "ann"
        assert len(rows(town.path, "web_session")) == 1
        before.cookies = dict(ann.cookies)


async def test_AUTH_7_a_cookie_somebody_else_put_there_is_not_taken_over(town: Town) -> None:
    ann = town.somebody()
    ann.cookies["moments"] = planted = f"{'a' * 22}.{'b' * 43}"
    await ann.log_in(town.twitch.user("ann"))
    assert ann.cookies["moments"] != planted
    assert "a" * 22 not in str(rows(town.path, "web_session"))


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("/s/abc", "/s/abc"), ("/c/twitch/ann_1?before=3&a=b", "/c/twitch/ann_1?before=3&a=b"), ("/", "/"),
        ("//e", "/"), ("/\\e", "/"), ("/\te", "/"), ("https://e", "/"), ("/..//e", "/"), ("/s#x", "/"),
        ("javascript:1", "/"), ("/a/../b", "/"), ("/%2e%2e//e", "/"), ("/s\n", "/"), ("/" + "a" * 501, "/"), ("", "/"),
        (None, "/"),
    ],
)  # fmt: skip
async def test_AUTH_8_one_returns_to_a_page_of_ours_only(word: str | None, path: str) -> None:
    assert return_path(word) == path


async def test_AUTH_8_the_way_back_is_not_in_any_address(town: Town) -> None:
    ann = town.somebody()
    address = await ann.leave("/login/twitch?return=/s/abc")
    assert "abc" not in address
    assert (await ann.get(await ann.agree(address, town.twitch.user("ann")))).location == "/s/abc"
    assert (await ann.log_in(town.twitch.user("ann"), "/login/twitch?return=//evil.example")).location == "/"


async def test_AUTH_11_what_twitch_says_is_not_repeated(town: Town) -> None:
    ann = town.somebody()
    back = await ann.agree(await ann.leave("/login/twitch"), None)
    answer = await ann.get(back + "&error_description=<b>CANARY</b>&code=")
    assert (answer.status, answer.location, answer.text) == (303, "/me?said=refused", "")
    page = await ann.get(answer.location)
    assert "Twitch did not log you in. Nothing was changed." in page.text
    again = await ann.get(back + "&error_description=<b>CANARY</b>")
    assert again.status == 400
    assert "CANARY" not in again.text
    assert "denied" not in again.text
    assert "CANARY" not in (await ann.get("/me?said=CANARY")).text


async def test_AUTH_11_callbacks_are_kept_nowhere_and_lead_to_a_clean_address(town: Town) -> None:
    ann, user = town.somebody(), town.twitch.user("ann")
    good = await ann.log_in(user)
    denied = await ann.get(await ann.agree(await ann.leave("/twitch/connect/start"), None))
    connected = await ann.connect(user)
    bad = await ann.get("/login/twitch/callback?code=x&state=y")
    for answer in (good, denied, connected, bad):
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    for answer in (good, denied, connected):
        assert answer.status == 303
        assert "code=" not in answer.location
        assert "state=" not in answer.location
    assert denied.location == "/twitch/connect?said=not-connected"


async def test_a_code_twitch_does_not_know_is_told_in_our_words(town: Town) -> None:
    ann = town.somebody()
    state = state_of(await ann.leave("/login/twitch"))
    answer = await ann.get(f"/login/twitch/callback?code=made-up&state={state}")
    assert answer.status == 400
    assert "please start it again" in answer.text


async def test_twitch_being_down_is_told_in_our_words(town: Town) -> None:
    ann = town.somebody()
    town.twitch.faults.add("POST", "/oauth2/token", status=503, times=None)
    answer = await ann.log_in(town.twitch.user("ann"))
    assert answer.status == 502
    assert "Twitch did not answer as it should" in answer.text
    assert "/oauth2" not in answer.text


async def test_whoever_opens_the_site_by_another_name_of_this_machine_is_led_to_the_public_one(town: Town) -> None:
    ann = town.somebody()
    port = town.services.public_url.rpartition(":")[2]
    for path in ("/login/twitch?moderator=1", "/twitch/connect/start?clips=1"):
        answer = await ann.get(path, Host=f"localhost:{port}")
        assert (answer.status, answer.location) == (303, town.services.public_url + path)
    assert rows(town.path, "login_attempt") == []


async def test_without_twitch_the_pages_say_what_the_operator_sets(tmp_path: Path) -> None:
    async with open_town(tmp_path, twitch=False) as town:
        somebody = town.somebody()
        for path in ("/login/twitch", "/twitch/connect", "/twitch/connect/start", "/twitch/connect?code=x"):
            answer = await somebody.get(path)
            assert answer.status == 404
            assert "MOMENTS_TWITCH_CLIENT_ID" in answer.text
        assert "MOMENTS_TWITCH_CLIENT_ID" in (await somebody.get("/me")).text
        state = "s" * 43
        assert (await somebody.get(f"/login/twitch/callback?code=x&state={state}")).status == 400


async def test_RES_4_ten_logins_in_ten_minutes_an_address(tmp_path: Path) -> None:
    async with open_town(tmp_path, limits=Limits(LimitRates(spare_operator=False))) as town:
        somebody = town.somebody()
        answers = [await somebody.get("/login/twitch") for _ in range(6)]
        answers += [await somebody.get("/twitch/connect/start?markers=1") for _ in range(4)]
        assert {answer.status for answer in answers} == {303, 200}
        for path in ("/login/twitch", "/twitch/connect/start", "/twitch/connect?code=guess"):
            answer = await somebody.get(path)
            assert (answer.status, answer.headers["Retry-After"]) == (429, "60")
        assert (await somebody.get("/me")).status == 200
        assert (await somebody.get("/twitch/connect")).status == 200


async def test_AZ_3_a_moderator_acts_for_ten_minutes_and_reads_for_an_hour(town: Town) -> None:
    ann, streamer = town.twitch.user("ann"), town.twitch.user("streamer")
    town.twitch.make_moderator(streamer, ann)
    await town.somebody().connect(streamer)
    await town.somebody().log_in(ann, "/login/twitch?moderator=1")
    await town.twitch.remove_moderator(streamer, ann)
    channel = await town.services.store.channel("twitch", streamer.id)
    (session,) = await web_sessions.of_account(town.services.store, "twitch", ann.id)
    assert channel is not None

    async def role(*, act: bool) -> Role:
        assert channel is not None
        return await role_of(town.services, viewer(session), channel, act=act)

    assert (await role(act=True), await role(act=False)) == (Role.MODERATOR, Role.MODERATOR)
    town.watch.now += timedelta(minutes=10, seconds=1)
    assert (await role(act=True), await role(act=False)) == (Role.VIEWER, Role.MODERATOR)
    town.watch.now += timedelta(minutes=50)
    assert (await role(act=True), await role(act=False)) == (Role.VIEWER, Role.VIEWER)
