"""The heatmap as a small picture, for chats: `/m/<moment>/heat.png`, `/t/<track>/heat.png`.

Made of integers alone, like the drawing on the pages: no word of anybody's is in it.
"""

import re
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from aiohttp import ETag, hdrs, web
from PIL import Image, ImageDraw

from commands.shared import Shared
from commands.shown import Shown, shown
from moments.errors import NotFound
from moments.saves import LONGEST, Part
from storage import saves, tracks
from storage.aside import aside
from storage.tracks import Track
from web_export.headers import is_known
from web_export.heat import BARS, BOX, Bar, bars
from web_export.keys import SERVICES
from web_export.moment_page import NO_MOMENT, tag_of
from web_export.recorded_api import PUBLIC_ID
from web_export.tallies import SHARED_CACHE, TALLIES, Recent
from web_export.track_page import NO_TRACK

EDGE, TALL = 12, 120
"""Pixels: the room on every side, and the height of it all."""
WIDE = BARS * BOX + 2 * EDGE
BASE = TALL - 2 * EDGE
"""Where the bars stand."""
HIGHEST = BASE - 2 * EDGE
KEPT = 512
_PAPER, _FAINT, _LINE = "#151A2E", "#262E4D", "#808BB8"
_INK = {"low": "#6674B4", "mid": "#8B9ADB", "high": "#BAC6F8", "most": "#FFB45C"}
"""The dark theme's; on its own plate a picture can be read in light chats, too."""
_PART = re.compile(r"([0-9]{1,6})-([0-9]{1,6})", re.ASCII)

routes = web.RouteTableDef()


class _State(NamedTuple):
    """All that a picture depends on."""

    track: Track
    duration: int | None
    window: Part | None
    """Without its people, who are not drawn."""


class Pictures:
    """Those asked for last. Each is drawn once for a version of its track, beside the event loop."""

    def __init__(self) -> None:
        self._kept: Recent[tuple[int, Part | None], tuple[_State, bytes]] = Recent(KEPT)
        self._drawing: Shared[_State, bytes] = Shared()

    async def of(self, state: _State, savers: Sequence[int]) -> bytes:
        """The PNG of a track's seconds, with a part in a frame."""
        place = (state.track.row_id, state.window)
        kept = self._kept.get(place)
        if kept is not None and kept[0] == state:
            return kept[1]
        png = await self._drawing.once(state, lambda: aside(draw, savers, state.window))
        self._kept.keep(place, (state, png))
        return png

    async def close(self) -> None:
        """Draw nothing any more."""
        await self._drawing.close()


PICTURES = web.AppKey("pictures", Pictures)


def add_pictures(app: web.Application) -> None:
    """Add the routes, and what is kept between them; needs what add_recorded adds."""
    app[PICTURES] = pictures = Pictures()
    app.add_routes(routes)

    async def close(_: web.Application) -> None:
        await pictures.close()

    app.on_cleanup.append(close)


@routes.get("/m/{moment}/heat.png")
async def of_moment(request: web.Request) -> web.Response:
    """Its recording with its part in the frame. What was typed in private has none: chats pass pictures on."""
    word, services = request.match_info["moment"], request.app[SERVICES]
    found = await saves.moment(services.store, word) if PUBLIC_ID.fullmatch(word) else None
    if found is None or found.private:
        raise NotFound(NO_MOMENT)
    window = Part(found.start_seconds, found.end_seconds, 0)
    return await _answer(request, await shown(services, found.track, (found.provider, found.media_id)), window)


@routes.get("/t/{track}/heat.png")
async def of_track(request: web.Request) -> web.Response:
    """A recording with its most saved part in the frame, or the one `?part=45-60` names."""
    word, services = request.match_info["track"], request.app[SERVICES]
    found = await tracks.find(services.store, word) if PUBLIC_ID.fullmatch(word) else None
    recording = await shown(services, found) if found else None
    if found is None or recording is None or not recording.places:
        raise NotFound(NO_TRACK)
    window = _named_part(request.query.get("part", ""))
    if window is None:
        best = await services.best.of(services.store, found)
        window = best[0]._replace(people=0) if best else None
    return await _answer(request, recording, window)


def _named_part(word: str) -> Part | None:
    found = _PART.fullmatch(word)
    part = Part(int(found[1]), int(found[2]), 0) if found else None
    return part if part and part.start_seconds < part.end_seconds <= LONGEST else None


async def _answer(request: web.Request, recording: Shown, window: Part | None) -> web.Response:
    state = _State(recording.track, recording.duration_seconds, window)
    etag = tag_of(state)
    if is_known(request, etag):
        response = web.Response(status=304)
    else:
        savers = await request.app[TALLIES].heat(*state[:2])
        png = await request.app[PICTURES].of(state, savers)
        response = web.Response(body=png, content_type="image/png")
    response.etag = ETag(etag)
    response.headers[hdrs.CACHE_CONTROL] = SHARED_CACHE
    return response


def draw(savers: Sequence[int], window: Part | None) -> bytes:
    """The picture as a PNG of a kilobyte or two, the same for the same numbers."""
    found = bars(savers, window)
    image = Image.new("RGB", (WIDE, TALL), _PAPER)
    pen = ImageDraw.Draw(image)
    pen.line((EDGE, BASE, WIDE - EDGE - 1, BASE), _LINE)
    for first, last in _spans(found.bars) if found.few else [(bar, bar) for bar in found.bars]:
        left, right = EDGE + BOX * first.column, EDGE + BOX * last.column + BOX - 2
        top, ink = BASE - max(2, HIGHEST * first.height // 100), _INK[first.step]
        pen.rectangle((left, top, right, BASE - 1), _FAINT if found.few else ink, ink)
    if found.framed:
        left, right = EDGE + BOX * found.framed.start, EDGE + BOX * found.framed.stop - 2
        pen.rounded_rectangle((left - 4, EDGE // 2, right + 4, TALL - EDGE // 2), 4, None, _INK["most"], 2)
    written = BytesIO()
    image.quantize(16).save(written, "PNG", optimize=True)
    return written.getvalue()


def _spans(found: Sequence[Bar]) -> list[tuple[Bar, Bar]]:
    """The first and last of bars that stand side by side and look alike."""
    spans: list[tuple[Bar, Bar]] = []
    for bar in found:
        if spans and spans[-1][1].column == bar.column - 1 and spans[-1][1].step == bar.step:
            spans[-1] = (spans[-1][0], bar)
        else:
            spans.append((bar, bar))
    return spans
