"""The one door: who may, what is answered to whom, and what a reply may look like."""

import json
import sqlite3
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.access import LOWEST_ROLE, LOWEST_ROLE_TO_PRESS, may
from commands.dispatch import Dispatcher
from commands.model import Guild, Heard, Platform
from commands.registry import COMMANDS, NAMES, PRESSES
from moments.live import Author, Place
from moments.people import Role
from tests.chat import CONSOLE, Chat, open_chat


def test_every_command_has_help_a_row_and_names_of_its_own() -> None:
    assert set(COMMANDS) == set(LOWEST_ROLE)
    assert set(PRESSES) == set(LOWEST_ROLE_TO_PRESS)
    assert next(iter(LOWEST_ROLE)) == "clip"
    for command in COMMANDS.values():
        assert command.help.endswith(".")
        assert NAMES[command.name] is command
    assert len(NAMES) == sum(1 + len(command.aliases) for command in COMMANDS.values())


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", sorted(LOWEST_ROLE))
async def test_AZ_1_every_cell_of_the_access_table(live: Chat, name: str, role: Role) -> None:
    reply = await live.hears(f"<somebody> !{name}", role=role)
    refused = reply is not None and reply.text == f"Only moderators can use {name}."
    assert refused is (role < LOWEST_ROLE[name])
    assert may(role, name) is not refused


def test_AZ_1_what_has_no_row_is_allowed_to_nobody() -> None:
    assert not any(may(role, "reboot") for role in Role)


async def test_AZ_7_signs_of_a_role_in_a_message_are_only_words(live: Chat) -> None:
    assert await live.says("<rook> !clip <@x> !end") == 'Marked #1 at 00:00:00 (segment 1): "<@\u200bx> !end"'
    session = await live.store.find_session("latest")
    assert session.status == "active"


async def test_refusals_are_private(live: Chat) -> None:
    reply = await live.hears("<rook> !pause")
    assert reply is not None
    assert reply.private


async def test_where_everyone_reads_along_pace_and_role_are_refused_in_silence(live: Chat) -> None:
    live.platform = Platform("twitch", answers_refusals=False)
    await live.says("<rook> !clip")
    assert await live.says("<rook> !clip") == ""
    assert await live.says("<rook> !pause") == ""
    assert (await live.says("<@sable> !adjust 5")).startswith("Say which way")


@pytest.mark.parametrize("talk", ["hello", "clip it", "! clip", "!", "well !clip", "!discord", "!clips_of_the_day"])
async def test_talk_and_other_bots_words_are_not_answered(live: Chat, talk: str) -> None:
    assert await live.hears(f"<rook> {talk}") is None


async def test_at_the_console_an_unknown_word_is_answered(live: Chat) -> None:
    live.platform = Platform("console", answers_unknown=True)
    assert await live.says("<rook> !lcip wow") == "There is no such command. Type !help for the list."


async def test_help_lists_what_the_caller_may_use(live: Chat) -> None:
    assert "pause" not in await live.says("<rook> !help")
    assert "pause" in await live.says("<@sable> !help")
    assert (await live.says("<rook> !help !ts")).startswith("Type !clip [−N] [note] — Mark the moment")
    assert await live.says("<rook> !help nonsense") == "There is no such command. Type !help for the list."


@pytest.mark.parametrize(
    "where", [{"private": True}, {"guild": Guild("1", "Owls", may_manage=True, has_bot=False)}], ids=["dm", "no bot"]
)
async def test_help_lists_only_what_can_be_used_where_it_is_asked_for(chat: Chat, where: dict[str, Any]) -> None:
    author, room = Author("discord", "77", "Sable"), Place("discord", "7001", "Owls")
    heard = Heard(replace(CONSOLE, prefix="/"), room, author, Role.VIEWER, "/help", chat.watch.now)
    there, here = await chat.dispatcher.hear(heard._replace(**where)), await chat.dispatcher.hear(heard)
    assert there is not None
    assert here is not None
    assert there.text == (
        "You can type: /moment, /saved, /best, /mymoments, /link, /unlink, /forgetme, /help. For more about one:"
        " /help moment"
    )
    assert "/clip, " in here.text
    assert here.text.endswith("/help clip")
    found = await chat.dispatcher.hear(heard._replace(text="help", options={"about": "mark"}))
    assert found is not None
    assert found.text == (
        "Type /clip — Mark the moment that just happened. Its fields are back: how many seconds ago, at most 600; "
        "note: what happened, in your words."
    )
    none = await chat.dispatcher.hear(heard._replace(text="help", options={"about": "unlink"}))
    assert none is not None
    assert none.text == "Type /unlink — Part this account from your others again."


async def test_export_and_clips_link_the_session(live: Chat) -> None:
    session = await live.store.find_session("latest")
    page = f"http://localhost:8080/s/{session.id}"
    assert await live.says("<rook> !clips") == f'All marks of "Any% attempts": {page}'
    assert await live.says("<rook> !export") == f'Downloads of "Any% attempts" (csv, edl): {page}#downloads'
    assert await live.says("<rook> !export .EDL") == f'Download "Any% attempts": {page}/export.edl'
    assert await live.says("<rook> !export exe") == "There is no such download. Take one of: csv, edl."


async def test_a_private_channel_is_told_of_to_moderators_only(live: Chat, database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE channel SET visibility = 'private'")
    connection.close()
    for line in ("!export", "!export csv", "!clips"):
        assert await live.says(f"<rook> {line}") == "This channel's pages are private; its moderators log in."
    assert "/s/" not in await live.says("<@sable> !export csv")
    assert "/s/" not in await live.says("<@sable> !clips")


async def test_whatever_breaks_is_answered_and_logged(live: Chat, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError("a secret path")

    live.dispatcher = Dispatcher(replace(live.services, store=Broken()))  # type: ignore[arg-type]
    assert await live.says("<rook> !clip") == "Something broke on our side."
    captured = capsys.readouterr()
    assert "RuntimeError" in captured.out + captured.err


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        [
            "@everyone @here <@1> <@&2>",
            "!end",
            "/ban rook",
            ".timeout rook",
            "`end` `start`",
            "\x1b[2J\x07",
            "a\r\n!end",
            "\u202eevil\u2066",
            "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢" * 40,
            "👨‍👩‍👧‍👦" * 200,
            "مرحبا " * 60,
        ]
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(note=HOSTILE, title=HOSTILE, length=st.sampled_from([120, 500]))
async def test_no_reply_can_ping_run_a_command_or_outgrow_its_platform(
    note: str, title: str, length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("chat") / "moments.db"
    async with open_chat(path) as chat:
        chat.platform = Platform("console", reply_length=length, answers_unknown=True)
        for line in (
            f"<~nightowl> !start {title}",
            f"<rook> !clip {note}",
            f"<mika> !clip {note}",
            f"<rook> !renote {note}",
            "<@sable> !delclip 1",
            f"<rook> !adjust {note}",
            "<rook> !session",
            "<rook> !clips",
            f"<rook> !export {note}",
            f"<rook> !help {note}",
            f"<~nightowl> !start {title}",
            "<~nightowl> !end",
            f"<rook> !{note}",
        ):
            text = await chat.says(line.replace("\n", " ").replace("\r", " "))
            assert len(text) <= length
            assert text[:1] not in ("!", "/", ".", "<")
            assert not any(ord(letter) < 32 or letter == "\x7f" for letter in text)
            assert not any(here == "@" and (after.isalnum() or after == "_") for here, after in pairwise(text))


def test_the_table_is_not_secretly_wider_than_the_contract() -> None:
    moderators = {name for name, role in LOWEST_ROLE.items() if role is Role.MODERATOR}
    assert (
        json.dumps(sorted(moderators))
        == '["delclip", "end", "pause", "promote", "resume", "setup", "start", "vodshift"]'
    )
