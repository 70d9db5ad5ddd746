"""What is offered while somebody types: of this place, for who may see it, and short enough to be sent."""

from dataclasses import replace
from typing import Any

import pytest

from commands.arguments import Argument
from commands.model import Guild, Heard
from commands.recorded import save_moment
from commands.registry import COMMANDS
from commands.suggest import LONGEST, MOST, SUGGESTS, Suggestion, suggest
from moments.live import Author, Place
from moments.people import Role
from tests.chat import CONSOLE, ROOM, Chat
from tests.commands.test_recorded import SONG, SPOTIFY, VIDEO, learn, merged

DISCORD = replace(CONSOLE, name="discord")
ROOK, ANN = (Author("console", name, name) for name in ("rook", "ann"))
YOUTUBE = ("youtube", "jNQXAC9IVRw")


async def offered(
    chat: Chat, option: str, typed: str = "", command: str = "moment", *, who: Author = ROOK, place: Place = ROOM,
    role: Role = Role.VIEWER, guild: Guild | None = None, private: bool = False, **options: str,
) -> list[Suggestion]:  # fmt: skip
    heard = Heard(DISCORD, place, who, role, command, chat.watch.now, None, None, private, options, guild)
    found = await suggest(chat.services, heard, option, typed)
    assert len(found) <= MOST
    assert all(0 < len(each.label) <= LONGEST and 0 < len(each.value) <= LONGEST for each in found)
    return found


def labels(found: list[Suggestion]) -> list[str]:
    return [each.label for each in found]


def values(found: list[Suggestion]) -> list[str]:
    return [each.value for each in found]


async def keep(chat: Chat, url: str, who: Author = ANN, origin: str = "console:nightowl", **more: object) -> str:
    kept = await save_moment(
        chat.services, who, url, "0:45-1:00", "CANARY", origin=origin, now=chat.watch.now, **more  # type: ignore[arg-type]
    )  # fmt: skip
    return f"t/{kept.track.id}"


def test_every_parameter_that_has_suggestions_is_one_of_a_command() -> None:
    assert {parameter.name for command in COMMANDS.values() for parameter in command.parameters} >= SUGGESTS


def test_AZ_5_a_parameter_that_has_suggestions_means_the_same_in_every_command() -> None:
    meant: dict[str, set[Argument]] = {name: set() for name in SUGGESTS}
    for parameter in (each for command in COMMANDS.values() for each in command.parameters):
        if parameter.name in SUGGESTS:
            meant[parameter.name].add(parameter.argument)
    assert {name: len(arguments) for name, arguments in meant.items()} == dict.fromkeys(SUGGESTS, 1)


async def test_AZ_5_no_name_is_offered_to_who_joins_accounts(chat: Chat) -> None:
    for typed in ("", "a", "cl"):
        assert await offered(chat, "name", typed, command="link", code="ABCDEFGH") == []


# --- recordings


async def test_recent_recordings_of_this_place_come_newest_first_by_a_short_key_that_works(chat: Chat) -> None:
    await learn(chat, *YOUTUBE, title="Paper Lanterns", by_line="Ayla")
    video, song = await keep(chat, VIDEO), await keep(chat, SONG)
    await keep(chat, "https://youtu.be/eiHXASgRTcA", origin="console:elsewhere")
    assert await offered(chat, "url") == [
        ("A song on Deezer: 3135556", song),
        ("Paper Lanterns · Ayla · YouTube", video),
    ]
    assert "0:45–1:00 · Saved by 2 people" in (await chat.says(f"<rook> !moment {video} 0:45-1:00")).replace('"', "")
    assert await chat.says(f"!best {song}") == await chat.says(f"!best {SONG}")


@pytest.mark.parametrize(("typed", "many"), [("lant", 1), ("LANTERNS paper", 1), ("youtube", 1), ("paper deezer", 0)])
async def test_what_is_typed_narrows_them(chat: Chat, typed: str, many: int) -> None:
    await learn(chat, *YOUTUBE, title="Paper Lanterns")
    await keep(chat, VIDEO)
    await keep(chat, SONG)
    assert len(await offered(chat, "url", typed)) == many


async def test_a_recording_is_offered_once_also_when_it_is_on_two_services(chat: Chat) -> None:
    await merged(chat, YOUTUBE, ("deezer", "3135556"))
    await keep(chat, VIDEO)
    await keep(chat, SONG, ROOK)
    await keep(chat, VIDEO, Author("console", "ben", "ben"))
    assert labels(await offered(chat, "url")) == ["A song on YouTube: jNQXAC9IVRw"]


async def test_a_typed_link_is_offered_as_it_is_and_a_long_one_by_its_key(chat: Chat) -> None:
    await learn(chat, *YOUTUBE, title="Paper Lanterns")
    key = await keep(chat, VIDEO)
    long = f"https://www.youtube.com/watch?v=jNQXAC9IVRw&feature={'x' * 200}"
    assert await offered(chat, "url", f"{VIDEO}?t=45") == [("Paper Lanterns · YouTube", f"{VIDEO}?t=45")]
    assert await offered(chat, "url", long) == [("Paper Lanterns · YouTube", key)]
    assert await offered(chat, "url", key) == [("Paper Lanterns · YouTube", key)]
    assert await offered(chat, "url", long.replace("jNQ", "JNQ")) == []
    assert values(await offered(chat, "url", SONG)) == [SONG]
    assert await offered(chat, "url", "https://evil.example/") == []
    assert await offered(chat, "url", "https://link.deezer.com/s/30abc") == []


async def test_what_was_saved_in_private_is_offered_to_its_author_alone(chat: Chat) -> None:
    private = await keep(chat, VIDEO, private=True)
    assert await offered(chat, "url") == []
    assert values(await offered(chat, "url", who=ANN)) == [private]
    await chat.says("<~nightowl> !setup visibility private")
    await chat.says(f"<ann> !moment {SONG} 0:45-1:00 CANARY")
    assert await offered(chat, "url") == []


async def test_nobodys_words_are_offered_and_LEG_2_none_of_spotifys(chat: Chat) -> None:
    await learn(chat, "spotify", "4uLU6hMCjMI75M1A2tKUQC", title="CANARY")
    await keep(chat, SPOTIFY)
    await keep(chat, VIDEO)
    for option, typed in (("url", ""), ("url", "canary"), ("url", SPOTIFY), ("range", ""), ("range", "0:45")):
        assert "CANARY" not in repr(await offered(chat, option, typed, url=VIDEO))
    assert labels(await offered(chat, "url", "spotify")) == ["A song on Spotify: 4uLU6hMCjMI75M1A2tKUQC"]


async def test_an_expired_title_is_offered_no_more(chat: Chat) -> None:
    await learn(chat, *YOUTUBE, title="CANARY")
    await keep(chat, VIDEO)
    chat.passes(86_400)
    assert labels(await offered(chat, "url")) == ["A video on YouTube: jNQXAC9IVRw"]


@pytest.mark.parametrize(
    "title", ["x" * 500, "👨‍👩‍👧‍👦" * 90, "a\u0301\u0302" * 200, "\u202eevil\r\n@everyone", "\u0000", "\u3164"]
)
async def test_hostile_titles_are_cut_between_characters_and_never_empty(chat: Chat, title: str) -> None:
    await learn(chat, *YOUTUBE, title=title, by_line=title)
    await keep(chat, VIDEO)
    (found,) = await offered(chat, "url")
    assert not set(found.label) & set("\u202e\r\n\0")
    assert not found.label.rstrip("…").endswith("\u200d")


async def test_no_more_are_offered_than_are_shown(chat: Chat) -> None:
    for number in range(40):
        await keep(chat, f"https://www.deezer.com/track/{number + 1}")
    assert len(await offered(chat, "url")) == MOST


# --- parts


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("0:45", ["0:45-1:00", "0:45-1:15"]),
        ("45", ["0:45-1:00", "0:45-1:15"]),
        ("0:45-", ["0:45-1:00", "0:45-1:15"]),
        ("0:45 to", ["0:45-1:00", "0:45-1:15"]),
        ("0:45+", ["0:45-1:00", "0:45-1:15"]),
        ("0:45-1:1", ["0:45-1:15"]),
        ("0:45-1:00", ["0:45-1:00", "0:45-1:15"]),
        ("0:45+15", ["0:45-1:00", "0:45-1:15"]),
        ("0:45 → 1:02", ["0:45-1:02", "0:45-1:00"]),
        ("0:45-1:00 that drop", ["0:45-1:00 that drop", "0:45-1:15"]),
        ("168:00:00", []),
        ("drop", []),
        ("", []),
        ("१२", []),
        ("9" * 300, []),
        (" " * 3000, []),
        ("\ud800", []),
    ],
)
async def test_a_range_is_offered_as_one_types(chat: Chat, typed: str, first: list[str]) -> None:
    found = values(await offered(chat, "range", typed))
    assert found[: len(first)] == first
    assert first or not found


async def test_a_whole_range_is_read_back(chat: Chat) -> None:
    assert (await offered(chat, "range", "0:45+15"))[0].label == "0:45–1:00, 15 seconds"


async def test_with_a_link_chosen_its_best_parts_and_its_own_times_are_offered(chat: Chat) -> None:
    key = await keep(chat, VIDEO)
    await keep(chat, VIDEO, ROOK)
    best = Suggestion("0:45–1:00 · Saved by 2 people", "0:45-1:00")
    for url in (VIDEO, key):
        assert await offered(chat, "range", url=url) == [best]
    assert await offered(chat, "range", url=f"{VIDEO}?start=5&end=9") == [best, ("0:05–0:09, 4 seconds", "0:05-0:09")]
    assert values(await offered(chat, "range", url=f"{VIDEO}?t=5"))[:2] == ["0:45-1:00", "0:05-0:20"]
    assert values(await offered(chat, "range", "20", url=f"{VIDEO}?t=5"))[0] == "0:05-0:25"
    assert await offered(chat, "range", url="https://evil.example") == []


async def test_no_part_is_offered_that_ends_after_the_recording_does(chat: Chat) -> None:
    await learn(chat, *YOUTUBE, duration_seconds=213)
    for typed, within in (
        ("3:20", ["3:20-3:30"]),
        ("3:20-9:00", ["3:20-3:30"]),
        ("3:20-3:33", ["3:20-3:33", "3:20-3:30"]),
        ("3:33", []),
    ):
        assert values(await offered(chat, "range", typed, url=VIDEO)) == within
    assert values(await offered(chat, "range", url=f"{VIDEO}?start=200&end=214")) == ["3:20-3:30"]
    assert values(await offered(chat, "range", "3:20", url=SONG))[0] == "3:20-3:35"


# --- sessions and words


async def test_sessions_of_this_channel_come_newest_first_for_who_may_see_them(chat: Chat) -> None:
    await chat.says("<~nightowl> !start First night")
    await chat.says("<~nightowl> !end")
    chat.passes(7200)
    await chat.says("<~nightowl> !start Second night")
    found = await offered(chat, "session", command="clips")
    assert labels(found) == ["Second night · just now", "First night · 2 hours ago"]
    assert labels(await offered(chat, "session", "first", command="export")) == ["First night · 2 hours ago"]
    page = await chat.says(f"!clips {found[1].value}")
    assert page == f'All marks of "First night": http://localhost:8080/s/{found[1].value}'
    assert (await chat.says(f"!export csv {found[1].value}")).endswith(f"/s/{found[1].value}/export.csv")
    assert "Second night" in await chat.says("!clips latest")
    assert "Second night" in await chat.says("!clips please")
    assert await offered(chat, "session", command="clips", place=Place("console", "x", "X")) == []
    other = await chat.hears(f"<rook> !clips {found[1].value}", place=Place("console", "x", "X"))
    assert other is not None
    assert other.text == "This channel has no such session. Leave it out for the newest one."


async def test_AZ_6_a_private_channels_sessions_are_offered_to_its_moderators_alone(chat: Chat) -> None:
    await chat.says("<~nightowl> !start CANARY")
    await chat.says("<~nightowl> !setup visibility private")
    assert await offered(chat, "session", command="clips") == []
    (found,) = await offered(chat, "session", command="clips", role=Role.MODERATOR)
    assert found.label == "CANARY · just now"
    assert await chat.says(f"<rook> !clips {found.value}") == "This channel's pages are private; its moderators log in."


async def test_words_are_offered_where_there_is_a_list_of_them(chat: Chat) -> None:
    mod = Role.MODERATOR
    assert values(await offered(chat, "format", "e", command="export")) == ["edl"]
    assert values(await offered(chat, "setting", "co", command="setup", role=mod)) == ["cooldown"]
    assert values(await offered(chat, "value", command="setup", role=mod, setting="names")) == ["on", "off"]
    assert values(await offered(chat, "value", command="setup", role=mod, setting="cooldown")) == [
        "0",
        "3600",
        "default",
    ]
    assert await offered(chat, "value", command="setup", role=mod, setting="nonsense") == []
    at_owls: dict[str, Any] = {"command": "setup", "role": mod, "place": Place("discord", "7001", "Owls")}
    for setting, words in {
        "feed": ["each", "crowd 3", "summary", "off"],
        "join": ["off"],
        "links": ["revoke"],
        "block": [],
        "who": ["everyone", "moderators"],
        "replies": ["full", "brief", "none", "default"],
        "visibility": ["public", "private"],
        "clips": [],
    }.items():
        assert values(await offered(chat, "value", **at_owls, setting=setting)) == words, setting
    assert values(await offered(chat, "value", "c", **at_owls, setting="feed")) == ["crowd 3", "each"]
    assert labels(await offered(chat, "about", "best", command="help")) == [
        "best: Say which part of a song or video most people saved."
    ]
    assert "pause" not in values(await offered(chat, "about", command="help"))
    assert "clip" in values(await offered(chat, "about", command="help"))
    assert "clip" not in values(await offered(chat, "about", command="help", private=True))
    assert "markers" not in values(await offered(chat, "setting", command="setup", role=mod))


async def test_AZ_1_nothing_is_offered_to_who_may_not_use_the_command(chat: Chat) -> None:
    assert await offered(chat, "setting", command="setup") == []
    assert await offered(chat, "setting", command="nonsense", role=Role.MODERATOR) == []
    assert await offered(chat, "note", command="moment") == []
    guild = Guild("777", "Night Owls", may_manage=False, has_bot=False)
    assert await offered(chat, "session", command="clips", guild=guild) == []
