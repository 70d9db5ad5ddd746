"""Discord's own OpenAPI document (github.com/discord/discord-api-spec), held against bodies both ways."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # it has no stubs
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.fake_discord.rules import broken
from tests.fake_discord.world import DiscordError, Json

ADDRESS = "urn:discord"
SENT_ANYWAY = (".embeds[].flags", ".tts", ".[].nsfw")
"""Undocumented in requests, and discord.py 2.7 sends them (research/discord.md §4)."""
OUTSIDE = ("/oauth2/token", "/oauth2/authorize")
"""What the document does not describe."""


def is_instant(value: object) -> bool:
    """RFC 3339 with its zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def is_uri(value: object) -> bool:
    """With a scheme, and something after it."""
    parts = urlsplit(value) if isinstance(value, str) else None
    return parts is None or (bool(parts.scheme and (parts.netloc or parts.path)) and " " not in str(value))


formats = FormatChecker(formats=())
formats.checks("date-time", raises=ValueError)(is_instant)
formats.checks("uri", raises=ValueError)(is_uri)


def document_path() -> Path:
    """Where the document lies on this machine, if it does."""
    shared = os.environ.get("MOMENTS_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data"
    return Path(shared) / "discord-spec" / "openapi.json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: re.Pattern[str]
    request: Json | None
    responses: Mapping[str, Json]


class Spec:
    """The document as JSON Schemas (OpenAPI 3.1 is JSON Schema 2020-12)."""

    def __init__(self, document: Json) -> None:
        self._schemas: Json = document["components"]["schemas"]
        resource = DRAFT202012.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource(ADDRESS, resource)
        self._validators: dict[str, Draft202012Validator] = {}
        self._operations = sorted(_operations(document), key=lambda each: each.path.pattern.count("[^/]"))

    def operation(self, method: str, path: str) -> Operation | None:
        """What the document says of this request."""
        fits = (each for each in self._operations if each.method == method and each.path.fullmatch(path))
        return next(fits, None)

    def problems(self, schema: Json, body: object, allowed: tuple[str, ...]) -> list[str]:
        """Everything about the body that the schema forbids, or does not know."""
        errors = [_worded(_leaf(error)) for error in self._validator(schema).iter_errors(body)]
        unknown = [key for key in self._unknown(schema, body, "") if not f".{key}".endswith(allowed)]
        return errors or [f"{key}: not documented" for key in unknown]

    def _validator(self, schema: Json) -> Draft202012Validator:
        key = orjson.dumps(schema).decode()
        if key not in self._validators:
            absolute = orjson.loads(key.replace('"#/', f'"{ADDRESS}#/'))
            new = Draft202012Validator(absolute, registry=self._registry, format_checker=formats)
            self._validators[key] = new
        return self._validators[key]

    def _resolved(self, schema: Json) -> Json:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def _unknown(self, schema: Json, value: object, where: str) -> list[str]:
        schema = self._resolved(schema)
        branches = [self._resolved(each) for name in ("oneOf", "anyOf") for each in schema.get(name, [])]
        if branches:
            of_type = [each for each in branches if _may_be(each, value)] or branches
            return min((self._unknown(each, value, where) for each in of_type), key=len)
        if isinstance(value, list):
            items = schema.get("items", {})
            return [key for each in value for key in self._unknown(items, each, f"{where}[]")]
        if not isinstance(value, dict):
            return []
        return [key for name, each in value.items() for key in self._unknown_key(schema, name, each, where)]

    def _unknown_key(self, schema: Json, name: str, value: object, where: str) -> list[str]:
        inner = f"{where}.{name}" if where else name
        wider = [self._resolved(each) for each in schema.get("allOf", [])]
        known = next(
            (each["properties"][name] for each in (schema, *wider) if name in each.get("properties", {})), None
        )
        if known is None:
            known = schema.get("additionalProperties")
        if known is None:
            return [inner] if schema.get("properties") or wider else []
        return self._unknown(known, value, inner) if isinstance(known, dict) else []


class Checks:
    """Holds requests and the fake's own answers against the document and the rules; `found` takes each violation."""

    def __init__(self, spec: Spec | None, found: Callable[[str], None]) -> None:
        self._spec, self._found = spec, found

    def request(self, method: str, path: str, body: object) -> None:
        """Notes what is wrong, and raises Discord's 50035 when Discord would."""
        about = f"{method} {_unnamed(path)}"
        problems = self._documented(method, path, body)
        refused, noted = broken(method, path, body)
        for problem in problems + refused + noted:
            self._found(f"{about}: {problem}")
        if problems or refused:
            raise DiscordError(400, 50035, "Invalid Form Body", errors={})

    def response(self, method: str, path: str, status: int, body: object) -> None:
        """Notes where the fake itself is not as documented."""
        operation = self._spec.operation(method, path) if self._spec else None
        if not self._spec or not operation:
            return
        key = str(status) if str(status) in operation.responses else f"{status // 100}XX"
        about = f"the fake's answer to {method} {_unnamed(path)}"
        if key not in operation.responses:
            self._found(f"{about}: undocumented status {status}")
            return
        schema = operation.responses[key]
        told = orjson.loads(body) if isinstance(body, bytes) and body else None
        for problem in self._spec.problems(schema, told, ()) if schema else []:
            self._found(f"{about}: {problem}")

    def _documented(self, method: str, path: str, body: object) -> list[str]:
        if self._spec is None or path.startswith(OUTSIDE):
            return []
        operation = self._spec.operation(method, path)
        if operation is None:
            return ["not in Discord's document"]
        if operation.request is None:
            return ["there is no body here"] if body is not None else []
        return self._spec.problems(operation.request, _as_documented(body), SENT_ANYWAY)


@cache
def load(path: Path) -> Spec | None:
    """Once a process: it is big. None when there is no such file."""
    return Spec(orjson.loads(path.read_bytes())) if path.is_file() else None


def _operations(document: Json) -> Iterator[Operation]:
    for template, methods in document["paths"].items():
        pattern = re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)))
        for method, told in methods.items():
            if not isinstance(told, dict) or "responses" not in told:
                continue
            request = _schema(told.get("requestBody", {}))
            responses = {status: _schema(_response(document, each)) or {} for status, each in told["responses"].items()}
            yield Operation(method.upper(), pattern, request, responses)


def _response(document: Json, response: Json) -> Json:
    return document["components"]["responses"][response["$ref"].rpartition("/")[2]] if "$ref" in response else response


def _schema(told: Json) -> Json | None:
    schema: Json | None = told.get("content", {}).get("application/json", {}).get("schema")
    return schema


def _as_documented(body: object) -> object:
    """Permissions of commands are strings in Discord's pages and numbers in this document: both are taken."""
    if not isinstance(body, list):
        return body
    name = "default_member_permissions"
    return [
        each | {name: int(each[name])}
        if isinstance(each, dict) and isinstance(each.get(name), str) and each[name].isdigit()
        else each
        for each in body
    ]


def _may_be(schema: Json, value: object) -> bool:
    """Whether this branch of a union is meant: by JSON type, and by the component's, option's, callback's `type`."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if value is None or not isinstance(value, dict):
        return value is not None or "null" in kinds
    wanted = schema.get("properties", {}).get("type", {}).get("enum")
    return "null" not in kinds and (wanted is None or value.get("type") in wanted)


def _leaf(error: Any) -> Any:  # noqa: ANN401 - jsonschema has no types
    """The error that tells most: inside the branch of a union whose `type` fits."""
    while error.context:
        branches: dict[object, list[Any]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        fitting = [each for each in branches.values() if not any(_about_type(inner) for inner in each)]
        candidates = [inner for each in fitting or branches.values() for inner in each]
        error = max(candidates, key=lambda inner: len(inner.absolute_path))
    return error


def _about_type(error: Any) -> bool:  # noqa: ANN401
    return list(error.path) in ([], ["type"]) and error.validator in ("enum", "const", "type")


def _worded(error: Any) -> str:  # noqa: ANN401
    where = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in error.absolute_path)
    return f"{where.lstrip('.') or 'body'}: {error.message[:300]}"


def _unnamed(path: str) -> str:
    """A path without ids and tokens."""
    return re.sub(r"/(\d+|[A-Za-z0-9_-]{40,})(?=/|$)", "/*", path)
