"""The fake's answers against Twitch's OpenAPI document, and its events against Twitch's published examples."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]  # it has no stubs

from tests.fake_twitch.application import Application, Ear
from tests.fake_twitch.server import FakeTwitch
from tests.fake_twitch.world import Json

BOT_SCOPES = ("user:read:chat", "user:write:chat", "user:bot")
STREAMER_SCOPES = (
    "channel:bot",
    "channel:manage:broadcast",
    "channel:manage:clips",
    "clips:edit",
    "user:read:moderated_channels",
)
NEWER = {"channel.chat.message": {"channel_points_animation_id"}, "stream.offline": {"id"}}
"""What twitchio demands and the examples, older or careless, lack (research/twitch.md §2)."""


def is_instant(value: object) -> bool:
    """RFC 3339 with its zone."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


formats = FormatChecker()
formats.checks("date-time", raises=ValueError)(is_instant)


class Spec:
    """Twitch's OpenAPI document as JSON Schemas that allow no undocumented field."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self.paths: Json = document["paths"]

    def check(self, method: str, path: str, status: int, body: object) -> None:
        """Raises unless the document knows this status here, and this body for it."""
        documented = self.paths[f"/{path}"][method.lower()]["responses"]
        assert str(status) in documented, f"{method} {path} may not answer {status}"
        if content := documented[str(status)].get("content"):
            schema = self._strict(content["application/json"]["schema"])
            Draft202012Validator(schema, format_checker=formats).validate(body)

    def _strict(self, schema: Json) -> Json:
        if "$ref" in schema:
            return self._strict(self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        strict = {name: value for name, value in schema.items() if name not in ("description", "example", "nullable")}
        if "items" in strict:
            strict["items"] = self._strict(strict["items"])
        if properties := strict.get("properties"):
            strict["properties"] = {name: self._strict(value) for name, value in properties.items()}
            strict["additionalProperties"] = False
        if _is_transport(strict.get("properties", {})):
            # This unofficial document knows conduits as a request's transport only; Twitch answers with it as well.
            strict["properties"] |= {"method": {"type": "string"}, "conduit_id": {"type": "string"}}
        return {"anyOf": [strict, {"type": "null"}]} if schema.get("nullable") else strict


def _is_transport(properties: Json) -> bool:
    return {"method", "callback", "session_id"} <= set(properties)


@pytest.fixture
def spec(shared_data: Path) -> Spec:
    return Spec(orjson.loads(_document(shared_data, "helix-openapi.json")))


@pytest.fixture
def examples(shared_data: Path) -> dict[str, list[Json]]:
    """Twitch's example notifications by type."""
    types = orjson.loads(_document(shared_data, "eventsub-examples.json"))["types"]
    return {name: [each["json"] for each in found if "event" in each.get("json", {})] for name, found in types.items()}


def _document(shared_data: Path, name: str) -> bytes:
    path = shared_data / "twitch-spec" / name
    if not path.is_file():
        pytest.skip(f"no {path}; set MOMENTS_SHARED_DATA to the folder that holds twitch-spec/")
    return path.read_bytes()


class Town:
    """A Twitch where everything exists once."""

    def __init__(self, twitch: FakeTwitch, app: Application) -> None:
        self.twitch, self.app = twitch, app
        self.bot, self.streamer, self.viewer = (twitch.user(login) for login in ("bot", "Streamer", "Viewer"))
        twitch.mint(self.bot, BOT_SCOPES)
        self.token = twitch.mint(self.streamer, STREAMER_SCOPES)[0].value
        twitch.make_moderator(self.viewer, self.streamer)
        self.started = twitch.clock() - timedelta(minutes=30)

    async def furnish(self) -> None:
        await self.twitch.online(self.streamer, "Any%", "Celeste", stream_id="4242", started_at=self.started)
        for number, muted in enumerate(([], [(60, 30)])):
            created = self.started - timedelta(days=number)
            self.twitch.archive(self.streamer, f"424{number}", created, 1800, muted, video_id=f"77{number}")
        self.ear = await self.app.open_socket(0)
        self.chat = (await self.app.subscribe_chat(self.streamer, self.bot)).data[0]["id"]

    def calls(self) -> list[tuple[str, str, Json, Json | None, str | None]]:
        """Every route once: method, path, query, body, user token."""
        me, token = self.streamer.id, self.token
        conduit = self.app.conduit_id
        shard = {"id": "1", "transport": {"method": "websocket", "session_id": self.ear.session["id"]}}
        outside = shard | {"id": "9"}
        vod = {"editor_id": me, "broadcaster_id": me, "vod_id": "770", "vod_offset": "90", "title": "Wow"}
        message = {"broadcaster_id": me, "sender_id": self.bot.id, "message": "Marked #1"}
        online = {
            "type": "stream.online",
            "version": "1",
            "condition": {"broadcaster_user_id": me},
            "transport": {"method": "conduit", "conduit_id": conduit},
        }
        return [
            ("GET", "users", {"id": me}, None, None),
            ("GET", "channels", {"broadcaster_id": me}, None, None),
            ("GET", "streams", {"user_id": me}, None, None),
            ("GET", "moderation/channels", {"user_id": me}, None, token),
            ("GET", "videos", {"user_id": me, "type": "archive"}, None, None),
            ("POST", "videos/clips", vod, None, token),
            ("POST", "clips", {"broadcaster_id": me}, None, token),
            ("GET", "clips", {"broadcaster_id": me}, None, None),
            ("POST", "streams/markers", {}, {"user_id": me, "description": "wow"}, token),
            ("POST", "chat/messages", {}, message, None),
            ("POST", "eventsub/subscriptions", {}, online, None),
            ("GET", "eventsub/subscriptions", {}, None, None),
            ("DELETE", "eventsub/subscriptions", {"id": self.chat}, None, None),
            ("POST", "eventsub/conduits", {}, {"shard_count": 2}, None),
            ("GET", "eventsub/conduits", {}, None, None),
            ("PATCH", "eventsub/conduits", {}, {"id": conduit, "shard_count": 3}, None),
            ("PATCH", "eventsub/conduits/shards", {}, {"conduit_id": conduit, "shards": [shard, outside]}, None),
            ("GET", "eventsub/conduits/shards", {"conduit_id": conduit}, None, None),
            ("DELETE", "eventsub/conduits", {"id": conduit}, None, None),
        ]

    def mistakes(self) -> list[tuple[str, str, Json, Json | None, str | None, int]]:
        """Calls that Twitch refuses, and the status it documents."""
        me, token, viewer = self.streamer.id, self.token, self.viewer.id
        vod = {"editor_id": me, "broadcaster_id": me, "vod_id": "770", "vod_offset": "90", "title": "Wow"}
        message = {"broadcaster_id": me, "sender_id": self.bot.id, "message": "hello"}
        return [
            ("GET", "users", {}, None, None, 400),
            ("GET", "users", {"id": me}, None, "wrong", 401),
            ("GET", "channels", {}, None, None, 400),
            ("GET", "videos", {}, None, None, 400),
            ("GET", "videos", {"id": "1"}, None, None, 404),
            ("GET", "clips", {}, None, None, 400),
            ("GET", "moderation/channels", {"user_id": viewer}, None, token, 401),
            ("POST", "clips", {"broadcaster_id": viewer}, None, token, 404),
            ("POST", "videos/clips", vod | {"vod_id": "1"}, None, token, 404),
            ("POST", "videos/clips", vod | {"vod_offset": "10"}, None, token, 400),
            ("POST", "videos/clips", vod | {"duration": "61"}, None, token, 400),
            ("POST", "videos/clips", vod | {"editor_id": viewer}, None, token, 401),
            ("POST", "streams/markers", {}, {"user_id": viewer}, token, 403),
            ("POST", "streams/markers", {}, {"user_id": me, "description": "x" * 141}, token, 400),
            ("POST", "streams/markers", {}, {"user_id": me}, None, 401),
            ("POST", "chat/messages", {}, message | {"message": "x" * 501}, None, 422),
            ("POST", "chat/messages", {}, message | {"message": ""}, None, 400),
            ("POST", "chat/messages", {}, message | {"broadcaster_id": viewer}, None, 403),
            ("POST", "chat/messages", {}, message, token, 401),
            ("POST", "eventsub/subscriptions", {}, {"type": "nothing", "version": "1"}, None, 400),
            ("DELETE", "eventsub/subscriptions", {"id": "no-such"}, None, None, 404),
            ("DELETE", "eventsub/conduits", {"id": "no-such"}, None, None, 404),
            ("GET", "eventsub/conduits", {}, None, token, 401),
            ("POST", "eventsub/conduits", {}, {"shard_count": 0}, None, 400),
            ("GET", "eventsub/conduits/shards", {"conduit_id": "no-such"}, None, None, 404),
        ]


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with FakeTwitch() as twitch, Application.at(twitch) as app:
        town = Town(twitch, app)
        await town.furnish()
        yield town


async def test_every_answer_is_as_twitch_documents_it(spec: Spec, town: Town) -> None:
    for method, path, query, body, token in town.calls():
        answer = await town.app.helix(method, path, query, json=body, token=token)
        assert answer.status < 300, (method, path, answer.text)
        spec.check(method, path, answer.status, answer.body)
        assert int(answer.headers["Ratelimit-Remaining"]) < int(answer.headers["Ratelimit-Limit"])
        if answer.body and "data" in answer.body:
            assert answer.data, f"{method} {path} says nothing to check"


async def test_every_helix_route_is_checked(town: Town) -> None:
    routes = {(route.method, route.resource.canonical) for route in town.twitch.routes() if route.resource}
    helix = {(method, path.removeprefix("/helix/")) for method, path in routes if path.startswith("/helix/")}
    assert {(method, path) for method, path, *_ in town.calls()} == helix - {("HEAD", path) for _, path in helix}


async def test_every_refusal_is_a_documented_one_in_twitchs_shape(spec: Spec, town: Town) -> None:
    for method, path, query, body, token, status in town.mistakes():
        answer = await town.app.helix(method, path, query, json=body, token=token)
        assert (answer.status, set(answer.body)) == (status, {"error", "status", "message"}), (
            method,
            path,
            answer.text,
        )
        assert answer.body["status"] == status
        assert str(status) in spec.paths[f"/{path}"][method.lower()]["responses"], (method, path, status)


async def test_a_dropped_message_is_as_documented_with_and_without_a_reason(spec: Spec, town: Town) -> None:
    message = {"broadcaster_id": town.streamer.id, "sender_id": town.bot.id, "message": "hello"}
    town.twitch.drop_next("msg_rejected")
    town.twitch.drop_next(None)
    for reason in (True, False):
        answer = await town.app.helix("POST", "chat/messages", json=message)
        spec.check("POST", "chat/messages", answer.status, answer.body)
        assert (answer.data[0]["is_sent"], "drop_reason" in answer.data[0]) == (False, reason)


EVENTS = [
    ("channel.chat.message", "1", ("broadcaster_user_id", "user_id")),
    ("channel.chat.message_delete", "1", ("broadcaster_user_id", "user_id")),
    ("channel.chat.clear_user_messages", "1", ("broadcaster_user_id", "user_id")),
    ("channel.chat.clear", "1", ("broadcaster_user_id", "user_id")),
    ("stream.online", "1", ("broadcaster_user_id",)),
    ("stream.offline", "1", ("broadcaster_user_id",)),
    ("channel.update", "2", ("broadcaster_user_id",)),
    ("channel.raid", "1", ("to_broadcaster_user_id",)),
    ("conduit.shard.disabled", "1", ("client_id",)),
]


async def happen(town: Town, kind: str) -> None:
    """Make an event of this type."""
    twitch, streamer, viewer = town.twitch, town.streamer, town.viewer
    if kind == "conduit.shard.disabled":
        other = await town.app.open_socket(1)
        await other.ws.close()
        return
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "channel.chat.message": lambda: twitch.say(streamer, viewer, "Hi chat"),
        "channel.chat.message_delete": lambda: twitch.delete_message(streamer, "gone", viewer),
        "channel.chat.clear_user_messages": lambda: twitch.clear_user(streamer, viewer),
        "channel.chat.clear": lambda: twitch.clear_chat(streamer),
        "stream.online": lambda: twitch.online(streamer),
        "stream.offline": lambda: twitch.offline(streamer),
        "channel.update": lambda: twitch.update(streamer, "Best Stream Ever", "Celeste"),
        "channel.raid": lambda: twitch.raid(viewer, streamer),
    }
    await acts[kind]()


@pytest.mark.parametrize(("kind", "version", "condition"), EVENTS, ids=[kind for kind, *_ in EVENTS])
async def test_an_event_has_the_fields_of_twitchs_example(
    kind: str, version: str, condition: tuple[str, ...], examples: dict[str, list[Json]], town: Town
) -> None:
    people = {"user_id": town.bot.id, "client_id": town.twitch.client_id}
    if kind != "channel.chat.message":
        wanted = {name: people.get(name, town.streamer.id) for name in condition}
        assert (await town.app.subscribe(kind, version, **wanted)).status == 202
    example = examples[kind][0]
    await happen(town, kind)
    frame = await _of_type(town.ear, kind)
    subscription, event = frame["payload"]["subscription"], frame["payload"]["event"]
    assert set(subscription) == set(example["subscription"])
    assert subscription["version"] == example["subscription"]["version"] == version
    assert _shape(event, without=NEWER.get(kind, set())) == _shape(example["event"])
    assert NEWER.get(kind, set()) <= set(event)


async def test_a_shared_chat_copy_has_the_fields_of_twitchs_example(
    examples: dict[str, list[Json]], town: Town
) -> None:
    shared = next(each["event"] for each in examples["channel.chat.message"] if each["event"]["source_message_id"])
    town.twitch.make_moderator(town.bot, town.viewer)
    await town.twitch.say(town.streamer, town.viewer, "Hi chat", source_channel=town.bot)
    event = await town.ear.event()
    assert _shape(event, without=NEWER["channel.chat.message"]) == _shape(shared)


async def _of_type(ear: Ear, kind: str) -> Json:
    while (frame := await ear.hears())["metadata"]["subscription_type"] != kind:
        pass
    return frame


def _shape(value: Any, without: frozenset[str] | set[str] = frozenset()) -> Any:  # noqa: ANN401 - JSON
    """Names and types; of a list of objects its first, but badges may be none."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items() if name not in without}
    if isinstance(value, list):
        telling = value and isinstance(value[0], dict) and "set_id" not in value[0]
        return [_shape(value[0])] if telling else "list"
    return type(value).__name__
