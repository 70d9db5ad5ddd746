"""Downloads over real sockets from a real store."""

import csv
import io
import json
import re
from typing import TYPE_CHECKING

import aiohttp
import pytest

from commands.services import Services
from moments.sessions import Defaults
from web_export.downloads import WRITE_BYTES, export, file_name
from web_export.formats import FORMATS, by_slug
from web_export.formats.options import parse_options

if TYPE_CHECKING:
    from tests.web_export.conftest import Chat


@pytest.fixture
async def session_id(services: Services) -> str:
    return (await services.store.find_session("riverdeer")).id


@pytest.mark.parametrize("slug", [form.slug for form in FORMATS])
async def test_every_format_downloads_as_a_file(slug: str, http: aiohttp.ClientSession, session_id: str) -> None:
    async with http.get(f"/s/{session_id}/export.{slug}") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == by_slug(slug).media_type
        assert response.headers["Cache-Control"] == "public, max-age=30"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in response.headers
        rate = "-30fps" if slug == "edl" else ""
        assert re.fullmatch(
            rf'attachment; filename="moments-{session_id}-\d{{4}}-\d\d-\d\d{rate}\.{re.escape(slug)}"',
            response.headers["Content-Disposition"],
        )
        assert b"moment 24" in await response.read()


async def test_marks_come_in_order_with_the_columns_of_the_contract(
    http: aiohttp.ClientSession, session_id: str
) -> None:
    async with http.get(f"/s/{session_id}/export.csv") as response:
        records = list(csv.reader(io.StringIO((await response.read()).decode(), newline="")))
    assert records[0][:5] == ["segment_index", "offset_hms", "note", "submitted_by", "created_at"]
    assert [record[2] for record in records[1:]] == [f"moment {number}" for number in range(25)]
    async with http.get(f"/s/{session_id}/export.json") as response:
        document = json.loads(await response.read())
    assert document["session"]["id"] == session_id
    assert [mark["note"] for mark in document["timestamps"]] == [record[2] for record in records[1:]]


async def test_head_says_the_same_without_the_file(http: aiohttp.ClientSession, session_id: str) -> None:
    async with http.get(f"/s/{session_id}/export.csv") as whole, http.head(f"/s/{session_id}/export.csv") as head:
        for name in ("ETag", "Content-Type", "Content-Disposition", "Cache-Control"):
            assert head.headers[name] == whole.headers[name]
        assert (head.status, await head.read()) == (200, b"")


async def test_API_2_a_known_file_is_not_sent_again_until_something_changes(
    http: aiohttp.ClientSession, session_id: str, chat: "Chat", services: Services
) -> None:
    async def tag(path: str, known: str = "") -> tuple[int, str]:
        async with http.get(path, headers={"If-None-Match": known} if known else {}) as response:
            return response.status, response.headers.get("ETag", "")

    path = f"/s/{session_id}/export.edl"
    _, known = await tag(path)
    assert await tag(path, known) == (304, known)
    assert (await tag(path, f'"other", {known}'))[0] == 304
    for other in (f"{path}?fps=25", f"{path}?lead=0", f"/s/{session_id}/export.csv"):
        assert (await tag(other, known))[0] == 200
    await chat.says("!clip one more", name="late")
    assert (await tag(path, known))[0] == 200
    hidden = (await services.store.find_session("hidden")).id
    assert (await tag(f"/s/{hidden}/export.csv", "*"))[0] == 404


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/s/nothere1/export.csv", 404, "There is no"),
        ("/s/{private}/export.csv", 404, "There is no"),
        ("/s/{session}/export.docx", 404, "csv, excel.csv, txt, json, edl"),
        ("/s/{session}/export.csv?shift=1e3", 400, "shift is seconds from"),
        ("/s/{session}/export.edl?fps=31", 400, "fps is your timeline's frame rate"),
        ("/s/{session}/export.edl?part=2", 400, "There is no part 2"),
    ],
)
async def test_EXP_5_what_cannot_be_had_is_said_in_a_sentence(
    path: str, status: int, sentence: str, http: aiohttp.ClientSession, session_id: str, services: Services
) -> None:
    private = (await services.store.find_session("hidden")).id
    async with http.get(path.format(session=session_id, private=private)) as response:
        problem = json.loads(await response.read())
    assert (response.status, problem["status"]) == (status, status)
    assert sentence in problem["detail"]
    assert "Content-Disposition" not in response.headers


async def test_a_private_session_and_none_answer_alike(http: aiohttp.ClientSession, services: Services) -> None:
    private = (await services.store.find_session("hidden")).id
    async with http.get(f"/s/{private}/export.csv") as one, http.get("/s/nothere1/export.csv") as other:
        assert (one.status, await one.read()) == (other.status, await other.read())


async def test_EXP_4_file_names_are_ascii_and_never_a_title(services: Services) -> None:
    session = await services.store.find_session("riverdeer")
    name = file_name(session, by_slug("edl"), parse_options({"fps": "29.97", "part": "2"}))
    assert re.fullmatch(rf"moments-{session.id}-\d{{4}}-\d\d-\d\d-29\.97fps-part2\.edl", name)


@pytest.mark.parametrize("slug", [form.slug for form in FORMATS if form.write_rows])
async def test_the_short_way_for_long_tables_writes_the_same(services: Services, slug: str) -> None:
    session = await services.store.find_session("riverdeer")
    short, long = [
        b"".join(
            [piece async for piece in export(services.store, session, by_slug(slug), parse_options(query), Defaults())]
        )
        for query in ({}, {"lead": "0"})
    ]
    assert short == long
    assert short.count(b"\r\n") == 26


async def test_long_files_are_written_in_pieces_of_one_size(services: Services, chat: "Chat") -> None:
    for number in range(400):
        await chat.says(f"!clip {'moment ' * 14}", name=f"crowd{number}")
    session = await services.store.find_session("riverdeer")
    pieces = [
        len(piece) async for piece in export(services.store, session, by_slug("json"), parse_options({}), Defaults())
    ]
    assert len(pieces) > 1
    assert set(pieces[:-1]) == {WRITE_BYTES}
    assert 0 < pieces[-1] <= WRITE_BYTES
