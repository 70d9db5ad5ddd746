"""Our commands as Discord is told of them: names, fields and limits from their definitions, nothing made up here."""

from typing import Any

from bot.discord.permissions import MANAGE_MESSAGES
from commands import dispatch  # noqa: F401 -- importing it registers every command
from commands.access import LOWEST_ROLE
from commands.presses import MENUS
from commands.registry import COMMANDS, Command, Parameter
from commands.suggest import SUGGESTS
from moments.people import Role

DESCRIPTION_LENGTH = 100
MOST_TYPED = 6_000
"""Characters of a field, at most."""

_SLASH, _MESSAGE_MENU = 1, 3
_TEXT, _WHOLE = 3, 4
_SERVER, _WITH_BOT, _ELSEWHERE = 0, 1, 2
"""Where a command can be used: in a server, in direct messages with the bot, in those between people."""
_SERVERS, _PEOPLE = 0, 1
"""Who can let the bot in: a server for all its members, or a person for themselves."""
_MODERATORS = str(MANAGE_MESSAGES)
"""Manage Messages; who manages a server may choose otherwise, so it is checked again in code (AZ-1)."""


def command_payloads() -> list[dict[str, Any]]:
    """What Discord shall know, in a fixed order; aliases are for those who type a whole line."""
    menus = [{"type": _MESSAGE_MENU, "name": menu.name, **_everywhere()} for menu in MENUS]
    return [*(_slash(COMMANDS[name]) for name in LOWEST_ROLE), *menus]


def _slash(command: Command) -> dict[str, Any]:
    payload: dict[str, Any] = {"type": _SLASH, "name": command.name, "description": _description(command.help)}
    required_first = sorted(command.parameters, key=lambda parameter: not parameter.required)
    payload["options"] = [_option(parameter) for parameter in required_first]
    for_moderators = LOWEST_ROLE[command.name] >= Role.MODERATOR  # who sets something up sets it up in a server
    payload |= _in_servers() if command.live or for_moderators else _everywhere()
    if for_moderators:
        payload["default_member_permissions"] = _MODERATORS
    return payload


def _option(parameter: Parameter) -> dict[str, Any]:
    argument = parameter.argument
    option: dict[str, Any] = {
        "name": parameter.name,
        "description": _description(argument.description),
        "required": parameter.required,
    }
    if argument.whole:
        return option | {"type": _WHOLE, "min_value": argument.whole[0], "max_value": argument.whole[1]}
    option |= {"type": _TEXT, "max_length": min(argument.longest, MOST_TYPED)}
    return option | ({"autocomplete": True} if parameter.name in SUGGESTS else {})


def _description(text: str) -> str:
    """A text that is too long is a mistake of ours, which a test finds."""
    return text[:1].upper() + text[1:DESCRIPTION_LENGTH]


def _in_servers() -> dict[str, Any]:
    return {"contexts": [_SERVER], "integration_types": [_SERVERS]}


def _everywhere() -> dict[str, Any]:
    return {"contexts": [_SERVER, _WITH_BOT, _ELSEWHERE], "integration_types": [_SERVERS, _PEOPLE]}
