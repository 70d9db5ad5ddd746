"""MusicBrainz' links: a recording, the song itself whatever service plays it."""

from providers.address import UUID, Address, Link, Service, several


def _read(address: Address) -> Link | None:
    match address.words:
        case ("recording", mbid, *_):
            return address.link("musicbrainz", mbid, "recording") if UUID.fullmatch(mbid) else None
        case ("release" | "release-group" | "artist" | "work" | "track" as what, *_):
            raise several(f"an {what}" if what == "artist" else f"a {what}", "recording")
    return None


def _page(link: Link, _: int | None) -> str:
    return f"https://musicbrainz.org/recording/{link.media_id}"


MUSICBRAINZ = Service(
    slug="musicbrainz",
    name="MusicBrainz",
    hosts=("musicbrainz.org", "www.musicbrainz.org", "beta.musicbrainz.org"),
    read=_read,
    page=_page,
    example="https://musicbrainz.org/recording/b1a9c0e9-d987-4042-ae91-78d6a3267d69",
)
