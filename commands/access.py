"""Who may use which command: the one table (AZ-1). What is not in it is allowed to nobody.

A role comes with each message and holds on its own platform only; the broadcaster is a moderator too.
"""

from collections.abc import Mapping
from types import MappingProxyType

from moments.people import Role
from moments.sessions import Channel, Visibility

LOWEST_ROLE: Mapping[str, Role] = MappingProxyType(
    {
        "clip": Role.VIEWER,
        "unclip": Role.VIEWER,
        "adjust": Role.VIEWER,
        "renote": Role.VIEWER,
        "delclip": Role.MODERATOR,
        "start": Role.MODERATOR,
        "pause": Role.MODERATOR,
        "resume": Role.MODERATOR,
        "end": Role.MODERATOR,
        "vodshift": Role.MODERATOR,
        "promote": Role.MODERATOR,
        "setup": Role.MODERATOR,
        "session": Role.VIEWER,
        "clips": Role.VIEWER,
        "export": Role.VIEWER,
        "moment": Role.VIEWER,
        "saved": Role.VIEWER,
        "best": Role.VIEWER,
        "mymoments": Role.VIEWER,
        "link": Role.VIEWER,
        "unlink": Role.VIEWER,
        "forgetme": Role.VIEWER,
        "help": Role.VIEWER,
    }
)
"""Commands by name, with the lowest role that may use them."""

LOWEST_ROLE_TO_PRESS: Mapping[str, Role] = MappingProxyType({"save": Role.VIEWER, "form-save": Role.VIEWER})
"""The same for what buttons and forms do (commands.registry.press)."""


def may(role: Role, command: str) -> bool:
    """Whether a message with this role may use the command, or press the button of that name."""
    lowest = LOWEST_ROLE.get(command, LOWEST_ROLE_TO_PRESS.get(command))
    return lowest is not None and role >= lowest


def may_see(role: Role, channel: Channel) -> bool:
    """Whether a message with this role may be told of the channel's sessions and downloads."""
    return channel.visibility is Visibility.PUBLIC or role >= Role.MODERATOR
