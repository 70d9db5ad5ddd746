"""The heatmap as a small picture: what is in it, for whom there is one, and that copies follow what is saved."""

from collections.abc import Callable
from io import BytesIO

import aiohttp
import pytest
from aiohttp import hdrs
from PIL import Image

from commands.cards import card_of
from commands.forgetme import forget
from commands.services import Services
from moments.live import Author
from moments.saves import Part
from storage import Transaction, hiding
from tests.web_export.test_middleware import check_headers
from tests.web_export.test_recorded_api import SONG, keep, learn, merged
from web_export import picture
from web_export.heat import BARS
from web_export.picture import BASE, EDGE, TALL, WIDE, draw

AMBER = (0xFF, 0xB4, 0x5C)
YOUTUBE = ("youtube", "jNQXAC9IVRw")


def opened(png: bytes) -> Image.Image:
    assert png.startswith(b"\x89PNG\r\n")
    return Image.open(BytesIO(png)).convert("RGB")


def amber(image: Image.Image, row: int) -> list[int]:
    """Where the frame, or what is in it, is on a row."""
    return [x for x in range(image.width) if image.getpixel((x, row)) == AMBER]


async def png(http: aiohttp.ClientSession, path: str, status: int = 200) -> bytes:
    async with http.get(path, allow_redirects=False) as answer:
        assert answer.status == status, await answer.text()
        check_headers(answer)
        assert (answer.content_type == "image/png") == (status == 200)
        return await answer.read()


# --- drawing


def test_the_part_asked_for_is_framed_and_its_bars_stand_out() -> None:
    savers = [10] * 200
    savers[50:100] = [40] * 50
    image = opened(draw(savers, Part(50, 100, 0)))
    assert image.size == (WIDE, TALL)
    inside = range(EDGE + 4 * BARS // 4, EDGE + 4 * BARS // 2 - 1)
    assert {x for x in amber(image, BASE - 2) if x in inside} == {x for x in inside if (x - EDGE) % 4 != 3}
    assert min(amber(image, TALL // 2)) == inside.start - 4
    assert max(amber(image, TALL // 2)) <= inside.stop + 4
    heights = [
        next((BASE - y for y in range(TALL) if image.getpixel((x, y)) not in (AMBER, image.getpixel((0, 0)))), 0)
        for x in (EDGE + 1, EDGE + 4 * 100 + 1)
    ]
    assert heights == [heights[0]] * 2, "equal seconds are as high"
    assert 0 < heights[0] < 40


@pytest.mark.parametrize("length", [1, 2, 119, 120, 121, 213, 604_800])
@pytest.mark.parametrize("people", [0, 1, 4, 5, 10_000_000])
def test_any_numbers_make_a_picture_of_few_bytes(length: int, people: int) -> None:
    for window in (None, Part(0, 1, 0), Part(length - 1, length, 0), Part(604_799, 604_800, 0)):
        drawn = draw([people] * length, window)
        assert len(drawn) < 4_000
        assert opened(drawn).size == (WIDE, TALL)


def test_nothing_saved_and_nothing_known_make_one_too() -> None:
    assert opened(draw([], None)).size == (WIDE, TALL)


def test_few_people_make_no_curve() -> None:
    few, many = (opened(draw([people] * 50 + [0] * 50, None)) for people in (4, 5))
    middle = (EDGE + 100, BASE - 10)
    assert few.getpixel(middle) != many.getpixel(middle)
    assert few.getpixel((EDGE + 100, BASE - 60)) == few.getpixel((0, 0)), "outlined spans are low"
    assert many.getpixel((EDGE + 100, BASE - 60)) != many.getpixel((0, 0))


# --- for whom


async def test_a_moments_picture_shows_its_own_part_and_a_tracks_the_best_or_the_one_named(
    http: aiohttp.ClientSession, services: Services
) -> None:
    await learn(services, *YOUTUBE, duration_seconds=200)
    kept = await keep(services, part="2:30-2:40")
    for who in ("ben", "cat"):
        await keep(services, who, part="0:50-1:40")
    own = await png(http, f"/m/{kept.moment_id}/heat.png?v=1")
    best = await png(http, f"/t/{kept.track.id}/heat.png")
    assert min(amber(opened(own), TALL // 2)) == EDGE + 4 * BARS * 150 // 200 - 4
    assert min(amber(opened(best), TALL // 2)) == EDGE + 4 * BARS * 50 // 200 - 4
    assert await png(http, f"/t/{kept.track.id}/heat.png?part=150-160") == own
    for word in ("160-150", "x", "1-9999999", "0-604801", ""):
        assert await png(http, f"/t/{kept.track.id}/heat.png?part={word}") == best


async def test_the_cards_own_address_leads_to_it(http: aiohttp.ClientSession, services: Services) -> None:
    kept = await keep(services)
    card = await card_of(services, kept.moment_id)
    assert card is not None
    await png(http, card.picture.removeprefix(services.public_url))


async def test_there_is_none_of_what_is_gone_forgotten_or_was_typed_in_private(
    http: aiohttp.ClientSession, services: Services
) -> None:
    kept = await keep(services, note="CANARY")
    private = await keep(services, "ben", private=True)
    await png(http, f"/m/{private.moment_id}/heat.png", 404)
    for path in ("/m/nobodys/heat.png", "/t/nobodys/heat.png", "/m/..%2f/heat.png", f"/m/{'x' * 65}/heat.png"):
        await png(http, path, 404)
    assert b"CANARY" not in await png(http, f"/m/{kept.moment_id}/heat.png")
    await forget(services, Author("console", "ann", "ann"), services.clock())
    await png(http, f"/m/{kept.moment_id}/heat.png", 404)


async def test_hidden_words_leave_the_picture_which_has_none(http: aiohttp.ClientSession, services: Services) -> None:
    kept = await keep(services, note="rude")
    before = await png(http, f"/m/{kept.moment_id}/heat.png")

    async def hide(transaction: Transaction) -> None:
        await hiding.hide_words(transaction, kept.moment_id, "console:mod", "rude")

    await services.store.run(hide, message=None, now=services.clock())
    assert await png(http, f"/m/{kept.moment_id}/heat.png") == before


async def test_a_merged_track_and_a_replaced_moment_have_the_picture_of_what_they_are_now(
    http: aiohttp.ClientSession, services: Services
) -> None:
    old, new = await keep(services), await keep(services, part="0:47-1:02")
    assert await png(http, f"/m/{old.moment_id}/heat.png") == await png(http, f"/m/{new.moment_id}/heat.png")
    other = await keep(services, "ben", SONG)
    await merged(services, new, other)
    assert await png(http, f"/t/{old.track.id}/heat.png") == await png(http, f"/t/{other.track.id}/heat.png")


# --- copies


async def test_API_2_a_copy_holds_until_something_is_saved(http: aiohttp.ClientSession, services: Services) -> None:
    kept = await keep(services)
    for path in (f"/m/{kept.moment_id}/heat.png", f"/t/{kept.track.id}/heat.png"):
        async with http.get(path) as first:
            etag = first.headers[hdrs.ETAG]
            assert first.headers[hdrs.CACHE_CONTROL] == "public, max-age=30"
        async with http.get(path, headers={hdrs.IF_NONE_MATCH: etag}) as again:
            assert (again.status, again.headers[hdrs.ETAG]) == (304, etag)
        await keep(services, f"somebody at {path}")
        async with http.get(path, headers={hdrs.IF_NONE_MATCH: etag}) as changed:
            assert (changed.status, changed.headers[hdrs.ETAG] == etag) == (200, False)


async def test_it_is_drawn_once_for_a_version(
    http: aiohttp.ClientSession, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Part | None] = []

    def counting(make: Callable[..., bytes]) -> Callable[..., bytes]:
        def counted(savers: object, window: Part | None) -> bytes:
            drawn.append(window)
            return make(savers, window)

        return counted

    monkeypatch.setattr(picture, "draw", counting(draw))
    kept = await keep(services)
    for _ in range(3):
        await png(http, f"/m/{kept.moment_id}/heat.png")
        await png(http, f"/t/{kept.track.id}/heat.png")
    assert drawn == [Part(45, 60, 0)], "the best part is this one"
    await keep(services, "ben")
    await png(http, f"/m/{kept.moment_id}/heat.png")
    assert len(drawn) == 2
