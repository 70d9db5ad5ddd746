"""TikTok, by oEmbed."""

from providers.catalogue.budget import Budget, Pace
from providers.catalogue.oembed import OEmbed, oembed_judge
from providers.catalogue.setup import Catalogue, Setup
from providers.catalogue.shapes import Row, identifier

API_URL = "https://www.tiktok.com"


def _about(row: Row, media_id: str) -> bool:
    return identifier(row, "embed_product_id") == media_id


def _open(setup: Setup) -> OEmbed:
    budget = Budget(setup.clock, Pace(5, 1.0, setup.clock))  # no limit is published; this one is polite
    client = setup.client("tiktok", API_URL, budget, oembed_judge)
    return OEmbed("tiktok", client, "/oembed", _about)


CATALOGUE = Catalogue("tiktok", (API_URL,), _open)
