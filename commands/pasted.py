"""What people paste and type of a recording: the link, followed where it is a short one, and the part they mean."""

from commands.services import Services
from moments.errors import BadLink
from moments.ranges import Range, parse_range
from providers.links import Link, recognise


async def read_link(services: Services, text: str, person: str) -> Link:
    """The thing a pasted link means, with the times it names; else BadLink, which says what to paste instead.

    `person` is whoever asks, for the pace of short links: TooFast when they, or all together, are too fast.
    """
    found = recognise(text.strip())
    if isinstance(found, Link):
        return found
    if services.short_links is None:
        raise BadLink("Short links cannot be followed here: open it and paste the address it leads to.")
    return await services.short_links.follow(found, person)


def read_range(link: Link, text: str) -> tuple[Range, str]:
    """The part meant by what was typed after a link, or by the link itself, and the note behind it; TimecodeError."""
    return parse_range(text, link.start_seconds, link.end_seconds)


def read_part(link: Link, text: str | None) -> Range | None:
    """The same for a question, whose further words mean nothing; None when neither says from when to when."""
    if not (text and text.strip()) and (link.start_seconds is None or link.end_seconds is None):
        return None
    return read_range(link, text or "")[0]
