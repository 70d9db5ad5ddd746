"""What was done in a channel is told in words: each act, each setting, none of them by its name in the store."""

from datetime import UTC, datetime

import pytest

from commands.access import LOWEST_ROLE
from commands.choices import CHOICES
from commands.setup import OTHERS
from moments.people import Role
from storage.audit import Entry
from storage.ledger import NOBODY
from web_export.acts import account_in, in_words
from web_export.choosing import ASKED
from web_export.desk import _called

AT = datetime(2026, 11, 21, tzinfo=UTC)


def entry(act: str, target: str = "", before: str = "", after: str = "") -> Entry:
    return Entry(1, AT, "twitch", "1", act, target, before, after, None)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (entry("start", after="active"), "Started a session"),
        (entry("delclip", "#12"), "Hid mark #12"),
        (entry("hide", "#12", after="on the site"), "Hid mark #12"),
        (entry("restore", "#12"), "Restored mark #12"),
        (entry("bar", "twitch:7"), "Blocked Juno"),
        (entry("unbar", "twitch:7"), "Unblocked Juno"),
        (entry("vodshift", before="+0", after="-5"), "Corrected the links into the recording: +0 s → -5 s"),
        (entry("promote", "#12"), "Asked for a clip of mark #12"),
        (entry("setup", "cooldown", "default", "30"), "Wait between marks: as usual → 30"),
        (entry("setup", "visibility", "public", "private"), "Who sees your pages: Everybody → Only moderators"),
        (entry("setup", "help", "off", "on"), "Answers to !help: off → on"),
        (entry("setup", "links", "0", "1"), "Ended all links into this channel"),
        (entry("setup", "twitch:7", after="named"), "Juno moderates these pages"),
        (entry("setup", "twitch:7", after="unnamed"), "Juno no longer moderates these pages"),
        (entry("link", "view", after="until noon"), "Made a link to the session, good until noon"),
        (
            entry("link", "export csv", after="until noon"),
            "Made a link to the download csv, good until noon",
        ),
        (entry("connect", after="channel:bot channel:manage:clips"), "Connected Twitch: be in chat, clips"),
        (entry("disconnect"), "Disconnected Twitch"),
        (entry("ask to join"), "Asked to be joined to a stream"),
        (entry("join", "discord:7"), "Joined a Discord channel"),
        (entry("join", "twitch:8", after="moderators"), "Joined a stream, moderators too"),
        (entry("unjoin", "discord:7"), "Ended the joining to a Discord channel"),
    ],
)
def test_each_act_is_told_as_its_button_says(done: Entry, said: str) -> None:
    assert in_words(done, "Juno") == said
    assert account_in(done) in {"", "twitch:7"}
    assert ("Juno" in said) == bool(account_in(done))


def test_who_was_forgotten_is_called_so() -> None:
    assert _called({}, account_in(entry("setup", NOBODY, after="named"))) == "account deleted"
    assert _called({}, "twitch:7") == "account 7"


def test_every_command_of_moderators_and_every_setting_has_words() -> None:
    for act in (name for name, role in LOWEST_ROLE.items() if role >= Role.MODERATOR and name != "setup"):
        assert in_words(entry(act, "#1"), "")[0].isupper(), act
    questions = {"block", "unblock", "blocked", "moderator", "unmoderator"}  # acts of their own, none, and told above
    for name in {*CHOICES, *OTHERS} - questions:
        said = in_words(entry("setup", name, "default", "on"), "Juno")
        assert name not in ASKED or said.startswith(ASKED[name].label), name
