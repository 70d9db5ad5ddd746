"""The part of the description that is about moments of songs and videos."""

from typing import Any

from moments.ranges import LONGEST_SECONDS
from web_export.openapi_parts import (
    COUNT,
    INSTANT,
    LARGEST_PAGE,
    WORDS_OR_NULL,
    as_json,
    described,
    ref,
    shape,
)

_SECOND = {"type": "integer", "minimum": 0, "maximum": LONGEST_SECONDS}
_SECOND_OR_NULL = {"type": ["integer", "null"], "minimum": 0, "maximum": LONGEST_SECONDS}
_TOLERANCE = {**COUNT, "description": "Seconds by which saves that agree may differ at each end"}
_CURSOR_OR_NULL = {**WORDS_OR_NULL, "description": "The cursor of the next page; null on the last"}
_PART: dict[str, Any] = {"start_seconds": _SECOND, "end_seconds": _SECOND}
_MOMENT: dict[str, Any] = {
    "id": {"type": "string"},
    "url": {"type": "string"},
    "track": {"type": "string"},
    "provider": {"type": "string"},
    "media_id": {"type": "string"},
    "plays_at": {"type": "string", "description": "On its own service, from where the part starts if its links can"},
    "title": {**WORDS_OR_NULL, "description": "As the service calls it, while that may be told"},
    **_PART,
    "beyond_end": {"type": "boolean", "description": "It ends after the recording does, so it is not counted"},
    "note": WORDS_OR_NULL,
    "submitted_by": {"type": "null", "description": "Whose it is, once there are public profiles"},
    "created_at": INSTANT,
}
_COUNTED: dict[str, Any] = {"saved_by": COUNT, "tolerance_seconds": _TOLERANCE}

SCHEMAS: dict[str, Any] = {
    "Resolved": shape(
        provider={"type": "string"},
        media_id={"type": "string"},
        track={**WORDS_OR_NULL, "description": "Null for what nobody saved"},
        start_seconds=_SECOND_OR_NULL,
        end_seconds=_SECOND_OR_NULL,
    ),
    "Saved": shape(track=WORDS_OR_NULL, **_PART, **_COUNTED),
    "Track": shape(
        id={"type": "string"},
        url={"type": "string"},
        title=WORDS_OR_NULL,
        by=WORDS_OR_NULL,
        told_by={**WORDS_OR_NULL, "description": "Whose words title and by are"},
        duration_seconds=_SECOND_OR_NULL,
        sources={
            "type": "array",
            "items": shape(provider={"type": "string"}, media_id={"type": "string"}, url={"type": "string"}),
        },
    ),
    "Heatmap": shape(
        duration_seconds=_SECOND_OR_NULL,
        savers={"type": "array", "items": COUNT, "description": "For each second, how many people saved it"},
    ),
    "BestParts": shape(
        parts={
            "type": "array",
            "items": shape(
                **_PART,
                saved_by=COUNT,
                plays_at={"type": "string"},
                notes={"type": "array", "items": {"type": "string"}},
            ),
        },
        tolerance_seconds=_TOLERANCE,
    ),
    "Moment": shape(**_MOMENT),
    "CountedMoment": shape(**_MOMENT, **_COUNTED),
    "SavedMoment": shape(
        **_MOMENT,
        **_COUNTED,
        replaced={"type": "array", "items": shape(**_PART), "description": "Own earlier parts it took the place of"},
        note_cut={"type": "boolean"},
    ),
    "MomentPage": shape(
        moments={"type": "array", "maxItems": LARGEST_PAGE, "items": ref("schemas", "Moment")}, next=_CURSOR_OR_NULL
    ),
    "NewMoment": {
        "type": "object",
        "required": ["url"],
        "additionalProperties": False,
        "properties": {
            "url": {"type": "string", "pattern": "\\S", "description": "A link to a song or video"},
            "range": {**WORDS_OR_NULL, "description": "As in chat; a link with a start and an end needs none"},
            "note": {**WORDS_OR_NULL, "description": "Cut to 100 characters"},
        },
    },
}
PARAMETERS: dict[str, Any] = {
    "track": {
        "name": "track",
        "in": "path",
        "required": True,
        "description": "A track's id, as resolve gives it; of one that was merged, the one it counts as is told",
        "schema": {"type": "string", "minLength": 1},
    },
    "moment": {
        "name": "moment",
        "in": "path",
        "required": True,
        "description": "A moment's id; of a replaced one, the newest is told",
        "schema": {"type": "string", "minLength": 1},
    },
    "url": {
        "name": "url",
        "in": "query",
        "required": True,
        "description": "A link to a song or video, as its service gives it; other links are refused with a hint",
        "schema": {"type": "string", "minLength": 1},
        "example": "https://youtu.be/jNQXAC9IVRw",
    },
    "before": {
        "name": "cursor",
        "in": "query",
        "description": "`next` of the page before",
        "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    },
    "key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A word of the client's own: with the same one the same person saves once",
        "schema": {"type": "string", "pattern": "^[!-~]{1,64}$"},
    },
}
_READ = ("400", "404", "409", "414", "429", "503")
_URL = ref("parameters", "url")
_TRACK = ref("parameters", "track")
_PAGED = (ref("parameters", "limit"), ref("parameters", "before"))


def _range(what: str) -> dict[str, Any]:
    return {
        "name": "range",
        "in": "query",
        "description": what,
        "schema": {"type": "string"},
        "example": "0:45-1:00",
    }


_SAVE = {
    "summary": "Save a part of a song or video, as the person who is logged in",
    "description": "The login's cookie, and its token from /session/csrf as X-CSRF-Token.",
    "parameters": [ref("parameters", "key")],
    "requestBody": {"required": True, "content": {"application/json": {"schema": ref("schemas", "NewMoment")}}},
    "responses": {
        "201": as_json(ref("schemas", "SavedMoment"), "It is kept; Location is its page"),
        **{
            status: ref("responses", status)
            for status in ("400", "401", "403", "409", "413", "414", "415", "422", "429", "503")
        },
    },
}
PATHS: dict[str, Any] = {
    "/api/v1/resolve": {
        "get": described(
            "What a link and a range mean",
            "Resolved",
            _READ,
            _URL,
            _range("As in chat; without it, the times the link names"),
        )
    },
    "/api/v1/saved": {
        "get": described(
            "How many people saved a part, on whichever service",
            "Saved",
            _READ,
            _URL,
            _range("As in chat; a link with a start and an end needs none"),
        )
    },
    "/api/v1/tracks/{track}": {"get": described("One recording, and where it is", "Track", _READ, _TRACK)},
    "/api/v1/tracks/{track}/heatmap": {"get": described("How many people saved each second", "Heatmap", _READ, _TRACK)},
    "/api/v1/tracks/{track}/best": {"get": described("The most saved parts", "BestParts", _READ, _TRACK)},
    "/api/v1/tracks/{track}/moments": {
        "get": described("What people saved of a track, newest first", "MomentPage", _READ, _TRACK, *_PAGED)
    },
    "/api/v1/moments": {
        "get": described("What people saved in public, newest first", "MomentPage", _READ, *_PAGED),
        "post": _SAVE,
    },
    "/api/v1/moments/{moment}": {
        "get": described("One saved moment", "CountedMoment", _READ, ref("parameters", "moment"))
    },
}
