"""Private channels on the site: open for their moderators, not there for anybody else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moments.errors import StoreFull
from moments.people import Role
from tests.private_town import PrivateTown, open_private_town
from tests.twitch_site import Answer, Somebody, rows
from web_export import live

HIDDEN = ("Secret rehearsal", "Hollow Deep", "what ann saw")
ONE_READERS = {"Cache-Control": "private, no-store", "Vary": "Cookie", "X-Robots-Tag": "noindex"}


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[PrivateTown]:
    async with open_private_town(tmp_path) as there:
        yield there


async def paths(there: PrivateTown) -> list[str]:
    """Every address of a private session and its channel."""
    page = await there.path()
    session = (await there.session()).id
    return [
        *(page, f"{page}?before=1.9.9", f"{page}/export.csv", f"{page}/export.json", f"{page}/export.edl?fps=25"),
        *(f"/api/v1/sessions/{session}", f"/api/v1/sessions/{session}/timestamps"),
        *(f"/c/twitch/{there.owner.login}", f"/c/twitch/{there.owner.id}", f"{page}/events"),
    ]


def missing(path: str, there: PrivateTown, session_id: str) -> str:
    """The same address of what is not there."""
    return path.replace(session_id, session_id[::-1]).replace("nightowl", "nobody").replace(there.owner.id, "999999")


def told(answer: Answer) -> tuple[object, ...]:
    """All an answer says, but when."""
    varying = {"Date", "Content-Length"}
    return answer.status, answer.text, sorted((k, v) for k, v in answer.headers.items() if k not in varying)


async def read(somebody: Somebody, path: str, **headers: str) -> Answer:
    """The answer, or its beginning when it goes on for ever."""
    if path.endswith("/events"):
        return await somebody.ask("HEAD", path, headers=headers)
    return await somebody.get(path, **headers)


async def test_AZ_6_to_everyone_else_a_private_channel_is_not_there(there: PrivateTown) -> None:
    session_id = (await there.session()).id
    for somebody in (there.anybody(), there.stranger):
        for path in await paths(there):
            answer = await read(somebody, path)
            assert answer.status == 404, path
            assert told(answer) == told(await read(somebody, missing(path, there, session_id))), path
            assert "ETag" not in answer.headers


async def test_AZ_6_who_finds_nothing_is_offered_the_login_whether_there_is_something_or_not(
    there: PrivateTown,
) -> None:
    """Also its own streamer, whose logins ended when Twitch took the leave back."""
    texts = set()
    for path in ("/c/twitch/nightowl", "/c/twitch/nobody_at_all"):
        answer = await there.anybody().get(path)
        assert answer.status == 404
        texts.add(answer.text)
    (text,) = texts
    assert '<a class="button" href="/me">If it is yours, log in</a>' in text
    assert "If it is yours" not in (await there.anybody().get("/nowhere")).text


@pytest.mark.parametrize("down", [False, True])
async def test_AZ_6_no_number_of_names_and_no_outage_tells_a_private_channels_name(
    there: PrivateTown, *, down: bool
) -> None:
    if down:
        there.town.twitch.faults.add("*", "*", status=500, times=None)
    for somebody in (there.anybody(), there.stranger):
        for number in range(70):
            assert (await somebody.get(f"/c/twitch/nobody{number}")).status == 404
        private, nobody = [await somebody.get(f"/c/twitch/{name}") for name in (there.owner.login, "nobody")]
        assert told(private) == told(nobody)


async def test_AZ_6_words_for_a_session_never_mean_a_private_one(there: PrivateTown) -> None:
    for somebody in (there.anybody(), there.stranger, there.streamer):
        for word in ("latest", there.owner.id, f"twitch%2F{there.owner.id}"):
            assert (await somebody.get(f"/s/{word}")).status == 404
        for path in ("/", "/api/v1/sessions/latest", "/me"):
            text = (await somebody.get(path)).text
            assert not [words for words in HIDDEN if words in text], path


async def test_AZ_6_its_streamer_and_moderators_see_all_of_it(there: PrivateTown) -> None:
    for somebody in (there.streamer, there.mod):
        for path in await paths(there):
            answer = await read(somebody, path)
            if path.endswith(there.owner.id):
                assert (answer.status, answer.location) == (302, "/c/twitch/nightowl")
                continue
            assert answer.status == 200, path
            assert path.endswith("/events") or any(words in answer.text for words in HIDDEN), path


async def test_API_1_what_is_not_for_everyone_is_kept_nowhere_and_found_by_no_engine(there: PrivateTown) -> None:
    for path in await paths(there):
        answer = await read(there.mod, path)
        assert {name: answer.headers.get(name) for name in ONE_READERS} == ONE_READERS, path
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "ETag" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_API_1_a_public_channel_is_the_same_for_everyone_logged_in_or_not(tmp_path: Path) -> None:
    async with open_private_town(tmp_path, private=False) as there:
        for path in await paths(there):
            answers = [await read(each, path) for each in (there.anybody(), there.stranger, there.mod, there.streamer)]
            assert len({str(told(answer)) for answer in answers}) == 1, path
            assert answers[0].status in {200, 302}
            assert "private" not in answers[0].headers["Cache-Control"], path


async def test_API_2_the_tag_of_a_copy_tells_a_stranger_nothing(tmp_path: Path) -> None:
    async with open_private_town(tmp_path, private=False) as there:
        known = {path: (await read(there.stranger, path)).headers.get("ETag") for path in await paths(there)}
        assert len([tag for tag in known.values() if tag]) >= 6
        await there.says("!setup visibility private")
        for path, tag in known.items():
            for word in filter(None, (tag, "*")):
                assert (await read(there.stranger, path, **{"If-None-Match": word})).status == 404, path
                again = await read(there.mod, path, **{"If-None-Match": word})
                assert again.status in {200, 302}, path


async def test_API_3_no_host_but_ours_reaches_a_private_page(there: PrivateTown) -> None:
    canary = {"X-Forwarded-Host": "canary.example", "X-Forwarded-Proto": "gopher", "Forwarded": "host=canary.example"}
    link = await there.link()
    pages = [*await paths(there), await there.desk(), link, "/privacy", "/terms", "/me/s/nothing"]
    for path in pages:
        answer = await there.mod.ask("HEAD" if path.endswith("/events") else "GET", path, headers=canary)
        assert "canary.example" not in answer.text + str(answer.headers), path
        assert (await there.mod.get(path, Host="canary.example")).status == 421
    made = await there.streamer.press(f"{await there.desk()}/links", on=await there.desk(), hours="24")
    assert f'value="{there.town.services.public_url}/link/' in made.text


async def test_AZ_3_reading_ends_an_hour_after_twitch_was_asked_and_at_once_with_the_login(there: PrivateTown) -> None:
    page = await there.path()
    there.town.passes(minutes=59)
    assert (await there.mod.get(page)).status == 200
    there.town.passes(minutes=2)
    assert (await there.mod.get(page)).status == 404
    assert (await there.streamer.get(page)).status == 200
    await there.streamer.press("/logout", on="/logout")
    assert (await there.streamer.get(page)).status == 404


async def test_whoever_the_streamer_named_reads_until_that_is_taken_back(there: PrivateTown) -> None:
    page = await there.path()
    await there.says(f"!setup moderator {there.other.login}")
    assert (await there.stranger.get(page)).status == 200
    await there.says(f"!setup unmoderator {there.other.login}")
    assert (await there.stranger.get(page)).status == 404


async def test_a_store_that_takes_nothing_more_keeps_no_page_from_who_may_read_it(
    there: PrivateTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.town.passes(minutes=6)
    tried = []

    async def full(*_: object, **__: object) -> None:
        tried.append(True)
        raise StoreFull("The disk is full.")

    with monkeypatch.context() as disk:
        disk.setattr(there.town.services.store, "run", full)
        for path in (await there.path(), "/me", await there.desk()):
            assert (await there.streamer.get(path)).status == 200, path
    assert tried
    seen = rows(there.town.path, "web_session")
    assert (await there.streamer.get("/me")).status == 200
    assert rows(there.town.path, "web_session") != seen  # noted once there is room again


class Stream:
    """A session's events, read in the background."""

    def __init__(self, somebody: Somebody, path: str) -> None:
        self.lines: list[str] = []
        self.ready = asyncio.Event()
        self._somebody, self._path = somebody, path
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        cookies = "; ".join(f"{name}={value}" for name, value in self._somebody.cookies.items())
        async with self._somebody.http.get(self._somebody.site + self._path, headers={"Cookie": cookies}) as answer:
            assert answer.status == 200
            async for line in answer.content:
                self.lines.append(line.decode())
                self.ready.set()

    async def over(self) -> None:
        """Wait until the site ends it."""
        async with asyncio.timeout(10):
            await self.task


async def test_RES_5_a_private_stream_ends_with_the_heartbeat_after_authority_is_lost(
    there: PrivateTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live.HEARTBEAT_SECONDS <= 20
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)
    events = f"{await there.path()}/events"
    await there.says(f"!setup moderator {there.other.login}")
    named, by_login, logged_out, owner = (
        Stream(who, events) for who in (there.stranger, there.mod, there.streamer, there.streamer)
    )
    await asyncio.gather(*(each.ready.wait() for each in (named, by_login, logged_out, owner)))
    await there.says(f"!setup unmoderator {there.other.login}")
    await named.over()
    assert not by_login.task.done()
    there.town.passes(minutes=61)
    await by_login.over()
    assert not owner.task.done()
    await there.streamer.press("/logout", on="/logout")
    await asyncio.gather(owner.over(), logged_out.over())


async def test_RES_5_a_stream_that_was_public_ends_when_its_channel_becomes_private(tmp_path: Path) -> None:
    async with open_private_town(tmp_path, private=False) as there:
        events = f"{await there.path()}/events"
        nobody, mod = Stream(there.anybody(), events), Stream(there.mod, events)
        await asyncio.gather(nobody.ready.wait(), mod.ready.wait())
        await there.says("!setup visibility private")
        await there.says("!clip nobody may know", there.moderator, Role.MODERATOR)
        await nobody.over()
        async with asyncio.timeout(10):
            while "nobody may know" not in "".join(mod.lines):
                mod.ready.clear()
                await mod.ready.wait()
        assert "nobody may know" not in "".join(nobody.lines)
        assert '"private"' not in "".join(nobody.lines)
        mod.task.cancel()
        await asyncio.gather(mod.task, return_exceptions=True)
