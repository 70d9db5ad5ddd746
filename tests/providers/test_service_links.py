"""Every form of link, every trick with one, and the way back: tables in link_forms.py."""

from dataclasses import replace

import pytest

from moments.errors import BadLink
from providers.links import BY_SLUG, SERVICES, Link, Service, ShortLink, deep_link, recognise, service_at
from tests.providers.link_forms import FORMS, HINTS, HOSTILE, SHORT, Y

STARTS = {
    ("youtube", "video"): "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3723s",
    ("spotify", "track"): None,
    ("spotify", "episode"): "https://open.spotify.com/episode/4uLU6hMCjMI75M1A2tKUQC?t=3723",
    ("twitch", "vod"): "https://www.twitch.tv/videos/2345678901?t=1h2m3s",
    ("twitch", "clip"): None,
    ("soundcloud", "track"): "https://soundcloud.com/rosa/late-night#t=62:03",
    ("vimeo", "video"): "https://vimeo.com/76979871#t=3723s",
    ("apple_music", "track"): None,
    ("apple_music", "video"): None,
    ("deezer", "track"): None,
    ("dailymotion", "video"): "https://www.dailymotion.com/video/x5e9eog?start=3723",
    ("tiktok", "video"): None,
    ("bandcamp", "track"): None,
    ("kick", "vod"): "https://kick.com/rosa/videos/8dd97a8d-e17f-48fb-8bc3-565f88dbc9ea?t=3723",
    ("kick", "clip"): None,
    ("musicbrainz", "recording"): None,
    ("apple_podcasts", "episode"): "https://podcasts.apple.com/us/podcast/id1200361736?i=1000654321987&t=3723",
}
"""Where a link starts at 1:02:03; None where the service's links cannot say so."""

KINDS = {(link.provider, link.kind): link for table in FORMS.values() for link in reversed(table.values())}


def test_every_service_has_a_table_and_every_host_belongs_to_one_service() -> None:
    assert list(FORMS) == list(BY_SLUG)
    hosts = [host for service in SERVICES for host in service.hosts]
    assert len(hosts) == len(set(hosts))
    assert {service_at(host.replace("*", "any")) for host in hosts} == set(SERVICES)


@pytest.mark.parametrize(
    ("url", "link"),
    [(url, link) for table in FORMS.values() for url, link in table.items()],
    ids=str,
)
def test_every_form_of_link_is_recognised_with_its_times(url: str, link: Link) -> None:
    assert recognise(url) == link


@pytest.mark.parametrize("url", HOSTILE)
def test_OUT_3_a_trick_is_no_link(url: str) -> None:
    with pytest.raises(BadLink) as refused:
        recognise(url)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(("url", "hint"), HINTS.items())
def test_what_is_said_about_other_links(url: str, hint: str) -> None:
    with pytest.raises(BadLink) as refused:
        recognise(url)
    sentence = str(refused.value)
    assert hint in sentence
    assert len(sentence) < 250
    assert "paste" in sentence.lower() or "copy" in sentence


@pytest.mark.parametrize(("url", "short"), SHORT.items())
def test_short_links_are_told_apart_and_rebuilt_from_host_and_code(url: str, short: str) -> None:
    found = recognise(url)
    assert isinstance(found, ShortLink)
    assert found.url == short


def test_a_time_written_on_a_short_link_is_kept() -> None:
    assert recognise("https://on.soundcloud.com/AbC?x=1#t=1:30") == ShortLink(
        "soundcloud", "on.soundcloud.com", "AbC", 90
    )


@pytest.mark.parametrize("link", KINDS.values(), ids=lambda link: f"{link.provider} {link.kind}")
def test_a_deep_link_leads_back_to_the_same_thing(link: Link) -> None:
    bare = replace(link, start_seconds=None, end_seconds=None)
    assert recognise(deep_link(bare)) == bare
    started = STARTS[link.provider, link.kind]
    assert deep_link(bare, 3723) == (started or deep_link(bare))
    assert recognise(deep_link(bare, 3723)) == replace(bare, start_seconds=3723 if started else None)


@pytest.mark.parametrize("table", FORMS.values(), ids=FORMS)
def test_each_recognised_thing_can_be_opened_again(table: dict[str, Link]) -> None:
    for link in table.values():
        assert recognise(deep_link(link)) == replace(link, start_seconds=None, end_seconds=None)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.slug)
def test_the_example_in_a_refusal_is_a_link_itself(service: Service) -> None:
    found = recognise(service.example)
    assert found.provider == service.slug


def test_an_unlisted_key_is_part_of_the_address_and_not_of_the_thing() -> None:
    with_key, without = recognise("https://vimeo.com/76979871/ab12cd34ef"), recognise("https://vimeo.com/76979871")
    assert isinstance(with_key, Link)
    assert isinstance(without, Link)
    assert with_key.media_id == without.media_id


def test_a_link_of_two_thousand_characters_is_read_and_one_more_is_not() -> None:
    link = f"https://youtu.be/{Y}?x="
    assert recognise(link + "a" * (2000 - len(link)))
    with pytest.raises(BadLink, match="too long"):
        recognise(link + "a" * (2001 - len(link)))
