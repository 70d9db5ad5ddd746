"""What moderators did is written down with what they did, and for nobody else to change (AZ-8)."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from commands import audit, moderation
from commands.access import LOWEST_ROLE
from commands.choices import CHOICES
from commands.setup import OTHERS
from moments.live import Author
from moments.people import Role
from storage import Transaction
from tests.chat import ROOM, Chat

ACTS = {
    "delclip": "!delclip 1",
    "start": "!start",
    "pause": "!pause",
    "resume": "!resume",
    "end": "!end",
    "vodshift": "!vodshift +5",
    "setup": "!setup cooldown 30",
}
"""A line of each command that changes something; `before` below makes it one that does."""
BEFORE = {"start": "!end", "resume": "!pause"}
PROVED_ELSEWHERE = {"promote"}
"""Needs Twitch (tests/commands/test_giveback.py)."""
SETTINGS = {
    **{name: f"!setup {name} {'off' if name == 'names' else 'on'}" for name in CHOICES},
    "who": "!setup who vips",
    "cooldown": "!setup cooldown 30",
    "window": "!setup window 30",
    "lead": "!setup lead 30",
    "replies": "!setup replies none",
    "visibility": "!setup visibility private",
    "block": "!setup block rook",
    "unblock": "!setup unblock ann",
    "moderator": "!setup moderator rook",
    "unmoderator": "!setup unmoderator ann",
    "links": "!setup links revoke",
}
ELSEWHERE = {"markers", "clips", "blocked", "join", "feed"}
"""Only on Twitch (test_setup.py), a mere question, and only in Discord (test_joining.py, test_posting.py)."""


async def rows(chat: Chat) -> list[audit.Entry]:
    channel = await chat.store.channel(*ROOM[:2])
    return [] if channel is None else await audit.entries(chat.store, channel)


@pytest.mark.parametrize("name", sorted(name for name, role in LOWEST_ROLE.items() if role >= Role.MODERATOR))
async def test_AZ_8_every_act_of_a_moderator_is_written_down_and_a_refused_one_is_not(live: Chat, name: str) -> None:
    if name in PROVED_ELSEWHERE:
        return
    await live.says("<rook> !clip")
    await live.says(f"<~nightowl> {BEFORE.get(name, 'nothing')}")
    before = await rows(live)
    await live.says(f"<rook> {ACTS[name]}", message_id="refused")
    assert await rows(live) == before
    await live.says(f"<@sable> {ACTS[name]}", message_id="m1")
    added = (await rows(live))[: -len(before)]
    assert len(added) == 1
    assert added[0][1:5] == (live.watch.now, "console", "sable", name)
    await live.says(f"<@sable> {ACTS[name]}", message_id="m1")
    assert len(await rows(live)) == len(before) + 1


@pytest.mark.parametrize("name", sorted({*CHOICES, *OTHERS} - ELSEWHERE))
async def test_AZ_8_every_setting_is_written_down_with_what_was_there_before(live: Chat, name: str) -> None:
    for user in ("rook", "ann"):
        await live.says(f"<{user}> !clip")
    await live.says("<~nightowl> !setup block ann")
    await live.says("<~nightowl> !setup moderator ann")
    before = await rows(live)
    await live.says(f"<~nightowl> {SETTINGS[name]}")
    (entry,) = (await rows(live))[: -len(before)]
    assert entry.actor_user_id == "nightowl"
    assert entry.target
    assert entry.before != entry.after or entry.act in {"bar", "unbar"}
    await live.says(f"<~nightowl> {SETTINGS[name]}")
    assert len(await rows(live)) == len(before) + (2 if name == "links" else 1)  # what is so already is no act


async def test_AZ_8_hiding_restoring_and_barring_are_written_down(live: Chat) -> None:
    await live.says("<rook> !clip rude words")
    session, sable = await live.store.find_session("latest"), Author("console", "sable", "Sable")
    channel, now = session.channel, live.watch.now
    await moderation.hide(live.services, channel, session, 1, sable, "rude", now)
    await moderation.restore(live.services, channel, session, 1, sable, now)
    await moderation.bar(live.services, channel, Author("console", "rook", "rook"), sable, now)
    await moderation.unbar(live.services, channel, Author("console", "rook", "rook"), sable, now)
    told = [(entry.act, entry.target, entry.before, entry.after) for entry in await rows(live)]
    assert told == [
        ("unbar", "console:rook", "", ""),
        ("bar", "console:rook", "", ""),
        ("restore", "#1", "rude", ""),
        ("hide", "#1", "", "rude"),
        ("start", "", "", "active"),
    ]


async def test_what_is_refused_or_so_already_leaves_no_row(live: Chat) -> None:
    await live.says("<@sable> !pause")
    before = await rows(live)
    for line in ("!pause", "!start", "!delclip 7", "!setup", "!setup cooldown x", "!setup names off", "!setup who"):
        await live.says(f"<@sable> {line}")
    assert await rows(live) == before


async def test_an_act_and_its_row_are_one_transaction(live: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = Transaction.execute

    async def broken(self: Transaction, sql: str, *parameters: object) -> int:
        if "INTO audit" in sql:
            raise ZeroDivisionError
        return await execute(self, sql, *parameters)

    await live.says("<rook> !clip")
    monkeypatch.setattr(Transaction, "execute", broken)
    for line in ("!pause", "!end", "!delclip 1", "!setup cooldown 30", "!setup block rook"):
        assert await live.says(f"<@sable> {line}") == "Something broke on our side."
    monkeypatch.undo()
    session = await live.store.find_session("latest")
    assert session.status == "active"
    assert session.channel.settings.cooldown_seconds is None
    assert len(await live.marks()) == 1
    live.passes(20)
    assert (await live.says("<rook> !clip")).startswith("Marked #2")


async def test_no_words_of_viewers_are_in_the_rows(live: Chat, database: Path) -> None:
    await live.says("<rook> !clip a secret of mine")
    await live.says("<@sable> !delclip 1")
    await live.says("<@sable> !setup block rook")
    with closing(sqlite3.connect(database)) as connection:
        kept = repr(list(connection.execute("SELECT * FROM audit")))
    assert "secret" not in kept


async def test_the_rows_come_by_pages_newest_first(live: Chat) -> None:
    for line in ("!pause", "!resume", "!end"):
        live.passes(1)
        await live.says(f"<@sable> {line}")
    everything = await rows(live)
    assert [entry.act for entry in everything] == ["end", "resume", "pause", "start"]
    channel = await live.store.channel(*ROOM[:2])
    assert channel is not None
    first = await audit.entries(live.store, channel, limit=2)
    assert first + await audit.entries(live.store, channel, before=first[-1].id) == everything
