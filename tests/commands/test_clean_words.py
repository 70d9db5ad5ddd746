"""Every human string passes the one cleaner before it is stored (TXT-1)."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from commands.model import Heard
from moments.live import Author, Place
from moments.notes import clean_name, clean_note
from moments.people import Role
from tests.chat import CONSOLE, EVENING, Chat

HOSTILE = "  \u202eevil\u2066\x1b[2J\x00 Z" + "\u0301" * 40 + " \ud800 " + "名" * 200
FREE_TEXT: dict[str, Callable[[str], str]] = {
    "note": lambda text: clean_note(text).text,
    "submitted_by": clean_name,
    "display_name": clean_name,
    "title": clean_name,
    "game": clean_name,
    "login": clean_name,
    "by_line": clean_name,
    "guild_name": clean_name,
    "channel_name": clean_name,
    "requested_name": clean_name,
}
KEYS_AND_WORDS_OF_OURS = {
    "platform",
    "platform_id",
    "user_id",
    "public_id",
    "visibility",
    "status",
    "source_message_id",
    "message_id",
    "hidden_by",
    "hidden_reason",
    "stream_id",
    "digest",
    "who_may_mark",
    "reply_level",
    "bare_commands",
    # Sealed or digested, ids, and the names of our own states and facts.
    *(
        "access",
        "refresh",
        "scopes",
        "state",
        "state_digest",
        "browser_digest",
        "nonce",
        "secret_digest",
        "name",
        "value",
    ),
    *("id", "session_id", "provider", "video_id", "clip_id", "muted", "moderates", "purpose", "return_path", "details"),
    *("barred_by", "requested_by", "actor_platform", "actor_user_id", "act", "url"),
    # What was cleaned where it was typed, put together into a sentence of ours.
    *("target", "before", "after"),
    *("media_id", "kind", "origin", "live", "isrc", "links", "regions_allowed", "regions_blocked"),
    *("other_platform", "other_user_id", "by_platform", "by_user_id"),
    # Discord's own ids, and what is built from them.
    *("discord_channel", "guild_id", "code_digest", "message_url", "mode", "set_by", "trouble", "save_id"),
    *("method", "evidence", "asked_by", "undone_by", "answer", "answered_by"),
}


async def test_TXT_1_every_text_column_holds_clean_words(chat: Chat, database: Path) -> None:
    place, author = Place("console", "c1", HOSTILE), Author("console", "u1", HOSTILE)
    for seconds, text in enumerate((f"!start {HOSTILE} | {HOSTILE}", f"!clip {HOSTILE}", f"!renote new {HOSTILE}")):
        chat.passes(seconds)
        instant = EVENING + timedelta(seconds=1)
        reply = await chat.dispatcher.hear(Heard(CONSOLE, place, author, Role.BROADCASTER, text, instant))
        assert reply is not None
        assert not reply.private, reply.text
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[2] == "TEXT"]
            assert set(columns) <= FREE_TEXT.keys() | KEYS_AND_WORDS_OF_OURS, "a new column needs a line above"
            for column in FREE_TEXT.keys() & set(columns):
                for (value,) in connection.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"):  # noqa: S608 -- names of our own
                    assert value
                    assert value == FREE_TEXT[column](value)
