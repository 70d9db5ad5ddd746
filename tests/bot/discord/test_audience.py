"""What is typed where not everybody in a server reads along stays with its author (design.md §8)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.discord import audience
from bot.discord.audience import Audience
from bot.discord.permissions import ADMINISTRATOR, VIEW_CHANNEL
from commands.cards import card_of
from moments.sessions import Visibility
from tests.bot.discord.rig import VIDEO, Rig, open_rig
from tests.fake_discord.people import EVERYONE, Channel, FakeUser

SECRET = "words of staff"


@pytest.fixture
async def rig(database: Path) -> AsyncIterator[Rig]:
    async with open_rig(database) as rig, rig.running():
        yield rig


async def save(rig: Rig, who: FakeUser, there: Channel, note: str = SECRET) -> bool:
    """Whether a save typed there is its author's alone."""
    asked = await rig.says(who, there, "moment", url=VIDEO, range="0:05-0:10", note=note)
    assert not asked.ephemeral  # whoever reads the channel reads the answer
    saves = await rig.services.store.fetch("SELECT private FROM save WHERE replaced_by IS NULL AND note = ?", note)
    return bool(saves[0][0])


async def test_a_save_typed_in_a_channel_that_is_not_for_everybody_is_its_authors_alone(rig: Rig) -> None:
    guild, channel, rook, sable = rig.town()
    staff = rig.discord.channel(guild, "staff")
    rig.discord.hide(staff)
    assert await save(rig, rook, staff)
    ((moment, origin),) = await rig.services.store.fetch("SELECT public_id, origin FROM save")
    card = await card_of(rig.services, moment)
    assert card
    assert (card.note, card.picture) == ("", "")
    assert origin == f"discord:{staff.id}"
    typing = await rig.discord.autocomplete(sable, staff, "moment", focused="url", url="")
    await rig.discord.answered(typing)
    assert typing.choices == []
    rig.discord.hide(staff, hidden=False)
    assert not await save(rig, sable, staff, "for all to read")
    assert not await save(rig, rook, channel, "mine as well")


async def test_a_save_typed_in_a_private_thread_is_its_authors_alone(rig: Rig) -> None:
    _, channel, rook, sable = rig.town()
    assert await save(rig, rook, rig.discord.thread(channel, "whispers", private=True))
    assert not await save(rig, sable, rig.discord.thread(channel, "tonight"), "for all to read")


async def test_where_the_servers_own_role_lets_nobody_in_every_channel_is_hidden_that_makes_no_exception(
    rig: Rig,
) -> None:
    guild, channel, rook, _ = rig.town()
    lobby = rig.discord.channel(guild, "lobby")
    rig.discord.hide(lobby, hidden=False)
    rig.discord.everyone_may(guild, EVERYONE & ~VIEW_CHANNEL)
    assert await save(rig, rook, channel)
    assert await save(rig, rook, rig.discord.thread(channel, "tonight"), "there too")
    assert not await save(rig, rook, lobby, "in the lobby")
    rig.discord.everyone_may(guild, EVERYONE)
    assert not await save(rig, rook, channel, "now for all")


async def test_what_a_server_hides_is_known_from_the_first_moment_on(database: Path) -> None:
    async with open_rig(database) as rig:
        guild, channel, rook, _ = rig.town()
        staff = rig.discord.channel(guild, "staff")
        rig.discord.hide(staff)
        async with rig.running():
            assert await save(rig, rook, staff)
            assert not await save(rig, rook, channel, "for all to read")


async def test_in_a_server_that_has_yet_to_be_told_nothing_is_for_everybody(rig: Rig) -> None:
    guild, channel, rook, sable = rig.town()
    told = {"id": guild.id, "name": "x", "channels": []}
    await rig.discord.gateway.send_raw({"t": "GUILD_CREATE", "d": {**told, "unavailable": True}})
    assert await save(rig, rook, channel)
    await rig.discord.gateway.send_raw({"t": "GUILD_CREATE", "d": told})
    assert not await save(rig, sable, channel, "for all to read")


async def test_a_hidden_channels_sessions_begin_private_until_who_manages_it_says_otherwise(rig: Rig) -> None:
    guild, channel, rook, _ = rig.town()
    staff = rig.discord.channel(guild, "staff")
    rig.discord.hide(staff)
    for there, visibility in ((staff, Visibility.PRIVATE), (channel, Visibility.PUBLIC)):
        await rig.says(rook, there, "start", title=SECRET)
        await rig.says(rook, there, "clip", note=SECRET)
        session = await rig.services.store.newest_session("discord", there.id)
        assert session
        assert session.channel.visibility is visibility
    assert await save(rig, rook, staff, "not yet")
    said = await rig.says(rook, staff, "setup", setting="visibility", value="public")
    assert said.text.startswith("Now: visibility public.")
    assert not await save(rig, rook, staff, "for all to read by now")
    assert await save(rig, rook, rig.discord.thread(staff, "whispers", private=True), "but not here")
    await rig.says(rook, staff, "session")
    session = await rig.services.store.newest_session("discord", staff.id)
    assert session
    assert session.channel.visibility is Visibility.PUBLIC
    assert [mark.note for mark in await rig.marks(staff)] == [SECRET]


async def test_a_mark_made_in_a_private_thread_of_a_public_channel_has_no_words(rig: Rig) -> None:
    _, channel, rook, _ = rig.town()
    await rig.says(rook, channel, "start")
    whispers = rig.discord.thread(channel, "whispers", private=True)
    asked = await rig.says(rook, whispers, "clip", note=SECRET)
    await rig.discord.answered(asked, follow_ups=1)
    assert SECRET not in asked.text
    assert asked.follow_ups[0].content.startswith("It has none of your words: this thread is private")
    assert (await rig.says(rook, whispers, "renote", note=SECRET)).shown.content.startswith("Those words stay here")  # type: ignore[union-attr]  # there is an answer
    assert [mark.note for mark in await rig.marks(channel)] == [""]
    await rig.says(rook, channel, "setup", setting="visibility", value="private")
    await rig.says(rook, whispers, "clip", note="between us")
    assert [mark.note for mark in await rig.marks(channel)] == ["", "between us"]


# --- what is known of a server


def told(*channels: dict[str, Any], everyone: int = VIEW_CHANNEL) -> Audience:
    known = Audience()
    for each in channels:
        known.take_channel("1", each)
    known.take_roles("1", {"roles": [{"id": "9", "permissions": "0"}, {"id": "1", "permissions": str(everyone)}]})
    return known


def channel(name: str, *, allow: int = 0, deny: int = 0, who: str = "1") -> dict[str, Any]:
    return {"id": name, "permission_overwrites": [{"id": who, "type": 0, "allow": str(allow), "deny": str(deny)}]}


def test_exceptions_count_where_they_are_everybodys() -> None:
    known = told(
        channel("a", deny=VIEW_CHANNEL),
        channel("b", deny=VIEW_CHANNEL, who="9"),
        channel("c", deny=1 << 11),
        channel("d", allow=VIEW_CHANNEL),
    )
    assert [known.is_hidden("1", each) for each in "abcde"] == [True, False, False, False, False]
    known.take_role("1", {"id": "1", "permissions": "0"})
    assert [known.is_hidden("1", each) for each in "abcde"] == [True, True, True, False, True]
    known.take_role("1", {"id": "1", "permissions": str(ADMINISTRATOR)})
    assert [known.is_hidden("1", each) for each in "ad"] == [False, False]


def test_what_is_told_in_no_shape_we_know_is_hidden() -> None:
    known = told(channel("a"))
    with pytest.raises(KeyError):
        known.take_channel("1", {"id": "a", "permission_overwrites": [{"id": "1"}]})
    assert (known.is_hidden("1", "a"), known.is_hidden("1", "b")) == (True, False)
    with pytest.raises(ValueError, match="invalid literal"):
        known.take_role("1", {"id": "1", "permissions": "many"})
    assert known.is_hidden("1", "b")
    awaited = Audience()
    awaited.await_guild("1")
    assert (awaited.is_hidden("1", "a"), awaited.is_hidden("2", "a")) == (True, False)


def test_no_more_is_kept_than_fits_and_a_server_with_more_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "MOST_EXCEPTIONS", 2)
    exceptions = [channel(str(number), deny=VIEW_CHANNEL) for number in range(3)]
    known = told(*exceptions[:2])
    assert not known.is_hidden("1", "other")
    known.take_channel("1", exceptions[2])
    assert known.is_hidden("1", "other")
    known.forget_guild("1")
    known.take_roles("1", {"roles": [{"id": "1", "permissions": str(VIEW_CHANNEL)}]})
    assert not known.is_hidden("1", "other")
    known.take_channel("1", exceptions[0])
    known.forget_channel("1", "0")
    assert not known.is_hidden("1", "0")
