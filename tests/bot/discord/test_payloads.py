"""What Discord is told of our commands: nothing that it refuses, and nothing that their definitions do not say."""

import contextlib
import re
from typing import Any

import orjson
import pytest

from bot.discord.payloads import command_payloads
from commands.access import LOWEST_ROLE
from commands.presses import MENUS
from commands.registry import COMMANDS, NAMES
from commands.suggest import SUGGESTS
from moments.people import Role
from tests.fake_discord.rules import COMMAND_RULES
from tests.fake_discord.spec import Checks, document_path, load
from tests.fake_discord.world import DiscordError

SLASH = {payload["name"]: payload for payload in command_payloads() if payload["type"] == 1}


def refused(payloads: list[dict[str, Any]]) -> list[str]:
    """What Discord's own document, and its rules, say against them."""
    found: list[str] = []
    with contextlib.suppress(DiscordError):
        Checks(load(document_path()), found.append).request("PUT", "/applications/1/commands", payloads)
    return found


@pytest.mark.skipif(not document_path().is_file(), reason="no Discord document; set MOMENTS_SHARED_DATA")
def test_discords_own_document_finds_nothing_wrong() -> None:
    payloads = command_payloads()
    assert refused(payloads) == []
    assert refused([payloads[0] | {"description": "x" * 101}, *payloads[1:]]) != []


def test_names_are_written_as_discord_wants_them_and_stand_there_once() -> None:
    assert [problem for rule in COMMAND_RULES for problem in rule(command_payloads())] == []
    assert len(SLASH) <= 100
    for payload in SLASH.values():
        names = [option["name"] for option in payload["options"]]
        assert len(set(names)) == len(names) <= 25
        assert all(re.fullmatch("[a-z0-9_]{1,32}", name) for name in [payload["name"], *names])


def test_every_description_fits_without_being_cut() -> None:
    for command in COMMANDS.values():
        texts = [command.help, *(parameter.argument.description for parameter in command.parameters)]
        assert all(0 < len(text) <= 100 for text in texts), command.name
        payload = SLASH[command.name]
        assert payload["description"] == command.help
        told = {option["name"]: option["description"] for option in payload["options"]}
        for parameter, text in zip(command.parameters, texts[1:], strict=True):
            assert told[parameter.name] == text[0].upper() + text[1:]


def test_no_command_is_larger_than_discord_takes() -> None:
    def size(value: object) -> int:
        """Characters of names, descriptions and values, which is what Discord counts."""
        if isinstance(value, dict):
            return sum(size(each) for name, each in value.items() if name in {"name", "description", "options"})
        return sum(map(size, value)) if isinstance(value, list) else len(str(value))

    assert all(size(payload) < 8_000 for payload in SLASH.values())


def test_every_command_is_there_by_its_own_name_alone() -> None:
    assert list(SLASH) == list(LOWEST_ROLE)
    assert not (set(NAMES) - set(COMMANDS)) & set(SLASH)


def test_fields_are_what_the_arguments_are_with_required_ones_first() -> None:
    for command in COMMANDS.values():
        options = SLASH[command.name]["options"]
        required = [option["required"] for option in options]
        assert required == sorted(required, reverse=True)
        assert sorted(option["name"] for option in options) == sorted(each.name for each in command.parameters)
        for parameter in command.parameters:
            (option,) = (option for option in options if option["name"] == parameter.name)
            whole = parameter.argument.whole
            assert option["required"] == parameter.required
            assert option["type"] == (4 if whole else 3)
            if whole:
                assert (option["min_value"], option["max_value"]) == whole
                assert "max_length" not in option
            else:
                assert 1 <= option["max_length"] == parameter.argument.longest <= 6_000
            assert option.get("autocomplete", False) == (parameter.name in SUGGESTS and not whole)


def test_commands_about_a_stream_and_moderators_are_for_servers_and_all_others_for_everywhere() -> None:
    assert SLASH["setup"]["contexts"] == [0]
    for command in COMMANDS.values():
        in_servers = command.live or LOWEST_ROLE[command.name] >= Role.MODERATOR
        where = SLASH[command.name]["contexts"], SLASH[command.name]["integration_types"]
        assert where == (([0], [0]) if in_servers else ([0, 1, 2], [0, 1])), command.name


def test_AZ_1_moderators_commands_are_hidden_from_others_by_default() -> None:
    for command in COMMANDS.values():
        hidden = SLASH[command.name].get("default_member_permissions")
        assert hidden == ("8192" if LOWEST_ROLE[command.name] >= Role.MODERATOR else None), command.name


def test_AZ_5_nothing_is_offered_where_accounts_are_joined() -> None:
    assert [option["name"] for option in SLASH["link"]["options"] if "autocomplete" in option] == []


def test_every_menu_stands_with_messages() -> None:
    menus = [payload for payload in command_payloads() if payload["type"] == 3]
    assert [menu["name"] for menu in menus] == [menu.name for menu in MENUS] != []
    assert all("description" not in menu and "options" not in menu for menu in menus)
    assert len(menus) <= 15


def test_it_is_the_same_each_time_so_that_discord_is_told_of_changes_alone() -> None:
    assert orjson.dumps(command_payloads()) == orjson.dumps(command_payloads())
