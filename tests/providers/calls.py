"""Every call of Helix, with a row it takes, for tests that walk them all."""

from collections.abc import Awaitable, Callable
from typing import Any

from providers.twitch.helix import Helix
from tests.providers.service import Asked, Service

Row = dict[str, Any]
Call = Callable[[Helix], Awaitable[object]]

USER: Row = {"id": "1", "login": "rosa", "display_name": "Rosa", "created_at": "2020-01-02T03:04:05Z"}
STREAM: Row = {
    "id": "s1",
    "user_id": "1",
    "type": "live",
    "title": "Any%",
    "game_name": "Celeste",
    "started_at": "2026-03-01T10:00:00Z",
}
CHANNEL: Row = {
    "broadcaster_id": "1",
    "broadcaster_login": "rosa",
    "broadcaster_name": "Rosa",
    "title": "",
    "game_name": "",
}
MODERATED: Row = {name: CHANNEL[name] for name in ("broadcaster_id", "broadcaster_login", "broadcaster_name")}
VIDEO: Row = {
    "id": "v1",
    "stream_id": "s1",
    "title": "Any%",
    "created_at": "2026-03-01T10:00:03Z",
    "duration": "3h2m1s",
    "muted_segments": [{"offset": 120, "duration": 30}],
}
CLIP: Row = {"id": "c1", "url": "https://clips/c1", "title": "t", "created_at": "2026-03-01T10:00:00Z", "video_id": ""}
SUBSCRIPTION: Row = {
    "id": "e1",
    "type": "stream.online",
    "version": "1",
    "status": "enabled",
    "condition": {"broadcaster_user_id": "1"},
    "transport": {"method": "conduit", "conduit_id": "k1"},
}
MARKER: Row = {"id": "m1", "created_at": "2026-03-01T12:00:00.730260295Z", "position_seconds": 61}
MADE: Row = {"id": "c1", "edit_url": "https://clips/c1/edit"}
SENT: Row = {"message_id": "abc", "is_sent": True}
CONDUIT: Row = {"id": "k1", "shard_count": 2}
SHARD: Row = {"id": "0", "status": "enabled", "transport": {"method": "websocket"}}

CALLS: dict[str, tuple[str, str, Row, Call]] = {
    "users": ("GET", "/users", USER, lambda helix: helix.users(["1"])),
    "streams": ("GET", "/streams", STREAM, lambda helix: helix.streams(["1"])),
    "channels": ("GET", "/channels", CHANNEL, lambda helix: helix.channels(["1"])),
    "videos": ("GET", "/videos", VIDEO, lambda helix: helix.videos("1")),
    "clips": ("GET", "/clips", CLIP, lambda helix: helix.clips(["c1"])),
    "moderated": ("GET", "/moderation/channels", MODERATED, lambda helix: helix.moderated_channels("1", "theirs")),
    "subscriptions": ("GET", "/eventsub/subscriptions", SUBSCRIPTION, lambda helix: helix.subscriptions()),
    "conduits": ("GET", "/eventsub/conduits", CONDUIT, lambda helix: helix.conduits()),
    "shards": ("GET", "/eventsub/conduits/shards", SHARD, lambda helix: helix.shards("k1")),
    "send": ("POST", "/chat/messages", SENT, lambda helix: helix.send_message("1", "2", "hi")),
    "marker": ("POST", "/streams/markers", MARKER, lambda helix: helix.create_marker("1001", "x")),
    "clip": (
        "POST",
        "/videos/clips",
        MADE,
        lambda helix: helix.create_clip_from_vod("1001", "v", ends_at_seconds=60, duration_seconds=30, title="t"),
    ),
    "subscribe": (
        "POST",
        "/eventsub/subscriptions",
        SUBSCRIPTION,
        lambda helix: helix.subscribe("stream.online", "1", {"broadcaster_user_id": "1"}, "k1"),
    ),
    "create_conduit": ("POST", "/eventsub/conduits", CONDUIT, lambda helix: helix.create_conduit(2)),
}
READS = {name: call for name, call in CALLS.items() if call[0] == "GET"}
WRITES = {name: call for name, call in CALLS.items() if call[0] == "POST"} | {
    "unsubscribe": ("DELETE", "/eventsub/subscriptions", {}, lambda helix: helix.unsubscribe("e1")),
    "delete_conduit": ("DELETE", "/eventsub/conduits", {}, lambda helix: helix.delete_conduit("k1")),
}


def asked(service: Service) -> list[Asked]:
    """What Helix was asked, without the token that was fetched first."""
    return [request for request in service.asked if request.path.startswith("/helix/")]
