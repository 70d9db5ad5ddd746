"""What was done in a channel, in the words of the buttons that do it."""

from collections.abc import Callable

from commands.audit import Entry
from commands.choices import DEFAULT
from commands.connecting import CLIPS, MARKERS, SEAT
from commands.setup import NAMED, UNNAMED
from storage.joined import DISCORD, WITH_MODERATORS
from web_export.choosing import ASKED

_SCOPES = {SEAT: "be in chat", MARKERS: "stream markers", CLIPS: "clips"}


def account_in(entry: Entry) -> str:
    """The key of the account an act is about; empty for an act about none."""
    is_about_one = entry.act in {"bar", "unbar"} or (entry.act == "setup" and entry.after in {NAMED, UNNAMED})
    return entry.target if is_about_one else ""


def in_words(entry: Entry, name: str) -> str:
    """What was done, on one line: `Wait between marks: 15 → 30`; `name` is that of the account it is about."""
    return _ACTS[entry.act](entry, name)


def _just(sentence: str) -> Callable[[Entry, str], str]:
    return lambda entry, name: sentence.format(target=entry.target, name=name, before=entry.before, after=entry.after)


def _setup(entry: Entry, name: str) -> str:
    if entry.target == "links":
        return "Ended all links into this channel"
    if entry.after in {NAMED, UNNAMED}:
        return f"{name} {'moderates' if entry.after == NAMED else 'no longer moderates'} these pages"
    asked = ASKED.get(entry.target)
    offered = dict(asked.offered) if asked else {}
    before, after = (offered.get(word, "as usual" if word == DEFAULT else word) for word in (entry.before, entry.after))
    return f"{asked.label if asked else f'Answers to !{entry.target}'}: {before} → {after}"


def _connect(entry: Entry, _name: str) -> str:
    return f"Connected Twitch: {', '.join(_SCOPES.get(scope, scope) for scope in entry.after.split())}"


def _link(entry: Entry, _name: str) -> str:
    _, _, file = entry.target.partition(" ")
    return f"Made a link to {f'the download {file}' if file else 'the session'}, good {entry.after}"


_TOO = ", moderators too"


def _other(entry: Entry) -> str:
    return "a Discord channel" if entry.target.startswith(f"{DISCORD}:") else "a stream"


_ACTS: dict[str, Callable[[Entry, str], str]] = {
    "start": _just("Started a session"),
    "pause": _just("Paused"),
    "resume": _just("Resumed"),
    "end": _just("Ended the session"),
    "delclip": _just("Hid mark {target}"),
    "hide": _just("Hid mark {target}"),
    "restore": _just("Restored mark {target}"),
    "bar": _just("Blocked {name}"),
    "unbar": _just("Unblocked {name}"),
    "vodshift": _just("Corrected the links into the recording: {before} s → {after} s"),
    "promote": _just("Asked for a clip of mark {target}"),
    "setup": _setup,
    "link": _link,
    "connect": _connect,
    "disconnect": _just("Disconnected Twitch"),
    "ask to join": _just("Asked to be joined to a stream"),
    "join": lambda entry, _name: f"Joined {_other(entry)}{_TOO if entry.after == WITH_MODERATORS else ''}",
    "unjoin": lambda entry, _name: f"Ended the joining to {_other(entry)}",
}
