"""What a channel can choose: each setting's words, who may change it, and what it does to the channel."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from commands.model import Platform
from moments.people import Role
from moments.sessions import WHO_MAY_MARK, Channel, Defaults, ReplyLevel, Visibility

DEFAULT = "default"
"""Takes back a choice, so that the operator's, or the platform's, holds again."""
BARE_COMMANDS = ("help", "link", "profile", "export")
"""Commands whose bare names other bots have too."""
MOST_SECONDS = 3_600

_SECONDS = re.compile(r"([0-9]{1,6})[sS]?")


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting, in words."""

    name: str
    values: str
    """What may be typed, as it is told."""
    read: Callable[[Channel], str]
    change: Callable[[Channel, str], Channel | None]
    """The channel as it will be; None for a word that is none of the values."""
    lowest: Role = Role.MODERATOR
    platform: str | None = None
    """The only platform that has it."""
    offered_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Its values on platforms where not all of them make sense; none, where the setting itself does not."""
    otherwise: Callable[[Defaults, Platform], str] = lambda _defaults, _platform: ""
    """What holds while nothing is chosen."""

    def is_for(self, platform: str) -> bool:
        """Whether channels of a platform have it."""
        return self.platform in (None, platform) and self.offered_on.get(platform) != ()

    def is_offered(self, word: str, platform: str) -> bool:
        """Whether a value makes sense on a platform."""
        offered = self.offered_on.get(platform)
        return offered is None or word in offered

    def values_on(self, platform: str) -> str:
        """What may be typed there, as it is told."""
        return " or ".join(self.offered_on.get(platform, ())) or self.values


def parse_seconds(word: str) -> int | None:
    """Whole seconds from `30` or `30s`, at most MOST_SECONDS (TXT-4); None for anything else."""
    found = _SECONDS.fullmatch(word)
    return int(found[1]) if found and int(found[1]) <= MOST_SECONDS else None


def _with(channel: Channel, **chosen: Any) -> Channel:  # noqa: ANN401 -- a setting may be anything
    return replace(channel, settings=replace(channel.settings, **chosen))


def _seconds(name: str, field: str) -> Choice:
    def read(channel: Channel) -> str:
        own = getattr(channel.settings, field)
        return DEFAULT if own is None else str(own)

    def change(channel: Channel, word: str) -> Channel | None:
        seconds = parse_seconds(word)
        if seconds is None and word != DEFAULT:
            return None
        return _with(channel, **{field: seconds})

    def otherwise(defaults: Defaults, _platform: Platform) -> str:
        return str(getattr(defaults, field))

    return Choice(name, f"0 to {MOST_SECONDS} (seconds), or {DEFAULT}", read, change, otherwise=otherwise)


def _switch(name: str, field: str, **more: Any) -> Choice:  # noqa: ANN401 -- the remaining fields of Choice
    def read(channel: Channel) -> str:
        return _on_or_off(getattr(channel.settings, field))

    def change(channel: Channel, word: str) -> Channel | None:
        return _with(channel, **{field: word == "on"}) if word in _ON_OFF else None

    return Choice(name, "on or off", read, change, **more)


def _bare(name: str) -> Choice:
    def read(channel: Channel) -> str:
        return _on_or_off(name in channel.settings.bare_commands)

    def change(channel: Channel, word: str) -> Channel | None:
        if word not in _ON_OFF:
            return None
        others = channel.settings.bare_commands - {name}
        return _with(channel, bare_commands=others | {name} if word == "on" else others)

    return Choice(name, "on or off", read, change, offered_on={"discord": ()})


_ON_OFF = ("on", "off")


def _on_or_off(is_on: bool) -> str:
    return "on" if is_on else "off"


def _who(channel: Channel) -> str:
    return next(word for word, role in WHO_MAY_MARK.items() if role == channel.settings.who_may_mark)


def _set_who(channel: Channel, word: str) -> Channel | None:
    return _with(channel, who_may_mark=WHO_MAY_MARK[word]) if word in WHO_MAY_MARK else None


def _set_replies(channel: Channel, word: str) -> Channel | None:
    if word != DEFAULT and word not in set(ReplyLevel):
        return None
    return _with(channel, reply_level=None if word == DEFAULT else ReplyLevel(word))


def _set_visibility(channel: Channel, word: str) -> Channel | None:
    return replace(channel, visibility=Visibility(word)) if word in set(Visibility) else None


_BROADCASTER = Role.BROADCASTER

CHOICES: dict[str, Choice] = {
    choice.name: choice
    for choice in (
        Choice(
            "who",
            "everyone, subscribers, vips or moderators",
            _who,
            _set_who,
            offered_on={"discord": ("everyone", "moderators")},
        ),
        _seconds("cooldown", "cooldown_seconds"),
        _seconds("window", "crowd_window_seconds"),
        _seconds("lead", "lead_seconds"),
        Choice(
            "replies",
            "full, brief, none or default",
            lambda channel: channel.settings.reply_level or DEFAULT,
            _set_replies,
            otherwise=lambda _defaults, platform: platform.default_level,
        ),
        _switch("names", "names", lowest=_BROADCASTER),
        Choice(
            "visibility", "public or private", lambda channel: channel.visibility, _set_visibility, lowest=_BROADCASTER
        ),
        *map(_bare, BARE_COMMANDS),
        _switch("markers", "mirror_markers", lowest=_BROADCASTER, platform="twitch"),
        _switch("clips", "promote", lowest=_BROADCASTER, platform="twitch"),
    )
}
"""By name, in the order they are listed in."""
