"""Saving over the JSON API as somebody who is logged in, and one's own list with its delete buttons."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from commands.recorded import save_moment
from moments.live import Author
from tests.twitch_site import Somebody, Town, open_town, rows

VIDEO = "https://youtu.be/jNQXAC9IVRw"
PART: dict[str, object] = {"url": VIDEO, "range": "0:45-1:00", "note": "that drop!"}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


@pytest.fixture
async def ann(town: Town) -> Somebody:
    return await logged_in(town, "ann")


async def logged_in(town: Town, name: str) -> Somebody:
    somebody = town.somebody()
    await somebody.log_in(town.twitch.user(name, name.title()))
    return somebody


async def send(
    who: Somebody, body: object = PART, *, status: int = 201, kind: str = "application/json", key: str = "",
    token: str | None = None,
) -> Any:  # fmt: skip # noqa: ANN401 -- whatever the JSON holds
    """POST a moment as a page of ours would; what is answered."""
    if token is None:
        token = orjson.loads((await who.get("/session/csrf")).text)["csrf"]
    headers = {"Content-Type": kind, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": token or ""}
    headers |= {"Idempotency-Key": key} if key else {}
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    answer = await who.ask("POST", "/api/v1/moments", data=data, headers=headers)  # type: ignore[arg-type]
    assert answer.status == status, answer.text
    if status == 201:
        assert answer.location.endswith(f"/m/{orjson.loads(answer.text)['id']}")
    return orjson.loads(answer.text)


async def test_who_is_logged_in_saves_and_is_told_the_count(town: Town, ann: Somebody) -> None:
    kept = await send(ann)
    assert (kept["start_seconds"], kept["end_seconds"], kept["saved_by"], kept["note"]) == (45, 60, 1, "that drop!")
    assert (kept["replaced"], kept["note_cut"], kept["submitted_by"]) == ([], False, None)
    again = await send(ann, {"url": VIDEO, "range": "0:44-1:00", "note": "x" * 200})
    assert again["replaced"] == [{"start_seconds": 45, "end_seconds": 60}]
    assert (again["saved_by"], again["note_cut"], len(again["note"])) == (1, True, 100)
    assert (await send(await logged_in(town, "ben")))["saved_by"] == 2


async def test_VOTE_4_nobody_saves_without_a_login(town: Town) -> None:
    assert "Log in" in (await send(town.somebody(), status=401))["detail"]
    assert rows(town.path, "save") == []


async def test_AUTH_6_nor_without_the_token_of_a_page_of_ours(town: Town, ann: Somebody) -> None:
    await send(ann, token="0" * 64, status=403)
    assert rows(town.path, "save") == []


async def test_API_6_the_same_key_saves_once_however_often_and_a_deleted_one_stays_deleted(
    town: Town, ann: Somebody
) -> None:
    answers = await asyncio.gather(*(send(ann, key="one") for _ in range(20)))
    assert len({answer["id"] for answer in answers}) == 1
    assert len(rows(town.path, "save")) == 1
    ben = await logged_in(town, "ben")
    assert (await send(ben, key="one"))["id"] != answers[0]["id"]  # a key is its own person's
    await ann.press(f"/me/moments/{answers[0]['id']}/delete")
    assert "deleted since" in (await send(ann, key="one", status=409))["detail"]
    await send(ann, key="two words", status=400)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"NaN", b'{"url": NaN}', b'"\\ud800"', b'{"url": "\\ud800"}', b"\xff\xfe",
        b"1" * 5000, b"[" * 5000, {}, {"url": None}, {"url": ""}, {"url": "  "}, {"url": 5}, {"url": [VIDEO]},
        {**PART, "range": 5},
        {**PART, "note": "a\0b"}, {**PART, "url": VIDEO + "\0"}, {**PART, "note": True}, {**PART, "more": 1},
        {**PART, "range": {"start": 2**63}},
    ],
)  # fmt: skip
async def test_TXT_5_json_of_another_shape_is_a_sentence(town: Town, ann: Somebody, body: object) -> None:
    assert "JSON object" in (await send(ann, body, status=422))["detail"]
    assert rows(town.path, "save") == []


@pytest.mark.parametrize(
    "part", ["0-" + "9" * 400, "9223372036854775808-9223372036854775809", "१-२", "-1-5", "NaN", ""]
)
async def test_TXT_4_a_part_that_cannot_be_is_a_sentence(ann: Somebody, part: str) -> None:
    await send(ann, {**PART, "range": part}, status=400)


async def test_only_json_is_taken(ann: Somebody) -> None:
    await send(ann, kind="text/plain", status=415)


async def test_RES_4_thirty_an_hour_and_no_more(town: Town, ann: Somebody) -> None:
    for number in range(30):
        await send(ann, {"url": VIDEO, "range": f"{10 * number}-{10 * number + 5}"})
    assert "Try again in" in (await send(ann, status=429))["detail"]
    assert (await send(await logged_in(town, "ben")))["saved_by"] == 1


# --- one's own list


async def own(town: Town, somebody: str, part: str, note: str = "", *, private: bool = False) -> str:
    user = town.twitch.user(somebody)
    author = Author("twitch", user.id, somebody)
    town.passes(minutes=1)
    kept = await save_moment(town.services, author, VIDEO, part, note, origin="x", now=town.watch.now, private=private)
    return kept.moment_id


async def test_ones_own_page_lists_saves_with_all_their_words_and_nobody_elses(town: Town, ann: Somebody) -> None:
    assert "Your saved moments" not in (await ann.get("/me")).text
    await own(town, "ann", "0:45-1:00", "<mine>")
    await own(town, "ann", "2:00-2:10", "a secret", private=True)
    await own(town, "ben", "3:00-3:10", "somebody else's")
    for path in ("/me", "/me/moments"):
        page = (await ann.get(path)).text
        assert page.index("a secret") < page.index("&lt;mine&gt;")
        assert "words only you see" in page
        assert "somebody else" not in page
    assert "2 saved moments" in (await ann.get("/me")).text
    assert "2 saved moments" in (await ann.get("/me/delete")).text


async def test_only_its_author_sees_from_which_message_a_link_was_taken(town: Town, ann: Somebody) -> None:
    there = "https://discord.com/channels/777/555/9001"
    who, now = Author("twitch", town.twitch.user("ann").id, "ann"), town.watch.now
    kept = await save_moment(town.services, who, VIDEO, "45-60", origin="x", now=now, message_url=there)
    for path in ("/me", "/me/moments"):
        assert f'<a href="{there}">from a message</a>' in (await ann.get(path)).text
    for path in (f"/m/{kept.moment_id}", f"/t/{kept.track.id}", "/", f"/api/v1/moments/{kept.moment_id}"):
        assert "9001" not in (await ann.get(path)).text


async def test_AZ_6_a_button_deletes_ones_own_and_nobody_elses(town: Town, ann: Somebody) -> None:
    mine, theirs = await own(town, "ann", "0:45-1:00"), await own(town, "ben", "0:45-1:00")
    gone = await ann.press(f"/me/moments/{theirs}/delete")
    missing = await ann.press("/me/moments/nothing/delete")
    assert (gone.status, gone.location) == (missing.status, missing.location) == (303, "/me/moments?said=none")
    assert (await ann.press(f"/me/moments/{mine}/delete")).location == "/me/moments?said=deleted"
    assert (await ann.get(f"/m/{mine}")).status == 404
    assert "Saved by 1 person" in (await ann.get(f"/m/{theirs}")).text


async def test_the_list_is_paged(town: Town, ann: Somebody) -> None:
    author = Author("twitch", town.twitch.user("ann").id, "ann")
    for number in range(60):
        now = town.watch.now + timedelta(seconds=number)
        await save_moment(town.services, author, VIDEO, f"{10 * number}+5", f"no. {number}.", origin="x", now=now)
    first = (await ann.get("/me/moments")).text
    assert first.count("/delete") == 50
    older = first.split('href="/me/moments?before=')[1].split('"')[0]
    rest = (await ann.get(f"/me/moments?before={older}")).text
    assert rest.count("/delete") == 10
    assert (await ann.get("/me/moments?before=1e9")).status == 400
    assert (await town.somebody().get("/me/moments")).location == "/me"
