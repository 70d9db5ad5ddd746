"""The live stream of a session: what it says, that nothing is missed, how many it serves and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import aiohttp
import orjson
import pytest

from commands import feed
from commands.services import Services
from moments.marks import Timestamp
from moments.sessions import Session
from storage import Change
from web_export import live
from web_export.app import Site


class Chat(Protocol):
    async def says(self, text: str, name: str = ..., channel: str = ..., back: int = ...) -> str: ...


Said = dict[str, Any]


@pytest.fixture
async def session(services: Services) -> Session:
    return await services.store.find_session("riverdeer")


@pytest.fixture
async def mark(services: Services, session: Session) -> Timestamp:
    return (await services.store.marks(session, limit=1))[0]


async def said(answer: aiohttp.ClientResponse) -> AsyncIterator[Said]:
    """The stream's events as a browser would hand them on; comments as {"comment": …}."""
    event: Said = {}
    async for line in answer.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if line != b"\n":
            event[name or "comment"] = value
        elif event:
            if "data" in event:
                event["data"] = orjson.loads(event["data"])
            yield event
            event = {}


async def opened(answer: aiohttp.ClientResponse) -> AsyncIterator[Said]:
    """The stream, once it has begun and is watching."""
    events = said(answer)
    assert await anext(events) == {"retry": "3000"}
    return events


def tell(services: Services, change: Change) -> None:
    services.feed.announce([change])


async def watched(services: Services, session: Session) -> None:
    """Wait until somebody watches the session."""
    while not services.feed._channel(session.id).watchers:  # noqa: ASYNC110 -- the feed announces no watchers
        await asyncio.sleep(0)


async def left(services: Services, session: Session) -> None:
    """Wait until nobody watches the session any more."""
    async with asyncio.timeout(5):
        while services.feed._channel(session.id).watchers:  # noqa: ASYNC110 -- the feed announces no watchers
            await asyncio.sleep(0.01)


async def test_each_change_comes_with_its_id_and_in_its_own_shape(
    http: aiohttp.ClientSession, services: Services, session: Session, mark: Timestamp
) -> None:
    async with http.get(f"/s/{session.id}/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Content-Security-Policy" in answer.headers
        events = await opened(answer)
        await watched(services, session)
        tell(services, Change("timestamp", session.id, mark, 3))
        tell(services, Change("removed", session.id, number=7))
        tell(services, Change("session", session.id))
        first, second, third = [await anext(events) for _ in range(3)]
    assert first["event"] == "timestamp"
    assert (first["data"]["number"], first["data"]["note"], first["data"]["people"]) == (1, "moment 0", 3)
    assert (second["event"], second["data"]) == ("removed", {"number": 7})
    assert (third["event"], third["data"]["status"]) == ("session", "active")
    assert (third["data"]["marks"], third["data"]["people"]) == (25, 25)
    assert "reload" not in third["data"]
    assert third["id"] == services.feed.position(session.id)


@pytest.mark.parametrize("way", ["header", "query", "both"])
async def test_who_was_away_gets_what_was_missed(
    http: aiohttp.ClientSession, services: Services, session: Session, mark: Timestamp, way: str
) -> None:
    tell(services, Change("removed", session.id, number=1))
    here = services.feed.position(session.id)
    tell(services, Change("timestamp", session.id, mark))
    # A browser that comes back repeats the page's first address, and says in the header where it really was.
    query = {"header": "", "query": f"?after={here}", "both": "?after=long-ago"}[way]
    headers = {} if way == "query" else {"Last-Event-ID": here}
    async with http.get(f"/s/{session.id}/events{query}", headers=headers) as answer:
        events = await opened(answer)
        assert (await anext(events))["event"] == "timestamp"


async def test_who_comes_from_another_run_is_told_to_read_afresh(
    http: aiohttp.ClientSession, services: Services, session: Session
) -> None:
    async with http.get(f"/s/{session.id}/events?after=00000000-12") as answer:
        first = await anext(await opened(answer))
    assert (first["event"], first["data"]["reload"]) == ("session", True)
    assert first["id"] == services.feed.position(session.id)


async def test_RES_5_who_falls_behind_is_told_to_read_afresh_and_goes_on(
    http: aiohttp.ClientSession,
    services: Services,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "CATCH_UP_SECONDS", 0)
    async with http.get(f"/s/{session.id}/events") as answer:
        events = await opened(answer)
        await watched(services, session)
        for number in range(500):  # without a pause: the stream gets no turn
            tell(services, Change("removed", session.id, number=number))
        received = [await anext(events) for _ in range(101)]
        await watched(services, session)
        tell(services, Change("removed", session.id, number=777))
        following = await anext(events)
    assert [event["data"].get("number") for event in received[:100]] == list(range(100))
    assert received[100]["data"]["reload"] is True
    assert following["data"] == {"number": 777}


async def test_a_quiet_stream_shows_that_it_lives(
    http: aiohttp.ClientSession, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.01)
    async with http.get(f"/s/{session.id}/events") as answer:
        events = await opened(answer)
        assert [await anext(events) for _ in range(2)] == [{"comment": "still here"}] * 2


async def test_RES_5_a_stream_ends_after_its_time(
    http: aiohttp.ClientSession, session: Session, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LIFETIME_SECONDS", 0.05)
    async with http.get(f"/s/{session.id}/events") as answer:
        assert await answer.read() == b"retry: 3000\n\n"
    assert not services.feed._channel(session.id).watchers


async def test_a_reader_who_leaves_is_watched_for_no_longer(
    http: aiohttp.ClientSession, session: Session, services: Services
) -> None:
    async with http.get(f"/s/{session.id}/events") as answer:
        await opened(answer)
        await watched(services, session)
        answer.close()
    await left(services, session)


async def test_every_stream_ends_at_once_when_the_site_does(
    http: aiohttp.ClientSession, site: Site, session: Session
) -> None:
    async with AsyncExitStack() as stack:
        answers = [await stack.enter_async_context(http.get(f"/s/{session.id}/events")) for _ in range(3)]
        for answer in answers:
            await opened(answer)
        async with asyncio.timeout(1):
            await asyncio.gather(site.close(), *(answer.read() for answer in answers))


async def test_RES_5_ten_streams_an_address(http: aiohttp.ClientSession, session: Session) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(live.STREAMS_AN_ADDRESS):
            answer = await stack.enter_async_context(http.get(f"/s/{session.id}/events"))
            assert answer.status == 200
        async with http.get(f"/s/{session.id}/events") as refused:
            assert refused.status == 429
            assert int(refused.headers["Retry-After"]) > 0
    async with asyncio.timeout(5):
        while (await status_of(http, session)) != 200:  # noqa: ASYNC110 -- places come back as the readers leave
            await asyncio.sleep(0.01)


async def status_of(http: aiohttp.ClientSession, session: Session) -> int:
    async with http.get(f"/s/{session.id}/events") as answer:
        return answer.status


async def test_RES_5_so_many_streams_in_all(
    http: aiohttp.ClientSession, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live.STREAMS_IN_ALL == 500
    monkeypatch.setattr(live, "STREAMS_IN_ALL", 2)
    path = f"/s/{session.id}/events"
    async with http.get(path), http.get(path), http.get(path) as refused:
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) > 0


async def test_what_everyone_is_sent_is_worked_out_once(
    http: aiohttp.ClientSession,
    services: Services,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    shape: Callable[..., Awaitable[tuple[bytes, object]]] = live._name_and_data

    async def counting(given: Services, vods: Any, session_id: str, event: Any) -> tuple[bytes, object]:  # noqa: ANN401
        asked.append(event.id)
        return await shape(given, vods, session_id, event)

    monkeypatch.setattr(live, "_name_and_data", counting)
    async with AsyncExitStack() as stack:
        streams = [await opened(await stack.enter_async_context(http.get(f"/s/{session.id}/events"))) for _ in range(5)]
        while len(services.feed._channel(session.id).watchers) < 5:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0)
        tell(services, Change("session", session.id))
        assert len({(await anext(events))["id"] for events in streams}) == 1
    assert len(asked) == 1


async def test_WEB_2_a_note_cannot_end_its_line(
    http: aiohttp.ClientSession, chat: Chat, services: Services, session: Session
) -> None:
    await chat.says("!clip a\u2028b\u2029c\rdata: x\x85id: y", name="hostile")
    newest = (await services.store.marks(session, limit=1, newest_first=True))[0]
    tell(services, Change("removed", session.id, number=0))
    here = services.feed.position(session.id)
    tell(services, Change("timestamp", session.id, newest))
    async with http.get(f"/s/{session.id}/events?after={here}") as answer:
        event = await anext(await opened(answer))
    assert set(event) == {"id", "event", "data"}
    assert event["data"]["note"] == newest.note


async def test_RES_5_asking_for_the_head_holds_no_stream_open(http: aiohttp.ClientSession, session: Session) -> None:
    for _ in range(live.STREAMS_AN_ADDRESS + 1):
        async with asyncio.timeout(5), http.head(f"/s/{session.id}/events") as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
            assert await answer.read() == b""
    async with http.head("/s/nobody/events") as answer:
        assert answer.status == 404


async def test_an_event_of_a_session_that_was_forgotten_is_not_mistaken_for_another(
    http: aiohttp.ClientSession, services: Services, session: Session, mark: Timestamp
) -> None:
    async def first_after(position: str) -> Said:
        async with http.get(f"/s/{session.id}/events?after={position}") as answer:
            return await anext(await opened(answer))

    here = services.feed.position(session.id)
    tell(services, Change("timestamp", session.id, mark))
    assert (await first_after(here))["data"]["note"] == "moment 0"
    await left(services, session)
    for number in range(feed.REMEMBERED_SESSIONS):
        tell(services, Change("session", f"other{number}"))
    there = services.feed.position(session.id)
    tell(services, Change("timestamp", session.id, mark._replace(number=2, note="another")))
    tell(services, Change("timestamp", session.id, mark._replace(number=3, note="a third")))
    assert (await first_after(here))["data"].get("reload")
    assert (await first_after(there))["data"].get("note") in {None, "another"}


async def test_no_copy_is_kept_of_words_that_were_taken_back(
    http: aiohttp.ClientSession, site: Site, services: Services, session: Session, mark: Timestamp
) -> None:
    async with http.get(f"/s/{session.id}/events") as answer:
        events = await opened(answer)
        await watched(services, session)
        tell(services, Change("timestamp", session.id, mark))
        await anext(events)
        assert any(b"moment 0" in frame for frame in site.app[live.STREAMS]._frames.values())
        tell(services, Change("removed", session.id, number=mark.number))
        await anext(events)
    assert not any(b"moment 0" in frame for frame in site.app[live.STREAMS]._frames.values())


async def test_what_is_worked_out_for_streams_ends_with_the_site(
    http: aiohttp.ClientSession,
    site: Site,
    services: Services,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = asyncio.Event()
    tasks: list[asyncio.Task[Any] | None] = []

    async def endless(*_: object) -> tuple[bytes, object]:
        tasks.append(asyncio.current_task())
        begun.set()
        return await asyncio.Future()

    monkeypatch.setattr(live, "_name_and_data", endless)
    async with http.get(f"/s/{session.id}/events") as answer:
        await opened(answer)
        await watched(services, session)
        tell(services, Change("session", session.id))
        await begun.wait()
        await site.close()
    assert [task.done() for task in tasks if task] == [True]
    assert services.feed.withdrawn == []
