"""Saved moments, tracks and best parts as JSON. Whose they are is told of nobody (PRIV-2)."""

from collections.abc import Sequence
from typing import Any

from commands.services import Services
from commands.shown import Place, Shown
from moments.saves import Part
from storage.saves import Moment
from web_export.shapes import iso

NOT_PASSED_ON = frozenset({"twitch"})
"""Services whose words our pages may show and our API may not hand to other programs (research/providers.md §2)."""


def moment_json(services: Services, moment: Moment, place: Place) -> dict[str, Any]:
    """One saved moment; `note` is null when there is none, or none for everybody."""
    return {
        "id": moment.id,
        "url": services.link(f"/m/{moment.id}"),
        "track": moment.track.id,
        "provider": moment.provider,
        "media_id": moment.media_id,
        "plays_at": place.url(moment.start_seconds),
        "title": title_of(place),
        "start_seconds": moment.start_seconds,
        "end_seconds": moment.end_seconds,
        "beyond_end": moment.beyond,
        "note": moment.note or None,
        "submitted_by": None,
        "created_at": iso(moment.created_at),
    }


def track_json(services: Services, shown: Shown) -> dict[str, Any]:
    """One recording, and where it is; what services call it is null when they no longer say."""
    named = shown.named_by
    told = named.told if named and named.link.provider not in NOT_PASSED_ON else None
    return {
        "id": shown.track.id,
        "url": services.link(f"/t/{shown.track.id}"),
        "title": told.title if told else None,
        "by": told.by_line if told else None,
        "told_by": told.provider if told else None,
        "duration_seconds": length_of(shown),
        "sources": [
            {"provider": place.link.provider, "media_id": place.link.media_id, "url": place.url()}
            for place in shown.places
        ],
    }


def length_of(shown: Shown) -> int | None:
    """How long it is, as far as other programs may be told."""
    told = (place.duration_seconds for place in shown.places if place.link.provider not in NOT_PASSED_ON)
    return max(filter(None, told), default=None)


def best_json(part: Part, place: Place, notes: Sequence[str]) -> dict[str, Any]:
    """One of the most saved parts."""
    return {
        "start_seconds": part.start_seconds,
        "end_seconds": part.end_seconds,
        "saved_by": part.people,
        "plays_at": place.url(part.start_seconds),
        "notes": list(notes),
    }


def title_of(place: Place) -> str | None:
    """What its own service calls it, where other programs may be told."""
    return place.told.title if place.told and place.link.provider not in NOT_PASSED_ON else None
