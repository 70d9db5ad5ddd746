"""The JSON API in OpenAPI 3.1, written by hand; tests hold the answers to it."""

from typing import Any

from web_export.openapi_parts import COUNT, INSTANT, LARGEST_PAGE, WORDS_OR_NULL, described, problem, ref, shape
from web_export.openapi_recorded import PARAMETERS, PATHS, SCHEMAS
from web_export.positions import POSITION

_SCHEMAS = {
    "Channel": shape(
        platform={"type": "string"},
        id={"type": "string"},
        display_name={"type": "string"},
        visibility={"type": "string", "enum": ["public", "private"]},
    ),
    "Segment": shape(
        id={"type": "string"},
        index={"type": "integer", "minimum": 1},
        start_time=INSTANT,
        end_time={"anyOf": [INSTANT, {"type": "null"}]},
        created_at=INSTANT,
        stream_id={"type": ["string", "null"]},
        session_id={"type": "string"},
    ),
    "Session": shape(
        id={"type": "string"},
        channel=ref("schemas", "Channel"),
        title={"type": "string"},
        game={"type": "string"},
        status={"type": "string", "enum": ["active", "paused", "ended"]},
        created_at=INSTANT,
        updated_at=INSTANT,
        segments={"type": "array", "items": ref("schemas", "Segment")},
        marks=COUNT,
        people=COUNT,
    ),
    "Timestamp": shape(
        id={"type": "string"},
        number={"type": "integer", "minimum": 1},
        session_id={"type": "string"},
        segment_id={"type": "string"},
        segment_index={"type": "integer", "minimum": 1},
        offset_seconds=COUNT,
        offset_hms={"type": "string", "pattern": "^[0-9]{2,}:[0-5][0-9]:[0-5][0-9]$"},
        note=WORDS_OR_NULL,
        submitted_by=WORDS_OR_NULL,
        created_at=INSTANT,
        instant=INSTANT,
        adjust_seconds={"type": "integer"},
        platform={"type": "string"},
        vod_url={"type": ["string", "null"], "description": "Plays the mark, the lead before it; null without a VOD"},
        vod_muted={"type": "boolean", "description": "Whether sound is missing there"},
    ),
    "TimestampPage": shape(
        timestamps={"type": "array", "maxItems": LARGEST_PAGE, "items": ref("schemas", "Timestamp")},
        next={"type": ["string", "null"], "description": "The cursor of the next page; null on the last"},
    ),
    "Problem": shape(
        type={"type": "string"}, title={"type": "string"}, status={"type": "integer"}, detail={"type": "string"}
    ),
}


def _read(summary: str, answer: str, *more: dict[str, Any]) -> dict[str, Any]:
    return described(summary, answer, tuple(_RESPONSES), ref("parameters", "session"), *more)


_RESPONSES = {
    "400": problem("A parameter cannot be used; detail says what to send instead"),
    "404": problem("Nothing is there, or nothing this caller may see"),
    "414": problem("The query is longer than 2 KiB"),
    "429": problem("Too many requests; Retry-After says when to come back"),
    "503": problem("The store is down"),
}
_WRITE_RESPONSES = {
    "401": problem("Nobody is logged in"),
    "403": problem("Not from a page of ours, or without its token"),
    "409": problem("A rule says no; detail says which"),
    "413": problem("The body is larger than 64 KiB"),
    "415": problem("The body is not JSON, or compressed"),
    "422": problem("The JSON has another shape"),
}
_QUERY_CURSOR = {
    "name": "cursor",
    "in": "query",
    "description": "`next` of the page before",
    "schema": {"type": "string", "pattern": f"^{POSITION}$"},
}

OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Moments",
        "version": "1",
        "description": "Sessions and their marks; moments of songs and videos, how many saved them, and the best parts."
        " Reads are public and carry ETags; errors are RFC 9457 documents.",
    },
    "paths": {
        "/api/v1/sessions/{session}": {"get": _read("One session and its totals", "Session")},
        "/api/v1/sessions/{session}/timestamps": {
            "get": _read(
                "A session's marks, a page at a time", "TimestampPage", ref("parameters", "limit"), _QUERY_CURSOR
            )
        },
        **PATHS,
    },
    "components": {
        "parameters": {
            "session": {
                "name": "session",
                "in": "path",
                "required": True,
                "description": "A session's id, `latest`, or a channel (`name` or `platform/name`): its newest session",
                "schema": {"type": "string", "minLength": 1},
                "example": "latest",
            },
            "limit": {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": LARGEST_PAGE},
            },
            **PARAMETERS,
        },
        "responses": {**_RESPONSES, **_WRITE_RESPONSES},
        "schemas": {**_SCHEMAS, **SCHEMAS},
    },
}
