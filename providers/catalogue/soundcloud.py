"""SoundCloud, by oEmbed: its API proper wants an application, and hands out few tokens."""

from datetime import UTC, datetime

from providers.address import Link
from providers.catalogue.budget import Budget, Pace
from providers.catalogue.client import Said
from providers.catalogue.facts import Kind
from providers.catalogue.oembed import OEmbed, oembed_judge
from providers.catalogue.setup import Catalogue, Setup
from providers.catalogue.shapes import Malformed, Row, line, part, parts, words
from providers.http import Answer
from providers.links import deep_link

API_URL = "https://soundcloud.com"


def _about(row: Row, media_id: str) -> bool:
    return "tracks%" in line(row, "html")  # the id in there is another one than the page's; a person or a set is none


def _page(link: Link) -> str:
    if not link.media_id.isdecimal():
        return deep_link(link)
    key = f"?secret_token={link.beside}" if link.beside else ""
    return f"https://api.soundcloud.com/tracks/{link.media_id}{key}"  # what a player's number is a number of


def _title(row: Row) -> str | None:
    """What stands before the "by" that SoundCloud puts behind every title."""
    title, author = words(row, "title"), words(row, "author_name")
    return title.removesuffix(f" by {author}") if title and author else title


def _judge(answer: Answer, now: datetime) -> Said | None:
    seconds = _until_reset(answer.json, now) if answer.status == 429 and isinstance(answer.json, dict) else None
    if seconds is not None:
        return Said(Kind.QUOTA, "rate_limit", seconds)
    return oembed_judge(answer, now)


def _until_reset(row: Row, now: datetime) -> float | None:
    try:
        meta = [part(error, "meta") for error in parts(row, "errors")]
        reset = datetime.strptime(line(meta[0], "reset_time"), "%Y/%m/%d %H:%M:%S %z").astimezone(UTC)
    except (Malformed, ValueError, IndexError):
        return None
    return (reset - now).total_seconds()


def _open(setup: Setup) -> OEmbed:
    budget = Budget(setup.clock, Pace(5, 1.0, setup.clock))  # of oEmbed no limit is published; this one is polite
    client = setup.client("soundcloud", API_URL, budget, _judge)
    return OEmbed("soundcloud", client, "/oembed", _about, _title, _page)


CATALOGUE = Catalogue("soundcloud", (API_URL,), _open)
