"""Notifications as they come off the socket."""

from collections.abc import Mapping
from typing import Any


def notification(kind: str, event: Any, **metadata: Any) -> dict[str, Any]:  # noqa: ANN401 -- any JSON
    """An envelope, as it comes off the socket."""
    told = {
        "message_id": "bf3b5a51-7d4c-4f1c-a68c-30b8f0b4f1c1",
        "message_type": "notification",
        "message_timestamp": "2026-11-21T19:59:58.123456789Z",
        "subscription_type": kind,
        "subscription_version": "1",
    }
    return {"metadata": told | metadata, "payload": {"subscription": {"type": kind}, "event": event}}


def said(text: str = "!clip", metadata: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """A chat line of `rook` in nightowl's channel."""
    event: dict[str, Any] = {
        "broadcaster_user_id": "1971641",
        "broadcaster_user_login": "nightowl",
        "broadcaster_user_name": "NightOwl",
        "chatter_user_id": "4145994",
        "chatter_user_login": "rook",
        "chatter_user_name": "Rook",
        "message_id": "cc106a89-1814-919d-454c-f4f2f970aae7",
        "message": {"text": text, "fragments": []},
        "badges": [],
        "message_type": "text",
        "source_broadcaster_user_id": None,
    }
    return notification("channel.chat.message", event | fields, **(metadata or {}))


def badge(name: str) -> dict[str, str]:
    return {"set_id": name, "id": "1", "info": ""}


EXAMPLE = {
    "broadcaster_user_id": "1337",
    "broadcaster_user_login": "cool_user",
    "broadcaster_user_name": "Cool_User",
    "id": "9001",
    "type": "live",
    "title": "Any%",
    "category_name": "Hollow Deep",
    "target_user_id": "7734",
    "message_id": "ab24e0b0-2260-4bac-94e4-05eedd4ecd0e",
}
