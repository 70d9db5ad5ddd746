"""From a notification to what was heard: roles, instants, words; whatever a server sends, never an exception."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.twitch import translate
from bot.twitch.translate import TWITCH, MessageDeleted, PersonSilenced, Updated, WentOffline, WentOnline
from commands.model import Heard
from moments.people import Role
from tests.bot.twitch.envelopes import EXAMPLE, badge, notification, said

NOW = datetime(2026, 11, 21, 20, 0, 0, 250_000, tzinfo=UTC)


def heard(envelope: Mapping[str, Any]) -> Heard:
    found = translate.heard(envelope, NOW)
    assert found is not None
    return found


def test_a_line_says_where_who_what_and_when() -> None:
    assert heard(said("!clip what a dodge")) == Heard(
        TWITCH,
        heard(said()).place,
        heard(said()).author,
        Role.VIEWER,
        "!clip what a dodge",
        datetime(2026, 11, 21, 19, 59, 58, 123_456, tzinfo=UTC),
        "cc106a89-1814-919d-454c-f4f2f970aae7",
        NOW,
    )
    assert heard(said()).place == ("twitch", "1971641", "NightOwl")
    assert heard(said()).author == ("twitch", "4145994", "Rook")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("@Rook !clip what a dodge", "!clip what a dodge"),
        ("@ROOK !unclip", "!unclip"),
        ("@rook_login !unclip", "!unclip"),
        ("@somebody !unclip", "@somebody !unclip"),
        ("!clip @Rook did it", "!clip @Rook did it"),
        ("@Rook", ""),
    ],
)
def test_what_is_typed_with_the_reply_button_is_heard_without_the_name_in_front(text: str, kept: str) -> None:
    reply = {"parent_user_name": "Rook", "parent_user_login": "rook_login"}
    assert heard(said(text, reply=reply)).text == kept
    assert heard(said(text, reply=None)).text == text


@pytest.mark.parametrize(
    ("badges", "role"),
    [
        ([], Role.VIEWER),
        (["premium", "sub-gifter"], Role.VIEWER),
        (["subscriber"], Role.SUBSCRIBER),
        (["founder"], Role.SUBSCRIBER),
        (["vip", "subscriber"], Role.VIP),
        (["subscriber", "moderator"], Role.MODERATOR),
        (["lead_moderator"], Role.MODERATOR),
        (["broadcaster"], Role.BROADCASTER),
        (["Moderator", "moderators", "staff", "admin", "global_mod"], Role.VIEWER),
    ],
)
def test_trap_21_AZ_2_the_role_is_that_of_this_messages_badges(badges: list[str], role: Role) -> None:
    assert heard(said(badges=[badge(name) for name in badges])).role is role


def test_the_channels_owner_is_the_broadcaster_by_id_whatever_the_badges() -> None:
    assert heard(said(chatter_user_id="1971641")).role is Role.BROADCASTER


def test_AZ_2_trap_22_a_line_copied_from_another_channels_chat_is_nobodys() -> None:
    moderator_there = [badge("moderator")]
    copied = said(source_broadcaster_user_id="112233", source_badges=moderator_there, badges=moderator_there)
    assert translate.heard(copied, NOW) is None


def test_AZ_2_a_line_of_ones_own_in_a_shared_chat_counts_by_its_own_badges() -> None:
    own = said(source_broadcaster_user_id="1971641", source_badges=[badge("moderator")], badges=[badge("vip")])
    assert heard(own).role is Role.VIP


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("!clip \U000e0000", "!clip"),
        ("!clip nice \U000e0000", "!clip nice"),
        ("!clip nice   ", "!clip nice"),
        ("!clip 🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", None),
        ("!clip नमस्ते 👨‍👩‍👧 مرحبا", None),
        ('!clip "unbalanced', None),
        ("!clip “smart” 'quotes", None),
        ("!clip " + "x" * 5_000, "!clip " + "x" * 1_994),
    ],
)
def test_trap_18_19_words_lose_only_what_chat_clients_append(typed: str, kept: str | None) -> None:
    assert heard(said(typed)).text == (typed if kept is None else kept)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-21T19:59:58.123456789Z", NOW - timedelta(seconds=2, microseconds=126_544)),
        ("2026-11-21T19:59:58Z", NOW - timedelta(seconds=2, microseconds=250_000)),
        ("2026-11-21T19:59:58.1Z", NOW - timedelta(seconds=2, microseconds=150_000)),
        ("2026-11-21T20:59:58.25+01:00", NOW - timedelta(seconds=2)),
        ("2026-11-21T20:00:00.25Z", NOW),
        ("2026-11-21T20:00:00.250001Z", NOW),
        ("2027-11-21T20:00:00Z", NOW),
        ("2026-11-20T20:00:00.25Z", NOW - timedelta(hours=24)),
        ("2026-11-20T20:00:00.24Z", NOW),
        ("0001-01-01T00:00:00+14:00", NOW),
        ("2026-02-30T00:00:00Z", NOW),
        ("2026-11-21 19:59:58Z", NOW),
        ("2026-11-21T19:59:58", NOW),
        ("٢٠٢٦-11-21T19:59:58Z", NOW),
        ("", NOW),
        (None, NOW),
        (7, NOW),
    ],
)
def test_the_instant_is_the_events_own_unless_that_cannot_be(written: object, instant: datetime) -> None:
    assert heard(said(metadata={"message_timestamp": written})).instant == instant


@pytest.mark.parametrize("kind", ["text", "channel_points_highlighted", "power_ups_message_effect", "new", None, 5])
def test_every_kind_of_message_is_text(kind: object) -> None:
    assert heard(said(message_type=kind)).text == "!clip"


def test_a_name_that_is_empty_is_the_login() -> None:
    assert heard(said(chatter_user_name="", broadcaster_user_name=" ")).author.display_name == "rook"


WRONG: list[dict[str, Any]] = [
    {"message_id": None},
    {"message_id": ""},
    {"message_id": "with space"},
    {"message_id": "x" * 201},
    {"chatter_user_id": 5},
    {"chatter_user_id": ""},
    {"chatter_user_id": "١٢"},
    {"chatter_user_id": "x" * 129},
    {"chatter_user_id": "\ud800"},
    {"broadcaster_user_id": None},
    {"chatter_user_name": None},
    {"message": None},
    {"message": "text"},
    {"message": {"text": 5}},
    {"badges": None},
    {"badges": {}},
]


@pytest.mark.parametrize("fields", WRONG)
def test_PLAT_5_a_line_with_a_wrong_field_is_left_out_and_counted(fields: dict[str, Any]) -> None:
    before = translate.left_out["channel.chat.message"]
    assert translate.heard(said(**fields), NOW) is None
    assert translate.left_out["channel.chat.message"] == before + 1


def test_PLAT_5_odd_badges_give_no_role() -> None:
    odd: list[Any] = [None, 5, {}, {"set_id": ["moderator"]}, {"set_id": {}}, *[badge("x")] * 60, badge("moderator")]
    assert heard(said(badges=odd)).role is Role.VIEWER


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KINDS = [*translate._SHAPES, "channel.chat.message", "conduit.shard.disabled", ""]


@given(st.dictionaries(st.sampled_from(["metadata", "payload"]), ANYTHING), st.sampled_from(KINDS))
def test_PLAT_5_whatever_the_envelope_nothing_is_raised(envelope: dict[str, Any], kind: str) -> None:
    translate.heard(envelope, NOW)
    translate.revoked(envelope)
    translate.sent_at(envelope)
    translate.happening(envelope)
    translate.happening(notification(kind, envelope))


@given(st.sampled_from(sorted(said()["payload"]["event"])), ANYTHING)
def test_PLAT_5_whatever_one_field_holds_nothing_is_raised_and_all_is_capped(name: str, value: Any) -> None:  # noqa: ANN401
    found = translate.heard(said(**{name: value}), NOW)
    if found is not None:
        assert len(found.text) <= translate.LONGEST_TEXT
        assert len(found.author.display_name) <= translate.LONGEST_WORDS
        assert found.message_id


@given(
    st.sampled_from(KINDS),
    st.sampled_from(["id", "type", "title", "category_name", "message_id", "target_user_id"]),
    ANYTHING,
)
def test_PLAT_5_whatever_an_event_holds_nothing_is_raised(kind: str, name: str, value: Any) -> None:  # noqa: ANN401
    translate.happening(notification(kind, EXAMPLE | {name: value}))


def test_everything_else_is_told_as_what_it_is() -> None:
    place = ("twitch", "1337", "Cool_User")
    envelope_id = notification("", {})["metadata"]["message_id"]
    assert [translate.happening(notification(kind, EXAMPLE)) for kind in translate._SHAPES] == [
        WentOnline(place, envelope_id, "9001", "live"),  # type: ignore[arg-type]
        WentOffline(place, envelope_id),  # type: ignore[arg-type]
        Updated(place, envelope_id, "Any%", "Hollow Deep"),  # type: ignore[arg-type]
        MessageDeleted(place, envelope_id, EXAMPLE["message_id"]),  # type: ignore[arg-type]
        PersonSilenced(place, envelope_id, "7734"),  # type: ignore[arg-type]
    ]


def test_Twitchs_own_published_examples_are_all_understood(shared_data: Path) -> None:
    """Those of the docs, with and without what twitchio's models demand beyond them."""
    types = json.loads((shared_data / "twitch-spec" / "eventsub-examples.json").read_text())["types"]
    understood = 0
    for kind in (*translate._SHAPES, "channel.chat.message"):
        for example in types[kind]:
            event = example["json"].get("event")
            if event is None or event.get("source_broadcaster_user_id"):
                continue
            envelope = notification(kind, event)
            read = translate.heard(envelope, NOW) if kind.endswith("chat.message") else translate.happening(envelope)
            assert read is not None, (kind, example["heading"])
            understood += 1
    assert understood >= 6
