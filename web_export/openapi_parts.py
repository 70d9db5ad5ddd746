"""Pieces the description of the JSON API is put together from."""

from typing import Any

LARGEST_PAGE = 100
"""Marks, or moments, a page of the API may hold."""
INSTANT = {"type": "string", "format": "date-time"}
WORDS_OR_NULL = {"type": ["string", "null"]}
COUNT = {"type": "integer", "minimum": 0}


def shape(**properties: dict[str, Any]) -> dict[str, Any]:
    """An object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def ref(kind: str, name: str) -> dict[str, str]:
    """Something of the components."""
    return {"$ref": f"#/components/{kind}/{name}"}


def as_json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    """An answer in JSON."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def problem(description: str) -> dict[str, Any]:
    """A refusal as RFC 9457 has it."""
    schema = ref("schemas", "Problem")
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def described(summary: str, answer: str, refusals: tuple[str, ...], *parameters: dict[str, Any]) -> dict[str, Any]:
    """A read: what it answers, and how it may be refused."""
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {
            "200": as_json(ref("schemas", answer), summary),
            "304": {"description": "What If-None-Match names is still right"},
            **{status: ref("responses", status) for status in refusals},
        },
    }
