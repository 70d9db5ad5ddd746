"""Numbers, times and names as only the pages word them; what chat says too is in moments/wording.py."""

from datetime import datetime

from moments.wording import counted

PLATFORM_NAMES = {"twitch": "Twitch", "discord": "Discord"}


def compact(number: int) -> str:
    """For places with room for four characters: `999`, `5.1k`, `12k`."""
    if number < 1000:
        return str(number)
    return f"{number // 100 / 10:.1f}k" if number < 10_000 else f"{number // 1000}k"


def length(seconds: int) -> str:
    """A break's length, short: `45 s`, `6 min`, `2 h 5 min`, `3 days`."""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        hours, minutes = divmod(seconds // 60, 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return counted(seconds // 86_400, "day")


def clock(seconds: int) -> str:
    """A place in a recording, as players show it: `0:42`, `1:02:03`."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"


def day(moment: datetime) -> str:
    """`20 Nov 2026`, the day in UTC."""
    return f"{moment.day} {moment:%b %Y}"


def typed(command: str, platform_or_name: str) -> str:
    """A command as it is typed on a platform: `!clip`, on Discord `/clip`."""
    return f"{'/' if platform_or_name.lower() == 'discord' else '!'}{command}"


def platform(name: str) -> str:
    """A platform as people call it; empty for the console, which is where the reader sits."""
    if name == "console":
        return ""
    return PLATFORM_NAMES.get(name, name)
