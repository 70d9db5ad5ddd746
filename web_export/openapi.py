"""The JSON API in OpenAPI 3.1, written by hand; tests hold the answers to it."""

from typing import Any

from web_export.positions import POSITION

LARGEST_PAGE = 100
"""Marks a page of the API may hold."""

_INSTANT = {"type": "string", "format": "date-time"}
_WORDS_OR_NULL = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}


def _shape(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


_SCHEMAS = {
    "Channel": _shape(
        platform={"type": "string"},
        id={"type": "string"},
        display_name={"type": "string"},
        visibility={"type": "string", "enum": ["public", "private"]},
    ),
    "Segment": _shape(
        id={"type": "string"},
        index={"type": "integer", "minimum": 1},
        start_time=_INSTANT,
        end_time={"anyOf": [_INSTANT, {"type": "null"}]},
        created_at=_INSTANT,
        stream_id={"type": ["string", "null"]},
        session_id={"type": "string"},
    ),
    "Session": _shape(
        id={"type": "string"},
        channel=_ref("schemas", "Channel"),
        title={"type": "string"},
        game={"type": "string"},
        status={"type": "string", "enum": ["active", "paused", "ended"]},
        created_at=_INSTANT,
        updated_at=_INSTANT,
        segments={"type": "array", "items": _ref("schemas", "Segment")},
        marks=_COUNT,
        people=_COUNT,
    ),
    "Timestamp": _shape(
        id={"type": "string"},
        number={"type": "integer", "minimum": 1},
        session_id={"type": "string"},
        segment_id={"type": "string"},
        segment_index={"type": "integer", "minimum": 1},
        offset_seconds=_COUNT,
        offset_hms={"type": "string", "pattern": "^[0-9]{2,}:[0-5][0-9]:[0-5][0-9]$"},
        note=_WORDS_OR_NULL,
        submitted_by=_WORDS_OR_NULL,
        created_at=_INSTANT,
        instant=_INSTANT,
        adjust_seconds={"type": "integer"},
        platform={"type": "string"},
        vod_url={"type": ["string", "null"], "description": "Plays the mark, the lead before it; null without a VOD"},
        vod_muted={"type": "boolean", "description": "Whether sound is missing there"},
    ),
    "TimestampPage": _shape(
        timestamps={"type": "array", "maxItems": LARGEST_PAGE, "items": _ref("schemas", "Timestamp")},
        next={"type": ["string", "null"], "description": "The cursor of the next page; null on the last"},
    ),
    "Problem": _shape(
        type={"type": "string"}, title={"type": "string"}, status={"type": "integer"}, detail={"type": "string"}
    ),
}


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _problem(description: str) -> dict[str, Any]:
    schema = _ref("schemas", "Problem")
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def _read(summary: str, answer: str, *more: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": [_ref("parameters", "session"), *more],
        "responses": {
            "200": _json(_ref("schemas", answer), summary),
            "304": {"description": "What If-None-Match names is still right"},
            **{status: _ref("responses", status) for status in _RESPONSES},
        },
    }


_RESPONSES = {
    "400": _problem("A parameter cannot be used; detail says what to send instead"),
    "404": _problem("No such session, or none this caller may see"),
    "414": _problem("The query is longer than 2 KiB"),
    "429": _problem("Too many requests; Retry-After says when to come back"),
    "503": _problem("The store is down"),
}
_QUERY_LIMIT = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": LARGEST_PAGE},
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
        "description": "Reads of public sessions and their marks. Answers carry ETags; errors are RFC 9457 documents.",
    },
    "paths": {
        "/api/v1/sessions/{session}": {"get": _read("One session and its totals", "Session")},
        "/api/v1/sessions/{session}/timestamps": {
            "get": _read("A session's marks, a page at a time", "TimestampPage", _QUERY_LIMIT, _QUERY_CURSOR)
        },
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
            }
        },
        "responses": _RESPONSES,
        "schemas": _SCHEMAS,
    },
}
