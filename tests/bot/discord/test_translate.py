"""From raw interactions to what Moments hears: all that is true in them, and None for what is not as it should be."""

import copy
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord import payloads  # noqa: F401 -- registers commands and presses
from bot.discord.translate import (
    DISCORD,
    LONGEST_TEXT,
    LONGEST_WORDS,
    Called,
    Handle,
    MenuPicked,
    Pressed,
    Submitted,
    Taken,
    Typing,
    translate,
)
from commands.model import Guild
from commands.registry import COMMANDS, PRESSES
from moments.live import Author, Place
from moments.people import Role

MADE = datetime(2026, 11, 20, 20, 0, 0, 250_000, tzinfo=UTC)
NOW = MADE + timedelta(seconds=0.2)
ID = str(int((MADE - datetime(2015, 1, 1, tzinfo=UTC)).total_seconds() * 1000) << 22)
TOKEN = "aW50ZXJhY3Rpb24c3ecretc3ecret"
VIEW_SEND_EMBED = 1 << 10 | 1 << 11 | 1 << 14
ADMINISTRATOR, MANAGE_GUILD, MANAGE_MESSAGES = 1 << 3, 1 << 5, 1 << 13

USER = {"id": "77", "username": "sable", "global_name": "Sable", "discriminator": "0", "avatar": None}
EVERYWHERE = {"id": ID, "application_id": "1", "token": TOKEN, "version": 1, "locale": "de", "entitlements": []}
IN_A_SERVER = EVERYWHERE | {
    "guild_id": "500",
    "guild": {"id": "500", "locale": "en-US", "features": [], "name": "Night Owls"},
    "channel": {"id": "600", "type": 0, "name": "clips", "permissions": "0"},
    "channel_id": "600",
    "member": {"user": USER, "nick": None, "permissions": "0", "roles": []},
    "app_permissions": str(VIEW_SEND_EMBED),
    "authorizing_integration_owners": {"0": "500"},
    "context": 0,
}
IN_PRIVATE = EVERYWHERE | {
    "channel": {"id": "700", "type": 1},
    "channel_id": "700",
    "user": USER,
    "app_permissions": "0",
    "authorizing_integration_owners": {"0": "0", "1": "77"},
    "context": 1,
}
CLIP = {"id": "9", "name": "clip", "type": 1, "options": [{"name": "note", "type": 3, "value": "what a dodge"}]}
TYPED = {
    "id": "9",
    "name": "moment",
    "type": 1,
    "options": [
        {"name": "url", "type": 3, "value": "https://youtu.be/x"},
        {"name": "range", "type": 3, "value": "0:4", "focused": True},
    ],
}
BUTTON = {"custom_id": "press:save:abc:def", "component_type": 2, "id": 3}
FILLED = {
    "custom_id": "form:form-save:600-800",
    "components": [
        {"type": 18, "id": 1, "component": {"type": 4, "id": 2, "custom_id": "url", "value": "https://youtu.be/x"}},
        {"type": 1, "components": [{"type": 4, "custom_id": "range", "value": "0:45-1:00"}]},
        {"type": 18, "id": 5, "component": {"type": 4, "id": 6, "custom_id": "note", "value": ""}},
    ],
}
MENU = {
    "id": "9",
    "name": "Save moment",
    "type": 3,
    "target_id": "800",
    "resolved": {"messages": {"800": {"id": "800", "content": "look: https://youtu.be/x", "author": USER}}},
}
BOX = {"type": "rich", "title": "now playing", "url": "https://youtu.be/y", "description": "[here](https://youtu.be/z)"}
FORWARDED = {
    "content": "",
    "message_snapshots": [{"message": {"content": "see https://youtu.be/w", "embeds": [BOX]}}],
    "message_reference": {"type": 1, "message_id": "7"},
}
FORWARD = MENU | {"resolved": {"messages": {"800": FORWARDED}}}
ALL = (
    IN_A_SERVER | {"type": 2, "data": CLIP},
    IN_PRIVATE | {"type": 2, "data": CLIP},
    IN_A_SERVER | {"type": 4, "data": TYPED},
    IN_A_SERVER | {"type": 3, "data": BUTTON},
    IN_A_SERVER | {"type": 5, "data": FILLED},
    IN_A_SERVER | {"type": 2, "data": MENU},
    IN_A_SERVER | {"type": 2, "data": FORWARD},
)


def taken(where: Mapping[str, Any], kind: int = 2, data: Mapping[str, Any] = CLIP) -> Taken:
    found = translate({**where, "type": kind, "data": data}, NOW)
    assert found is not None
    return found


def called(where: Mapping[str, Any] = IN_A_SERVER, data: Mapping[str, Any] = CLIP) -> Called:
    found = taken(where, data=data)
    assert isinstance(found, Called)
    return found


def member(permissions: int = 0, **changed: object) -> dict[str, Any]:
    return {"member": {"user": USER, "nick": None, "permissions": str(permissions), **changed}}


def test_a_slash_command_is_heard_whole() -> None:
    handle, heard, command = called()
    assert handle == Handle(ID, TOKEN, MADE, guild="500")
    assert heard.platform is DISCORD
    assert heard.place == Place("discord", "600", "Night Owls › #clips")
    assert heard.author == Author("discord", "77", "Sable")
    assert (heard.role, heard.text, heard.options) == (Role.VIEWER, "clip", {"note": "what a dodge"})
    assert (heard.instant, heard.message_id, heard.arrived, heard.private) == (MADE, ID, None, False)
    assert heard.guild == Guild("500", "Night Owls", may_manage=False, has_bot=True, lacks=())
    assert command is COMMANDS["clip"]


def test_a_token_is_in_no_repr() -> None:
    for payload in ALL:
        assert TOKEN not in repr(translate(payload, NOW))


def test_a_direct_message_is_private_and_nobody_has_a_role_there() -> None:
    handle, heard, _ = called(IN_PRIVATE)
    assert handle.alone
    assert heard.place == Place("discord", "700", "a direct message")
    assert (heard.private, heard.role, heard.guild) == (True, Role.VIEWER, None)


def test_between_two_people_and_where_the_bot_is_no_member_it_is_private_and_read_by_others() -> None:
    between = called(IN_PRIVATE | {"authorizing_integration_owners": {"1": "77"}, "context": 2})
    assert (between.handle.alone, between.heard.private) == (False, True)
    owners = {"authorizing_integration_owners": {"1": "77"}}
    brought = called(IN_A_SERVER | owners | member(ADMINISTRATOR))
    assert brought.heard.guild is not None
    assert (brought.handle.alone, brought.heard.private, brought.heard.role) == (False, True, Role.VIEWER)
    assert not brought.heard.guild.has_bot
    assert not called(IN_A_SERVER | {"authorizing_integration_owners": None}).heard.guild.has_bot  # type: ignore[union-attr]  # it has a guild


@pytest.mark.parametrize(
    ("permissions", "role", "may_manage"),
    [
        (0, Role.VIEWER, False),
        (VIEW_SEND_EMBED, Role.VIEWER, False),
        (MANAGE_MESSAGES, Role.MODERATOR, False),
        (MANAGE_GUILD, Role.BROADCASTER, True),
        (ADMINISTRATOR, Role.BROADCASTER, True),
        ((1 << 60) - 1, Role.BROADCASTER, True),
        (1 << 80 | MANAGE_MESSAGES, Role.MODERATOR, False),
    ],
)
def test_AZ_2_the_role_is_that_of_this_very_interaction(permissions: int, role: Role, may_manage: bool) -> None:
    heard = called(IN_A_SERVER | member(permissions)).heard
    assert heard.guild is not None
    assert (heard.role, heard.guild.may_manage) == (role, may_manage)


def test_a_thread_is_its_channel() -> None:
    for kind in (10, 11, 12):
        thread = {"channel": {"id": "601", "type": kind, "name": "tonight", "parent_id": "600"}}
        assert called(IN_A_SERVER | thread).heard.place == Place("discord", "600", "Night Owls")
        known = {"channel": thread["channel"] | {"parent_name": "clips"}}
        assert called(IN_A_SERVER | known).heard.place == called(IN_A_SERVER).heard.place


def test_a_server_without_a_known_name_is_still_a_place() -> None:
    heard = called(IN_A_SERVER | {"guild": {"id": "500"}}).heard
    assert heard.place == Place("discord", "600", "#clips")
    assert called(IN_A_SERVER | {"guild": {"id": "501", "name": "Other"}}).heard.guild == heard.guild


def test_what_the_bot_lacks_for_posting_is_told_by_its_name() -> None:
    assert called(IN_A_SERVER | {"app_permissions": str(1 << 11)}).heard.guild[4] == ("View Channel", "Embed Links")  # type: ignore[index]  # it has a guild
    assert called(IN_A_SERVER | {"app_permissions": str(ADMINISTRATOR)}).heard.guild[4] == ()  # type: ignore[index]  # it has a guild


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ({"nick": "Nick"}, "Nick"),
        ({"nick": "  "}, "Sable"),
        ({"nick": None, "user": USER | {"global_name": None}}, "sable"),
        ({"nick": "x" * 900}, "x" * LONGEST_WORDS),
    ],
)
def test_people_are_called_as_that_server_calls_them(names: dict[str, Any], shown: str) -> None:
    assert called(IN_A_SERVER | member(**names)).heard.author.display_name == shown


@pytest.mark.parametrize("hours", [-30, 1, 1_000_000])
def test_a_time_that_cannot_be_is_ours(hours: int) -> None:
    odd = str(max(1, int(ID) + (hours * 3_600_000 << 22)))[:19]
    assert called(IN_A_SERVER | {"id": odd}).heard.instant == NOW


def test_fields_keep_what_was_typed_within_limits() -> None:
    options = [
        {"name": "note", "type": 3, "value": "x" * 9_000},
        {"name": "back", "type": 4, "value": 30},
        {"name": "seconds", "type": 4, "value": -7},
    ]
    heard = called(data=CLIP | {"options": options}).heard
    assert heard.options == {"note": "x" * LONGEST_TEXT, "back": 30, "seconds": -7}


def test_a_command_without_fields_and_one_that_is_no_more_are_heard_too() -> None:
    assert called(data={"id": "9", "name": "pause", "type": 1}).heard.options == {}
    found = called(data={"id": "9", "name": "gone", "type": 1})
    assert (found.heard.text, found.command) == ("gone", None)


def test_a_field_being_typed_into_comes_with_the_others() -> None:
    found = taken(IN_A_SERVER, 4, TYPED)
    assert isinstance(found, Typing)
    assert (found.heard.text, found.heard.options) == ("moment", {"url": "https://youtu.be/x"})
    assert (found.option, found.typed) == ("range", "0:4")


def test_a_button_is_its_press_with_its_argument() -> None:
    found = taken(IN_A_SERVER, 3, BUTTON)
    assert isinstance(found, Pressed)
    assert (found.heard.text, found.heard.options) == ("save", {"moment": "abc:def"})
    assert found.command is PRESSES["save"]
    assert found.heard.message_id == ID


@pytest.mark.parametrize(
    "custom_id", ["", "x", "press:gone:1", "form:save:1", "press:clip:1", "press:save:" + "x" * 91]
)
def test_a_button_nobody_knows_is_no_press(custom_id: str) -> None:
    found = taken(IN_A_SERVER, 3, BUTTON | {"custom_id": custom_id})
    assert isinstance(found, Pressed)
    assert (found.command, found.heard.text) == (None, "")


def test_a_form_is_its_press_with_what_was_filled_in() -> None:
    found = taken(IN_A_SERVER, 5, FILLED)
    assert isinstance(found, Submitted)
    assert found.heard.text == "form-save"
    assert found.heard.options == {
        "message": "600-800",
        "url": "https://youtu.be/x",
        "range": "0:45-1:00",
        "note": "",
    }


def test_what_a_form_is_about_is_told_by_its_id_alone() -> None:
    forged = {"type": 18, "component": {"type": 4, "custom_id": "message", "value": "1-1"}}
    found = taken(IN_A_SERVER, 5, FILLED | {"components": [forged]})
    assert isinstance(found, Submitted)
    assert found.heard.options == {"message": "600-800"}


def test_a_menu_tells_the_message_and_where_it_is() -> None:
    found = taken(IN_A_SERVER, 2, MENU)
    assert found == MenuPicked(found.handle, "Save moment", "look: https://youtu.be/x", "600-800")


def test_a_menu_tells_what_a_message_forwards_and_shows_in_boxes_too() -> None:
    found = taken(IN_A_SERVER, 2, FORWARD)
    assert isinstance(found, MenuPicked)
    assert found.text.split() == ["see", "https://youtu.be/w", "https://youtu.be/y", "[here](https://youtu.be/z)"]
    with_box = MENU | {"resolved": {"messages": {"800": {"content": "look", "embeds": [BOX, {"description": None}]}}}}
    shown = taken(IN_A_SERVER, 2, with_box)
    assert isinstance(shown, MenuPicked)
    assert shown.text.split() == ["look", "https://youtu.be/y", "[here](https://youtu.be/z)"]
    long = {"content": "x" * 4_000, "embeds": [{"description": "y" * 4_000}] * 40}
    capped = taken(IN_A_SERVER, 2, MENU | {"resolved": {"messages": {"800": long}}})
    assert isinstance(capped, MenuPicked)
    assert len(capped.text) == LONGEST_TEXT


@pytest.mark.parametrize(
    ("kind", "data"), [(1, {}), (6, CLIP), (2, CLIP | {"type": 2}), (3, BUTTON | {"component_type": 3})]
)
def test_what_we_never_asked_for_is_nothing(kind: int, data: dict[str, Any]) -> None:
    assert translate({**IN_A_SERVER, "type": kind, "data": data}, NOW) is None


# --- PLAT-5

ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**30,
    math.nan,
    "",
    "x",
    "\ud800",
    "1" * 500,
    "१२",
    "x" * 10_000,
    [],
    {},
    [None],
    [[]],
    {"0": None},
    [{"name": "note", "value": True}],
    [{"type": 18, "component": None}],
)


def paths(value: object, so_far: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Where everything in a payload is."""
    yield so_far
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield from paths(each, (*so_far, name))


def changed(payload: dict[str, Any], path: tuple[object, ...], value: object, *, gone: bool) -> object:
    """The payload with something else there, or nothing."""
    if not path:
        return value
    whole: Any = copy.deepcopy(payload)
    inside = whole
    for name in path[:-1]:
        inside = inside[name]
    if gone:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return whole


@given(data=st.data(), payload=st.sampled_from(ALL), times=st.integers(1, 3))
def test_PLAT_5_whatever_is_sent_raises_nothing(data: st.DataObject, payload: dict[str, Any], times: int) -> None:
    mutated: Any = payload
    for _ in range(times):
        path = data.draw(st.sampled_from([path for path in paths(mutated) if path] or [()]))
        if not path:
            break
        mutated = changed(mutated, path, data.draw(st.sampled_from(ODD)), gone=data.draw(st.booleans()))
    check(translate(mutated, NOW))


@pytest.mark.parametrize("payload", ALL, ids=lambda payload: f"{payload['type']}")
def test_PLAT_5_every_field_in_turn_may_be_anything(payload: dict[str, Any]) -> None:
    left_out = 0
    for path in paths(payload):
        for value in ODD if path else ():
            found = translate(changed(payload, path, value, gone=False), NOW)  # type: ignore[arg-type]  # may be anything
            left_out += found is None
            check(found)
    assert left_out > 50, "fields are looked at"


@given(st.dictionaries(st.text(max_size=12), st.recursive(st.none() | st.text() | st.integers(), st.lists), max_size=5))
def test_PLAT_5_noise_is_nothing(noise: dict[str, Any]) -> None:
    assert translate(noise, NOW) is None


def check(found: Taken | None) -> None:
    """What came through is typed and bounded."""
    if found is None:
        return
    assert found.handle.id.isdecimal()
    assert found.handle.token
    if isinstance(found, MenuPicked):
        assert len(found.text) <= LONGEST_TEXT
        assert len(found.about) <= 41
        return
    heard = found.heard
    assert heard.options is not None
    for value in heard.options.values():
        assert abs(value) <= 1 << 53 if isinstance(value, int) else len(value) <= LONGEST_TEXT
    assert len(heard.options) <= 26
    assert heard.place.platform_id.isascii()
    assert heard.place.platform_id.isdecimal()
    assert len(heard.place.display_name) <= 2 * LONGEST_WORDS + 4
    assert heard.author.user_id.isdecimal()
    assert 0 < len(heard.author.display_name) <= LONGEST_WORDS
    assert heard.instant <= NOW
    assert heard.role is Role.VIEWER or not heard.private


def test_what_discord_did_not_always_tell_may_be_missing() -> None:
    bare = {name: IN_A_SERVER[name] for name in ("id", "token", "guild_id", "member")}
    heard = called(bare | {"channel_id": "600"}).heard
    assert (heard.place.platform_id, heard.private, heard.hidden) == ("600", False, False)
    assert heard.guild
    assert (heard.guild.has_bot, heard.guild.lacks) == (True, ())
