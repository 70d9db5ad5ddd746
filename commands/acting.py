"""Giving a command by a button: the site presses what chat types, and the same function does it (AZ-1)."""

from commands.access import may
from commands.authority import Viewer
from commands.model import COMMAND_NAME, Heard, Invocation, Platform
from commands.registry import COMMANDS
from commands.services import Services
from moments.errors import NotAllowed, NotFound, Refusal, UsageError
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Channel

SITE = Platform("site")


async def give(services: Services, viewer: Viewer, role: Role, channel: Channel, command: str, text: str = "") -> str:
    """Give a command in a channel, as somebody with this role there; what it answers.

    Raises NotAllowed when the role may not use it, and whatever the command does.
    """
    if not may(role, command):
        raise NotAllowed(f"Only moderators can use {command}.")
    now = services.clock()
    heard = Heard(SITE, place_of(channel), account_of(viewer), role, text, now)
    try:
        return (await COMMANDS[command].run(Invocation(services, heard, now), text)).text
    except (UsageError, NotFound, Refusal) as error:
        raise type(error)(COMMAND_NAME.sub(r"!\1", str(error))) from error


def place_of(channel: Channel) -> Place:
    """Where the channel's chat is."""
    return Place(channel.platform, channel.platform_id, channel.display_name)


def account_of(viewer: Viewer) -> Author:
    """Who does it, for the audit log."""
    return Author(viewer.platform, viewer.user_id, viewer.display_name)
