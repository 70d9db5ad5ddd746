"""Vimeo, by oEmbed: the only one of them that says how long a video is."""

from providers.catalogue.budget import Budget, Pace
from providers.catalogue.oembed import OEmbed, oembed_judge
from providers.catalogue.setup import Catalogue, Setup
from providers.catalogue.shapes import Row, identifier

API_URL = "https://vimeo.com"


def _about(row: Row, media_id: str) -> bool:
    return identifier(row, "video_id") == media_id


def _open(setup: Setup) -> OEmbed:
    budget = Budget(setup.clock, Pace(5, 1.0, setup.clock))  # no limit is published; this one is polite
    client = setup.client("vimeo", API_URL, budget, oembed_judge)
    return OEmbed("vimeo", client, "/api/oembed.json", _about)


CATALOGUE = Catalogue("vimeo", (API_URL,), _open)
