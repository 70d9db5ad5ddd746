"""LOG-1 with Twitch: from no token to a streamer's `!clip` and into every failure, and nothing secret comes out.

Twitch itself is the fake, which remembers every secret it ever made: tokens, codes, identities.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson
import pytest

from tests.canaries import Canaries, answers, files, spoken, told
from tests.databases import change
from tests.fake_twitch.server import FakeTwitch, FakeUser
from tests.process import PATIENCE, Running, running
from tests.twitch_site import Answer, Somebody

RUN = (sys.executable, "-m", "bot", "run")
ASKS_FOR_BOT = re.compile(r"open this link.*?(http://\S+/twitch/connect)\?code=(\S+)")
LINK = re.compile(r'value="[^"]+/link/([^"]+)"')
CALLBACKS = ("/twitch/connect/callback", "/login/twitch/callback")
NOBODY_THERE, ELSEWHERE = "ws://127.0.0.1:9/ws", "wss://evil.example/ws"


@asynccontextmanager
async def started(folder: Path, settings: dict[str, str]) -> AsyncIterator[Running]:
    """The real process, beside an event loop that goes on answering it."""
    with ExitStack() as stack:
        yield await asyncio.to_thread(stack.enter_context, running(folder, RUN, **settings))


async def until(is_true: Callable[[], object], what: str) -> None:
    """Wait for something outside this process; it rings no bell here."""
    for _ in range(int(PATIENCE / 0.05)):
        if await asyncio.to_thread(is_true):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"it never came to this: {what}")


class Scene:
    """A process, the fake Twitch it speaks to, and whom it meets there; `shown` is what people saw meanwhile."""

    def __init__(
        self, it: Running, twitch: FakeTwitch, canaries: Canaries, http: aiohttp.ClientSession, database: Path
    ) -> None:
        self.it, self.twitch, self.canaries, self._http, self._database = it, twitch, canaries, http, database
        self.site = f"http://localhost:{it.port}"
        self.shown: dict[str, str] = {}
        twitch.redirect_uris.update(self.site + path for path in CALLBACKS)
        self.bot, self.rosa, self.viewer = (twitch.user(login) for login in ("moments_bot", "rosa", "viewer"))

    @property
    def loud(self) -> dict[str, str]:
        """An answer that says every secret Twitch knows aloud, as a careless proxy might."""
        return {"message": " ".join(["Invalid OAuth token", *sorted(self.twitch.secrets)])}

    # --- people

    async def goes(self, user: FakeUser, start: str) -> tuple[Somebody, str]:
        """Somebody goes to Twitch, and where that sends them back; their state and cookies are secrets, too."""
        browser = Somebody(self._http, self.site, self.site, self.twitch)
        address = await browser.leave(start)
        # The nonce is kept until they are back, and proves nothing to anybody but us.
        self.canaries.add("a state", parse_qs(urlsplit(address).query)["state"][0])
        self._hide_cookies(browser)
        return browser, await browser.agree(address, user)

    async def walks(self, user: FakeUser, start: str) -> Somebody:
        """All the way there and back."""
        browser, back = await self.goes(user, start)
        answer = await browser.get(back)
        assert answer.status == 303
        self._saw(f"{user.login} comes back from {start}", answer)
        self._hide_cookies(browser)
        return browser

    async def lets_the_bot_in(self) -> None:
        """The operator opens the printed link. Its code is printed on purpose, once, and counts as a secret then."""
        await until(lambda: ASKS_FOR_BOT.search("".join(self.it.log)), "the link for the bot's account is printed")
        code = next(found[2] for line in self.it.log if (found := ASKS_FOR_BOT.search(line)))
        self.it.log[:] = [line for line in self.it.log if code not in line]
        self.canaries.add("the bot's one-time code", code)
        await self.walks(self.bot, f"/twitch/connect/start?code={code}")

    async def goes_live(self) -> None:
        """The stream begins, and with it the session."""
        await self.twitch.online(self.rosa, title="Any%")
        await until(lambda: "404" not in answers(self.it.port, ["/s/latest"])["GET /s/latest"][:3], "a session begins")

    async def clips(self, viewer: str, words: str) -> None:
        """A viewer marks something, and it is answered."""
        before = len(self.twitch.sent)
        await self.twitch.say(self.rosa, self.twitch.user(viewer), f"!clip {words}")
        await until(lambda: len(self.twitch.sent) > before, f"{words} is answered")

    async def gives_a_link(self, streamer: Somebody) -> None:
        """A signed link into a private channel is shown to whoever made it, once; somebody opens it."""
        latest = (await streamer.get("/s/latest")).location.rpartition("/s/")[2]
        await self.twitch.say(self.rosa, self.rosa, "!setup visibility private")
        desk = f"/me/s/{latest}"
        await until(lambda: "404" in answers(self.it.port, [f"/s/{latest}"])[f"GET /s/{latest}"][:3], "it is private")
        found = LINK.search((await streamer.press(f"{desk}/links", on=desk, hours="24")).text)
        assert found
        self.canaries.add("a signed link", found[1])
        guest = Somebody(self._http, self.site, self.site, self.twitch)
        link = f"/link/{found[1]}"
        self._saw("the link's page", await guest.get(link))
        assert (await guest.ask("POST", link, headers={"Sec-Fetch-Site": "same-origin"})).status == 303
        self._hide_cookies(guest)
        for somebody, path in ((guest, f"/s/{latest}"), (guest, f"/s/{latest}/export.json"), (streamer, desk)):
            page = await somebody.get(path)
            assert page.status == 200
            self._saw(path, page)

    # --- what goes wrong

    async def is_refused_in_chat(self, *statuses: int) -> None:
        """Helix answers what was to be said with these."""
        for status in statuses:
            fault = self.twitch.faults.add("POST", "/helix/chat/messages", status=status, body=self.loud)
            await self.twitch.say(self.rosa, self.twitch.user(f"viewer{status}"), "!clip again")
            await until(partial(getattr, fault, "used"), f"an answer of {status}")

    async def fails_to_log_in(self) -> None:
        """Each step of a login goes wrong; what was said there is on no page."""
        steps: list[tuple[str, int, Any]] = [
            *(("/oauth2/token", status, None) for status in (400, 403, 500)),
            *(("/oauth2/token", 200, None), ("/oauth2/token", 200, "no JSON: {}")),
            *(("/oauth2/validate", 401, None), ("/helix/users", 403, None)),
        ]
        for number, (path, status, words) in enumerate(steps):
            browser, back = await self.goes(self.viewer, "/login/twitch")
            body = words.format(self.loud) if words else self.loud
            fault = self.twitch.faults.add("*", path, status=status, body=body)
            self._saw(f"a login, {number}: {path} says {status}", answer := await browser.get(back))
            assert fault.used
            assert answer.status >= 400
        browser, back = await self.goes(self.viewer, "/login/twitch")
        stranger = Somebody(self._http, self.site, self.site, self.twitch)
        self._saw("a login of another browser", await stranger.get(back))
        said = self.canaries.new("what Twitch says of a refusal")
        browser, back = await self.goes(self.viewer, "/login/twitch")
        state = parse_qs(urlsplit(back).query)["state"][0]
        path = f"{CALLBACKS[1]}?error={said}&error_description={said}&state={state}"
        self._saw("a login Twitch refuses", await browser.get(path))

    async def meets_a_broken_store(self) -> None:
        """Whatever is to be kept of a login or of a streamer raises deep inside."""
        for what, user, start in (
            ("DELETE ON login_attempt", self.viewer, "/login/twitch"),
            ("INSERT ON web_session", self.viewer, "/login/twitch"),
            ("INSERT ON credential", self.rosa, "/twitch/connect/start"),
        ):
            browser, back = await self.goes(user, start)
            trigger = f"TRIGGER broken BEFORE {what} BEGIN SELECT RAISE(ABORT, 'broken'); END"
            await asyncio.to_thread(change, self._database, f"CREATE {trigger}")
            answer = await browser.get(back)
            await asyncio.to_thread(change, self._database, "DROP TRIGGER broken")
            self._saw(f"{start} with a store broken at {what}", answer)
            assert answer.status >= 500

    async def loses_its_sockets(self) -> None:
        """Frames nobody understands, and reconnect addresses nobody is at, with a secret in each."""
        secret = self.canaries.new("what a frame says")
        deep: Any = {"event": {"message": {"text": secret}, "badges": secret}, "session": secret}
        kinds = ("notification", "revocation", "session_welcome", "session_reconnect", secret)
        frames = [{"metadata": {"message_type": kind, "x": secret}, "payload": deep} for kind in kinds]
        chat = {"message_type": "notification", "subscription_type": "channel.chat.message", "message_id": secret}
        for frame in (*frames, {"metadata": chat, "payload": deep}, [secret], secret):
            await self.twitch.junk(orjson.dumps(frame).decode())
        await self.twitch.junk(f"no JSON: {secret}")
        for address, said in ((NOBODY_THERE, "could not be moved"), (ELSEWHERE, "reconnect address is not Twitch's")):
            before = set(self.twitch.sockets.live)
            await self.twitch.sockets.reconnect(f"{address}?token={secret}")
            await self.logs(said)
            await self.is_on_other_sockets(before)
        before = set(self.twitch.sockets.live)
        self.twitch.sockets.abort()
        await self.is_on_other_sockets(before)

    async def has_no_token(self) -> None:
        """All of them run out while there are no new ones."""
        down = self.twitch.faults.add("POST", "/oauth2/token", status=500, body=self.loud, times=None)
        self.twitch.faults.add("GET", "/oauth2/validate", status=429, body=self.loud, times=3)
        self.twitch.expire(None)
        await self.twitch.say(self.rosa, self.twitch.user("late"), "!clip too late")
        await until(lambda: down.used, "a token is asked for")
        self.twitch.faults.clear()

    # --- what it says

    async def logs(self, words: str) -> None:
        """Return once these words are in the log."""
        await until(lambda: words in "".join(self.it.log), f"it logs: {words}")

    async def is_on_other_sockets(self, before: set[str]) -> None:
        """Return once each of the two shards has a socket that is none of these."""

        def so() -> bool:
            shards = [shard for conduit in self.twitch.conduits.all.values() for shard in conduit.shards.values()]
            live = set(self.twitch.sockets.live)
            return not live & before and len(live) == 2 and all(shard.status == "enabled" for shard in shards)

        await until(so, "the sockets are new ones")

    def everything_is_secret(self) -> None:
        """What Twitch made so far is searched for from now on."""
        for secret in self.twitch.secrets:
            self.canaries.add("a secret of Twitch's", secret)

    def _saw(self, what: str, answer: Answer) -> None:
        """All of an answer but the cookies it sets, which are for that browser."""
        headers = {name: value for name, value in answer.headers.items() if name != "Set-Cookie"}
        self.shown[what] = f"{answer.status} {headers} {answer.text}"

    def _hide_cookies(self, browser: Somebody) -> None:
        for name, value in browser.cookies.items():
            for part in {value, value.rpartition(".")[2]}:  # of a login's cookie the end alone is secret
                self.canaries.add(f"a cookie {name}", part)


@asynccontextmanager
async def scene(log_format: str, canaries: Canaries) -> AsyncIterator[tuple[FakeTwitch, dict[str, str]]]:
    """A Twitch, and settings with a canary in every secret one."""
    hidden = canaries.settings()
    async with FakeTwitch(client_secret=hidden["MOMENTS_TWITCH_CLIENT_SECRET"]) as twitch:
        yield (
            twitch,
            hidden
            | {
                "MOMENTS_TWITCH_CLIENT_ID": twitch.client_id,
                "MOMENTS_TWITCH_BOT_ID": twitch.user("moments_bot").id,
                "MOMENTS_TWITCH_API_URL": twitch.api_url,
                "MOMENTS_TWITCH_AUTH_URL": twitch.auth_url,
                "MOMENTS_TWITCH_EVENTSUB_URL": twitch.eventsub_url,
                "MOMENTS_SPOTIFY_CLIENT_ID": "client",
                "MOMENTS_DISCORD_APPLICATION_ID": "1",
                "MOMENTS_LOG_FORMAT": log_format,
                "MOMENTS_LOG_LEVEL": "debug",
            },
        )


async def evening(play: Scene) -> None:
    """Everything once as it should be, then all that can go wrong."""
    await play.lets_the_bot_in()
    await play.walks(play.rosa, "/twitch/connect/start?markers=1&clips=1")
    streamer = await play.walks(play.rosa, "/login/twitch")
    viewer = await play.walks(play.viewer, "/login/twitch")
    await until(lambda: len(play.twitch.eventsub.subscriptions) >= 6, "the channel is subscribed to")
    await play.goes_live()
    await play.clips("viewer", "that dodge")
    await play.gives_a_link(streamer)
    await play.is_refused_in_chat(401, 200, 500)
    await play.fails_to_log_in()
    await play.meets_a_broken_store()
    await play.loses_its_sockets()
    await play.clips("another", "it goes on")
    await play.has_no_token()
    await play.is_refused_in_chat(403)  # the last: where the bot may not speak it keeps silent for a while
    for who, somebody in (("rosa", streamer), ("the viewer", viewer)):
        play.shown[f"/me of {who}"] = (await somebody.get("/me")).text
    await play.twitch.revoke(play.rosa)
    await play.logs("Twitch ended a subscription")


async def ended(play: Scene, folder: Path) -> list[dict[str, Any]]:
    """All that comes out of the process up to its end, and its files as they are just before."""
    outputs: list[dict[str, Any]] = [await asyncio.to_thread(answers, play.it.port), files(folder)]
    assert (await asyncio.to_thread(play.it.stop))[0] == 0
    return [*outputs, spoken(play.it), play.shown]


@pytest.mark.parametrize("log_format", ["console", "json"])
async def test_LOG_1_a_whole_failing_run_on_twitch_shows_no_secret(tmp_path: Path, log_format: str) -> None:
    canaries = Canaries()
    outputs: list[dict[str, Any]] = []
    no_jar = aiohttp.DummyCookieJar()
    async with scene(log_format, canaries) as (twitch, settings), aiohttp.ClientSession(cookie_jar=no_jar) as http:
        async with started(tmp_path, settings) as it:
            play = Scene(it, twitch, canaries, http, tmp_path / "moments.db")
            await evening(play)
            outputs += await ended(play, tmp_path)
        twitch.tokens.end_grants(play.bot)
        async with started(tmp_path, settings) as it:  # now every grant is dead, and that is found out at the start
            again = Scene(it, twitch, canaries, http, tmp_path / "moments.db")
            await again.logs("no longer works")
            outputs += await ended(again, tmp_path)
        play.everything_is_secret()
    wrong = settings | {"MOMENTS_SECRET_KEY": canaries.new("another key")}
    both = settings | {"MOMENTS_SECRET_KEY": f"{wrong['MOMENTS_SECRET_KEY']},{settings['MOMENTS_SECRET_KEY']}"}
    commands = [("export", "latest", "--format", "json"), ("doctor", "--rotate"), ("backup", "saved.db")]
    outputs.append(await asyncio.to_thread(lambda: told(tmp_path, ("run",), **wrong)))
    outputs.append(await asyncio.to_thread(lambda: told(tmp_path, *commands, **both)))
    assert "the tokens of 1 account" in outputs[-1]["moments doctor --rotate"]
    assert "that dodge" in outputs[-1]["moments export latest --format json"]
    canaries.assert_in_none_of(*outputs, files(tmp_path))
