"""Commands whose arguments have fields of their own: each is read by itself, and nothing typed is silently lost."""

import pytest

from commands import dispatch  # noqa: F401 -- importing it registers every command
from commands.registry import COMMANDS, Command
from moments.errors import UsageError

VIDEO = "https://youtu.be/jNQXAC9IVRw"
EVERY = [*COMMANDS.values()]


@pytest.mark.parametrize(
    ("name", "options", "found"),
    [
        ("start", {"title": "a | b", "game": "c | d"}, {"title": "a | b", "game": "c | d"}),
        ("start", {"title": "| b"}, {"title": "| b"}),
        ("start", {"game": "Hollow Deep"}, {"game": "Hollow Deep"}),
        ("start", {"title": "   "}, {}),
        ("clip", {"note": "10 what a dodge"}, {"note": "10 what a dodge"}),
        ("clip", {"back": 0, "note": "-30"}, {"back": 0, "note": "-30"}),
        ("moment", {"url": f"{VIDEO} 0:45-1:00 that drop"}, {"url": VIDEO, "range": "0:45-1:00 that drop"}),
        (
            "moment",
            {"url": f"{VIDEO} 0:45-1:00", "note": "that drop"},
            {"url": VIDEO, "range": "0:45-1:00", "note": "that drop"},
        ),
        ("setup", {"setting": "cooldown 30"}, {"setting": "cooldown", "value": "30"}),
        ("export", {"format": "csv latest"}, {"format": "csv", "session": "latest"}),
        ("mymoments", {}, {}),
    ],
)
def test_a_field_is_taken_whole_or_goes_on_in_the_next(
    name: str, options: dict[str, str | int], found: dict[str, object]
) -> None:
    assert COMMANDS[name].named(options) == found


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("help", {"about": "clip x"}, "Only one word belongs in the field about — the command to explain."),
        (
            "moment",
            {"url": f"{VIDEO} 0:45-1:00", "range": "45-60"},
            "Only one word belongs in the field url — the link of a song or video.",
        ),
        ("clips", {"session": "latest now"}, "Only one word belongs in the field session — which session: its id, or"),
        ("clips", {"session": "yesterday"}, "Say which session: its id, or latest: `clips` session."),
        ("export", {"format": "csv yesterday"}, "Say which session: its id, or latest: `export` session."),
        ("moment", {"url": "  "}, "Say the link of a song or video: `moment` url."),
        ("moment", {}, "Say the link of a song or video: `moment` url."),
        ("adjust", {}, "Say seconds later (+) or earlier (-)"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence_that_fits(
    name: str, options: dict[str, str | int], said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        COMMANDS[name].named(options)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("command", EVERY, ids=[command.name for command in EVERY])
def test_every_whole_number_that_a_field_offers_is_read(command: Command) -> None:
    for parameter in command.parameters:
        for number in range(*parameter.argument.whole) if parameter.argument.whole else ():
            read = parameter.argument.read_field(number)
            assert read is not None, number
            assert read[1] == ""
