"""Dailymotion, by oEmbed."""

from providers.catalogue.budget import Budget, Pace
from providers.catalogue.oembed import OEmbed, oembed_judge, player_names
from providers.catalogue.setup import Catalogue, Setup

API_URL = "https://www.dailymotion.com"


def _open(setup: Setup) -> OEmbed:
    budget = Budget(setup.clock, Pace(5, 1.0, setup.clock))  # no limit is published; this one is polite
    client = setup.client("dailymotion", API_URL, budget, oembed_judge)
    about = player_names(r"[?&]video=([A-Za-z0-9]{1,20})(?![A-Za-z0-9])")
    return OEmbed("dailymotion", client, "/services/oembed", about)


CATALOGUE = Catalogue("dailymotion", (API_URL,), _open)
