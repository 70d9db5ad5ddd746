"""From what somebody does in Discord to what they see, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.discord import intake as intake_module
from commands.model import Heard, Reply
from commands.suggest import Suggestion
from moments.errors import StoreBusy
from moments.people import Role
from tests.bot.discord.rig import VIDEO, Rig, answer, open_rig
from tests.fake_discord.interactions import DEFER, DEFER_UPDATE, MESSAGE
from tests.fake_discord.people import ADMINISTRATOR, MANAGE_MESSAGES

SUPPRESS, HIDDEN = 4, 64


@pytest.fixture
async def rig(database: Path) -> AsyncIterator[Rig]:
    async with open_rig(database) as rig:
        yield rig


# --- what is heard and answered


async def test_a_command_is_acknowledged_then_answered_where_all_can_read_it(rig: Rig) -> None:
    _, channel, rook, sable = rig.town()
    async with rig.running():
        await rig.says(rook, channel, "start", title="Any%")
        asked = await rig.says(sable, channel, "clip", note="what a *dodge*", back=5)
    assert asked.callbacks == [{"type": DEFER}]
    assert not asked.ephemeral
    assert asked.text == 'Marked #1 at 00:00:00 (segment 1): "what a \\*dodge\\*"'
    (mark,) = await rig.marks(channel)
    assert (mark.note, mark.submitted_by, mark.source_message_ids) == ("what a *dodge*", "Sable ✨", (asked.id,))
    heard = rig.heard[-1]
    assert heard.place == ("discord", channel.id, "Night Owls › #clips")
    assert (heard.role, heard.private) == (Role.VIEWER, False)


async def test_what_is_for_its_caller_alone_is_hidden_from_the_first(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    async with rig.running():
        asked = await rig.says(sable, channel, "help")
    assert asked.callbacks == [{"type": DEFER, "data": {"flags": HIDDEN}}]
    assert asked.ephemeral
    assert (asked.follow_ups, rig.discord.messages(channel)) == ([], [])


async def test_a_refusal_behind_a_public_acknowledgement_is_told_to_its_caller_alone(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    async with rig.running():
        asked = await rig.says(sable, channel, "clip")
        await rig.discord.until(lambda: asked.follow_ups)
    assert asked.original is None
    assert asked.ephemeral
    assert asked.text.startswith("Not live")
    assert rig.discord.messages(channel) == []


async def test_an_aside_comes_behind_the_answer_and_is_for_its_caller_alone(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    rig.instead = answer(Reply("Said.", aside="Only to you."))
    async with rig.running():
        asked = await rig.discord.slash(sable, channel, "session")
        await rig.discord.answered(asked, follow_ups=1)
    assert asked.original is not None
    assert (asked.original.content, asked.original.ephemeral) == ("Said.", False)
    assert [(each.content, each.ephemeral) for each in asked.follow_ups] == [("Only to you.", True)]


async def test_what_was_answered_before_leaves_nothing(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    rig.instead = answer(None)
    async with rig.running():
        asked = await rig.discord.slash(sable, channel, "session")
        await rig.discord.answered(asked)
    assert (asked.original, asked.follow_ups) == (None, [])


async def test_AZ_1_a_moderators_command_is_refused_though_discord_let_it_through(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    async with rig.running():
        asked = await rig.says(sable, channel, "start")
    assert (asked.text, asked.ephemeral) == ("Only moderators can use start.", True)


async def test_the_role_is_that_of_this_very_interaction(rig: Rig) -> None:
    guild, channel, _, sable = rig.town()
    async with rig.running():
        for permissions in (0, MANAGE_MESSAGES, ADMINISTRATOR):
            rig.discord.member(guild, sable, permissions=permissions)
            await rig.says(sable, channel, "session")
    assert [heard.role for heard in rig.heard] == [Role.VIEWER, Role.MODERATOR, Role.BROADCASTER]


async def test_in_a_thread_it_is_the_channels_session(rig: Rig) -> None:
    _, channel, rook, sable = rig.town()
    async with rig.running():
        await rig.says(rook, channel, "start")
        await rig.says(sable, rig.discord.thread(channel, "tonight"), "clip")
    assert len(await rig.marks(channel)) == 1


async def test_in_a_direct_message_saving_works_and_a_session_is_refused_in_words(rig: Rig) -> None:
    sable = rig.discord.user("sable")
    here = rig.discord.dm(sable)
    async with rig.running():
        saved = await rig.says(sable, here, "moment", url=VIDEO, range="0:03-0:08")
        rig.discord.acts.anywhere = True
        refused = await rig.says(sable, here, "clip")
    assert "Saved by 1 person" in saved.text
    assert saved.callbacks == [{"type": DEFER}], "it stays in the conversation, where nobody else reads"
    assert "server" in refused.text
    assert [heard.private for heard in rig.heard] == [True, True]


async def test_where_the_bot_is_no_member_only_its_caller_sees_the_answer(rig: Rig) -> None:
    sable = rig.discord.user("sable", installed=True)
    elsewhere = rig.discord.channel(rig.discord.guild("Elsewhere", has_bot=False), "talk")
    async with rig.running():
        asked = await rig.says(sable, elsewhere, "moment", url=VIDEO, range="0:03-0:08", note="hush")
        rig.discord.acts.anywhere = True
        refused = await rig.says(sable, elsewhere, "clip")
    assert asked.ephemeral
    assert "Saved by 1 person" in asked.text
    assert "server" in refused.text
    assert rig.discord.messages(elsewhere) == []


async def test_CHAT_1_CHAT_2_hostile_words_ping_nobody_and_make_no_link(rig: Rig) -> None:
    _, channel, rook, sable = rig.town()
    evil = "@everyone <@1> [x](https://evil.example) https://evil.example discord.gg/abc \u202e||x|| # <t:0:R>"
    async with rig.running():
        await rig.says(rook, channel, "start", title=evil.replace("|", ""))
        await rig.says(sable, channel, "clip", note=evil)
        await rig.says(sable, channel, "moment", url=VIDEO, range="0:03-0:08", note=evil)
        await rig.says(sable, channel, "best", url=VIDEO)
        await rig.says(sable, channel, "session")
        await rig.says(sable, channel, "renote", note=evil)
    sent = [request.body for request in rig.discord.requests if request.path.endswith("@original") and request.body]
    assert len(sent) == 6
    for body in sent:
        assert body["allowed_mentions"] == {"parse": []}
        assert bool(body["embeds"]) or body["flags"] & SUPPRESS
        words = body["content"] + "".join(embed.get("description", "") for embed in body["embeds"])
        for entity in ("@everyone", "<@1", "](", "https://evil", "discord.gg/", "||", "\u202e", "<t:0"):
            assert entity not in words
        assert all("evil" not in embed["title"] for embed in body["embeds"])


# --- buttons, fields, menus


async def test_who_presses_a_button_saves_it_too_and_the_card_counts_them(rig: Rig) -> None:
    _, channel, rook, sable = rig.town()
    async with rig.running():
        card = await rig.says(sable, channel, "moment", url=VIDEO, range="0:03-0:08")
    async with open_rig(rig.services.store.path, rig.discord) as again, again.running():  # after a restart
        assert card.shown is not None
        pressed = await rig.discord.press(rook, card.shown, "Save this too")
        await rig.discord.answered(pressed, follow_ups=1)
    assert pressed.callbacks == [{"type": DEFER_UPDATE}]
    assert "Saved by 2 people" in card.text
    assert [each.ephemeral for each in pressed.follow_ups] == [True]
    assert "Saved by 2 people" in pressed.follow_ups[0].content


async def test_a_button_of_long_ago_is_answered_in_words(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    async with rig.running():
        card = await rig.says(sable, channel, "moment", url=VIDEO, range="0:03-0:08")
        assert card.shown is not None
        card.shown.buttons[-1]["custom_id"] = "press:gone:1"
        pressed = await rig.discord.press(sable, card.shown, "press:gone:1")
        await rig.discord.answered(pressed)
    assert pressed.ack_type == MESSAGE
    assert pressed.ack is not None
    assert pressed.ack["data"]["flags"] & HIDDEN
    assert "older message" in pressed.ack["data"]["content"]
    assert "/help" in pressed.ack["data"]["content"]
    assert "Saved by 1 person" in card.text


async def test_a_field_is_helped_with_while_it_is_typed_into(rig: Rig) -> None:
    _, channel, _, sable = rig.town()

    async def suggests(heard: Heard, option: str, typed: str) -> Sequence[Suggestion]:
        assert (heard.text, option, typed) == ("moment", "range", "0:4")
        assert heard.options == {"url": VIDEO}
        return [Suggestion(f"{number} " + "y" * 120, f"0:{number}") for number in range(40)] + [Suggestion("x", "")]

    rig.suggests = suggests
    async with rig.running():
        typing = await rig.discord.autocomplete(sable, channel, "moment", focused="range", range="0:4", url=VIDEO)
        await rig.discord.answered(typing)
    assert len(typing.choices) == 25
    assert all(len(choice["name"]) <= 100 for choice in typing.choices)
    assert typing.choices[7]["value"] == "0:7"


@pytest.mark.parametrize("how", ["slow", "busy", "broken"])
async def test_a_field_that_cannot_be_helped_with_is_left_alone_in_time(
    rig: Rig, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, channel, _, sable = rig.town()
    monkeypatch.setattr(intake_module, "SUGGEST_SECONDS", 0.05)

    async def suggests(_heard: Heard, _option: str, _typed: str) -> Sequence[Suggestion]:
        if how == "slow":
            await asyncio.Event().wait()
        raise StoreBusy("busy") if how == "busy" else RuntimeError("broken")

    rig.suggests = suggests
    async with rig.running():
        typing = await rig.discord.autocomplete(sable, channel, "moment", focused="url", url="you")
        await rig.discord.answered(typing)
    assert typing.ack == {"type": 8, "data": {"choices": []}}


async def test_a_messages_menu_asks_and_saves(rig: Rig) -> None:
    _, channel, rook, sable = rig.town()
    said = rig.discord.say(rook, channel, f"listen to this: {VIDEO} !!")
    async with rig.running():
        picked = await rig.discord.menu(sable, said, "Save moment")
        await rig.discord.answered(picked)
        assert picked.modal is not None
        filled = await rig.discord.submit(sable, picked, range="0:03-0:08", note="that part")
        await rig.discord.shown(filled)
    assert picked.modal["custom_id"] == f"form:form-save:{channel.id}-{said.id}"
    first = picked.modal["components"][0]["component"]
    assert (first["custom_id"], first["value"]) == ("url", VIDEO)
    assert "Saved by 1 person" in filled.text
    assert not filled.ephemeral


async def test_a_menu_on_a_message_without_a_link_says_so(rig: Rig) -> None:
    _, channel, rook, sable = rig.town()
    async with rig.running():
        picked = await rig.discord.menu(sable, rig.discord.say(rook, channel, "hello"), "Save moment")
        await rig.discord.shown(picked)
    assert picked.ephemeral
    assert "no link" in picked.text
    assert "/moment" in picked.text
