"""The fake's REST: messages, interactions and their limits, permissions, rate limits, faults."""

import asyncio
from datetime import timedelta

import aiohttp
import pytest

from tests.discord.town import Town
from tests.fake_discord.application import CLIP, NOBODY, SAVE, Application
from tests.fake_discord.interactions import CHOICES, DEFER, DEFER_UPDATE, MESSAGE, MODAL, UPDATE
from tests.fake_discord.messages import EPHEMERAL
from tests.fake_discord.people import (
    ADMINISTRATOR,
    EMBED_LINKS,
    INVITED_WITH,
    MANAGE_MESSAGES,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    USE_EXTERNAL_APPS,
    VIEW_CHANNEL,
)
from tests.fake_discord.server import FakeDiscord
from tests.fake_discord.world import Json, instant_of, now_utc

ORIGINAL = "/messages/@original"
ROW: Json = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Save this (0)", "custom_id": "press:save:7"}]}
FORM: Json = {
    "custom_id": "form:save:1",
    "title": "Save moment",
    "components": [
        {
            "type": 18,
            "label": "Link",
            "component": {"type": 4, "custom_id": "url", "style": 1, "value": "https://a.b/"},
        },
        {"type": 1, "components": [{"type": 4, "custom_id": "note", "style": 2, "label": "Note", "required": False}]},
    ],
}


async def test_a_wrong_token_is_refused_and_the_bot_is_told_who_it_is(town: Town) -> None:
    assert (await town.app.call("GET", "/users/@me", token="Bot wrong")).status == 401
    assert (await town.app.call("GET", "/gateway/bot", token=None)).status == 401
    me = await town.app.call("GET", "/users/@me")
    assert (me.body["id"], me.body["bot"]) == (town.discord.application_id, True)


async def test_commands_keep_their_ids_over_a_second_sync(town: Town) -> None:
    before = {each["name"]: each["id"] for each in town.discord.commands}
    other = CLIP | {"name": "other"}
    answer = await town.app.sync(other, SAVE | {"default_member_permissions": "8192"}, CLIP)
    after = {each["name"]: each["id"] for each in answer.body}
    assert {name: after[name] for name in before} == before
    assert answer.body[1]["default_member_permissions"] == "8192"
    path = f"/applications/{town.discord.application_id}/commands"
    assert (await town.app.call("GET", path)).body == answer.body


async def test_who_says_that_there_is_json_has_to_send_some(town: Town) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    await town.app.ack(asked, DEFER)
    url = f"{town.discord.api_url}/v10/webhooks/{town.discord.application_id}/{asked.token}{ORIGINAL}"
    async with aiohttp.ClientSession() as http:
        async with http.delete(url, headers={"Content-Type": "application/json"}) as refused:
            assert (refused.status, (await refused.json())["code"]) == (400, 50109)
        async with http.delete(url) as done:
            assert done.status == 204


async def test_a_deferred_answer_is_thinking_until_it_is_edited(town: Town) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip", note="what a dodge")
    heard = (await town.ear.hears("INTERACTION_CREATE"))["d"]
    assert heard["data"]["options"] == [{"name": "note", "type": 3, "value": "what a dodge"}]
    assert abs(instant_of(heard["id"]) - now_utc()) < timedelta(seconds=5)
    assert (await town.app.hook("PATCH", asked, ORIGINAL, content="too early")).code == 10015
    assert (await town.app.ack(asked, DEFER)).status == 204
    assert asked.original
    assert asked.original.loading
    assert not asked.is_answered
    assert town.discord.messages(town.channel) == []
    await town.app.hook("PATCH", asked, ORIGINAL, content="Marked #1", components=[ROW])
    assert [each.content for each in town.discord.messages(town.channel)] == ["Marked #1"]
    answered = await town.discord.answered(asked)
    assert (answered.text, answered.ephemeral, answered.original.loading if answered.original else None) == (
        "Marked #1",
        False,
        False,
    )
    assert 0 <= (answered.acked_after or -1) < 5


async def test_a_callback_that_asks_for_its_response_gets_the_message(town: Town) -> None:
    for kind, data in ((MESSAGE, {"content": "hello", "flags": EPHEMERAL}), (DEFER, {})):
        asked = await town.discord.slash(town.sable, town.channel, "clip")
        body = {"type": kind, "data": {"allowed_mentions": NOBODY} | data if data else {}}
        answer = await town.app.raw_ack(asked, body, with_response="1")
        assert answer.body["interaction"]["response_message_loading"] == (kind == DEFER)
        assert answer.body["resource"]["message"]["content"] == (data or {"content": ""})["content"]


async def test_a_second_callback_is_40060_and_a_late_one_10062(town: Town) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    await town.app.ack(asked, DEFER)
    again = await town.app.ack(asked, DEFER)
    assert (again.status, again.code) == (400, 40060)
    town.discord.interactions.ack_seconds = -1
    late = await town.app.ack(await town.discord.slash(town.sable, town.channel, "clip"), DEFER)
    assert (late.status, late.code) == (404, 10062)
    assert len(asked.callbacks) == 2


async def test_a_token_is_over_after_its_minutes(town: Town) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    await town.app.ack(asked, DEFER)
    town.discord.clock = lambda: now_utc() + timedelta(minutes=14, seconds=59)
    assert (await town.app.hook("PATCH", asked, ORIGINAL, content="in time")).status == 200
    town.discord.clock = lambda: now_utc() + timedelta(minutes=15, seconds=1)
    over = await town.app.hook("PATCH", asked, ORIGINAL, content="too late")
    assert (over.status, over.code) == (401, 50027)


async def test_the_first_follow_up_to_a_deferred_answer_becomes_it_and_stays_as_private(town: Town) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    await town.app.ack(asked, DEFER)
    await town.app.hook("POST", asked, content="meant for one", flags=EPHEMERAL)
    assert (asked.follow_ups, asked.text, asked.ephemeral) == ([], "meant for one", False)
    await town.app.hook("POST", asked, content="for one", flags=EPHEMERAL)
    assert [each.ephemeral for each in asked.follow_ups] == [True]
    assert [each.content for each in town.discord.messages(town.channel)] == ["meant for one"]


async def test_a_deleted_answer_leaves_room_for_a_private_one(town: Town) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    await town.app.ack(asked, DEFER)
    assert (await town.app.hook("DELETE", asked, ORIGINAL)).status == 204
    assert asked.original is None
    await town.app.hook("POST", asked, content="only you", flags=EPHEMERAL)
    answered = await town.discord.answered(asked, follow_ups=1)
    assert (answered.text, answered.ephemeral) == ("only you", True)
    gone = await town.app.hook("PATCH", asked, ORIGINAL, content="there?")
    assert (gone.status, gone.code) == (404, 10008)
    follow_up = f"/messages/{asked.follow_ups[0].id}"
    assert (await town.app.hook("PATCH", asked, follow_up, content="still only you")).status == 200
    assert (await town.app.hook("DELETE", asked, follow_up)).status == 204


async def test_a_button_defers_edits_its_message_and_follows_up(town: Town) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    await town.app.ack(asked, MESSAGE, content="Marked", components=[ROW])
    (shown,) = town.discord.messages(town.channel)
    pressed = await town.discord.press(town.rival, shown, "Save this")
    heard = await town.ear.hears("INTERACTION_CREATE")
    while heard["d"]["type"] != 3:
        heard = await town.ear.hears("INTERACTION_CREATE")
    assert (heard["d"]["data"]["custom_id"], heard["d"]["message"]["id"]) == ("press:save:7", shown.id)
    await town.app.ack(pressed, DEFER_UPDATE)
    assert not pressed.is_answered
    await town.app.hook("PATCH", pressed, ORIGINAL, content="Marked, 1 saved")
    await town.app.hook("POST", pressed, content="Saved.", flags=EPHEMERAL)
    await town.discord.answered(pressed, follow_ups=1)
    assert (shown.content, pressed.text, pressed.ephemeral) == ("Marked, 1 saved", "Saved.", True)
    second = await town.discord.press(town.rival, shown, "press:save:7")
    await town.app.ack(second, UPDATE, content="Marked, 2 saved", components=[])
    assert (shown.content, shown.buttons) == ("Marked, 2 saved", [])


async def test_autocomplete_takes_choices_only(town: Town) -> None:
    typing = await town.discord.autocomplete(town.sable, town.channel, "clip", focused="note", note="wh")
    heard = (await town.ear.hears("INTERACTION_CREATE"))["d"]
    assert heard["data"]["options"] == [{"name": "note", "type": 3, "value": "wh", "focused": True}]
    assert (await town.app.ack(typing, DEFER)).code == 50035
    await town.app.ack(typing, CHOICES, choices=[{"name": "what", "value": "w"}])
    assert (await town.discord.answered(typing)).choices == [{"name": "what", "value": "w"}]


async def test_a_menu_opens_a_form_that_comes_back_filled(town: Town) -> None:
    said = town.discord.say(town.rival, town.channel, "look https://a.b/")
    asked = await town.discord.menu(town.sable, said, "Save moment")
    heard = (await town.ear.hears("INTERACTION_CREATE"))["d"]["data"]
    assert heard["resolved"]["messages"][heard["target_id"]]["content"] == "look https://a.b/"
    await town.app.raw_ack(asked, {"type": MODAL, "data": FORM})
    sent = await town.discord.submit(town.sable, await town.discord.answered(asked), note="wow")
    back = (await town.ear.hears("INTERACTION_CREATE"))["d"]["data"]
    assert back["custom_id"] == "form:save:1"
    assert back["components"][0] | {"id": 0} == {
        "type": 18,
        "id": 0,
        "component": {"type": 4, "id": 101, "custom_id": "url", "value": "https://a.b/"},
    }
    assert back["components"][1]["components"][0]["value"] == "wow"
    assert (await town.app.raw_ack(sent, {"type": MODAL, "data": FORM})).code == 50035
    await town.app.ack(sent, MESSAGE, content="Saved", flags=EPHEMERAL)
    with pytest.raises(AssertionError, match="no field"):
        await town.discord.submit(town.sable, asked, nothing="here")
    with pytest.raises(AssertionError, match="url has 1 to"):
        await town.discord.submit(town.sable, asked, url="")


async def test_discords_client_sends_nothing_that_was_not_synced(town: Town) -> None:
    send = town.discord.slash
    with pytest.raises(AssertionError, match="no such command"):
        await send(town.sable, town.channel, "nothing")
    with pytest.raises(AssertionError, match="has no option"):
        await send(town.sable, town.channel, "clip", wrong="x")
    with pytest.raises(AssertionError, match="of type 3"):
        await send(town.sable, town.channel, "clip", note=3)
    with pytest.raises(AssertionError, match="0 to 100"):
        await send(town.sable, town.channel, "clip", note="x" * 101)
    needs = {"type": 4, "name": "number", "description": "Which", "required": True, "max_value": 9}
    await town.app.sync(CLIP | {"options": [needs], "contexts": [0]})
    with pytest.raises(AssertionError, match="needs number"):
        await send(town.sable, town.channel, "clip")
    with pytest.raises(AssertionError, match="not 10"):
        await send(town.sable, town.channel, "clip", number=10)
    with pytest.raises(AssertionError, match="not offered"):
        await send(town.sable, town.discord.dm(town.sable), "clip", number=1)
    town.discord.acts.anywhere = True
    assert (await send(town.sable, town.discord.dm(town.sable), "clip", number=1)).channel.guild is None


async def test_an_interaction_says_who_where_and_by_whose_leave(town: Town) -> None:
    discord, hear = town.discord, town.ear.hears
    discord.member(town.guild, town.sable, nick="Sab", permissions=MANAGE_MESSAGES)
    discord.deny(town.channel, EMBED_LINKS)
    await discord.slash(town.sable, discord.thread(town.channel, "tonight"), "clip")
    heard = (await hear("INTERACTION_CREATE"))["d"]
    assert (heard["member"]["nick"], heard["channel"]["parent_id"]) == ("Sab", town.channel.id)
    assert int(heard["member"]["permissions"]) & (MANAGE_MESSAGES | ADMINISTRATOR) == MANAGE_MESSAGES
    assert int(heard["app_permissions"]) & INVITED_WITH == INVITED_WITH & ~EMBED_LINKS
    assert (heard["authorizing_integration_owners"], heard["context"]) == ({"0": town.guild.id}, 0)
    assert (heard["guild_id"], heard["entitlements"], heard["locale"]) == (town.guild.id, [], "en-US")

    await discord.slash(town.sable, discord.dm(town.sable), "clip")
    heard = (await hear("INTERACTION_CREATE"))["d"]
    assert (heard["user"]["id"], heard["context"], "member" in heard) == (town.sable.id, 1, False)
    assert heard["authorizing_integration_owners"] == {"0": "0"}

    owl = discord.user("owl", installed=True)
    elsewhere = discord.channel(discord.guild("Elsewhere", has_bot=False), "chat")
    await discord.slash(owl, elsewhere, "clip")
    heard = (await hear("INTERACTION_CREATE"))["d"]
    assert (heard["authorizing_integration_owners"], heard["context"]) == ({"1": owl.id}, 0)
    await discord.slash(owl, discord.private(owl, town.sable), "clip")
    assert (await hear("INTERACTION_CREATE"))["d"]["context"] == 2
    with pytest.raises(AssertionError, match="not installed here"):
        await discord.slash(town.sable, elsewhere, "clip")


async def test_a_persons_own_application_follows_up_five_times_and_hides_where_it_must(town: Town) -> None:
    discord = town.discord
    owl = discord.user("owl", installed=True)
    elsewhere = discord.channel(discord.guild("Elsewhere", has_bot=False), "chat")
    discord.deny(elsewhere, USE_EXTERNAL_APPS, owl)
    asked = await discord.slash(owl, elsewhere, "clip")
    await town.app.ack(asked, MESSAGE, content="public?")
    assert asked.ephemeral
    statuses = [(await town.app.hook("POST", asked, content=str(number))).status for number in range(6)]
    assert statuses == [200] * 5 + [400]


async def test_channel_messages_need_the_bots_permissions(town: Town) -> None:
    discord, app, channel = town.discord, town.app, town.channel
    sent = await app.post(channel.id, content="hello")
    message = f"/channels/{channel.id}/messages/{sent.body['id']}"
    body = {"content": "hello again", "allowed_mentions": NOBODY}
    assert (await app.call("PATCH", message, body)).body["content"] == "hello again"
    assert discord.messages(channel)[0].content == "hello again"
    discord.deny(channel, EMBED_LINKS)
    assert (await app.post(channel.id, embeds=[{"title": "x"}])).code == 50013
    discord.deny(channel, SEND_MESSAGES)
    assert (await app.post(channel.id, content="x")).code == 50013
    discord.deny(channel, VIEW_CHANNEL)
    assert (await app.post(channel.id, content="x")).code == 50001
    discord.bot_permissions(channel, INVITED_WITH)
    assert (await app.post(channel.id, embeds=[{"title": "x"}])).status == 200
    assert (await app.call("DELETE", message)).status == 204
    assert (await app.call("GET", message)).code == 10008
    assert (await app.call("PATCH", message, body)).code == 10008
    said = discord.say(town.sable, channel, "mine")
    theirs = f"/channels/{channel.id}/messages/{said.id}"
    assert (await app.call("PATCH", theirs, body)).code == 50005
    assert (await app.call("DELETE", theirs)).code == 50013
    assert (await app.call("GET", theirs)).body["content"] == ""
    assert (await app.call("GET", f"/channels/{channel.id}/messages")).body == []  # without READ_MESSAGE_HISTORY
    discord.allow(channel, READ_MESSAGE_HISTORY)
    assert (await app.call("GET", f"/channels/{channel.id}/messages")).body[0]["id"] == said.id
    await discord.delete_channel(channel)
    assert (await app.post(channel.id, content="x")).code == 10003


async def test_a_nonce_that_is_enforced_gives_the_first_message_again(town: Town) -> None:
    channel = town.channel.id
    ids = [
        (await town.app.post(channel, content=str(number), nonce="n1", enforce_nonce=True)).body["id"]
        for number in range(2)
    ]
    assert ids[0] == ids[1]
    assert (await town.app.post(channel, content="3", nonce="n1")).body["id"] != ids[0]
    town.discord.clock = lambda: now_utc() + timedelta(minutes=6)
    assert (await town.app.post(channel, content="4", nonce="n1", enforce_nonce=True)).body["id"] not in ids


async def test_a_file_becomes_an_attachment_that_an_embed_can_show(town: Town) -> None:
    body = {"embeds": [{"image": {"url": "attachment://heat.png"}}], "allowed_mentions": NOBODY}
    path = f"/channels/{town.channel.id}/messages"
    answer = await town.app.call("POST", path, body, files={"heat.png": b"picture"})
    (message,) = town.discord.messages(town.channel)
    assert message.files == {"heat.png": b"picture"}
    assert message.embed["image"]["url"] == answer.body["attachments"][0]["url"]
    assert town.discord.requests[-1].files == {"heat.png": b"picture"}


async def test_an_edit_that_leaves_nothing_is_refused_and_changes_nothing(town: Town) -> None:
    sent = await town.app.post(town.channel.id, content="hello")
    path = f"/channels/{town.channel.id}/messages/{sent.body['id']}"
    answer = await town.app.call("PATCH", path, {"content": "", "allowed_mentions": NOBODY})
    assert (answer.code, town.discord.messages(town.channel)[0].content) == (50006, "hello")


async def test_guilds_members_and_roles_add_up_to_the_same_permissions(town: Town) -> None:
    town.discord.member(town.guild, town.sable, permissions=MANAGE_MESSAGES)
    path = f"/guilds/{town.guild.id}"
    guild = (await town.app.call("GET", path)).body
    member = (await town.app.call("GET", f"{path}/members/{town.sable.id}")).body
    roles = {each["id"]: int(each["permissions"]) for each in (await town.app.call("GET", f"{path}/roles")).body}
    bits = roles[town.guild.id]
    for role in member["roles"]:
        bits |= roles[role]
    assert bits == town.guild.permissions(town.sable.id, town.channel)
    assert guild["owner_id"] == town.guild.owner.id
    channels = (await town.app.call("GET", f"{path}/channels")).body
    assert channels == [(await town.app.call("GET", f"/channels/{town.channel.id}")).body]
    assert (await town.app.call("GET", f"{path}/members/{town.rival.id}")).code == 10007
    await town.discord.kick(town.guild)
    assert (await town.app.call("GET", path)).code == 50001
    assert (await town.app.call("GET", "/guilds/1")).code == 10004


async def test_limits_are_told_and_kept_per_route_and_for_everything(town: Town) -> None:
    town.discord.rates.per_route, town.discord.rates.seconds = 2, 60
    answers = [await town.app.post(town.channel.id, content="x") for _ in range(3)]
    assert [each.status for each in answers] == [200, 200, 429]
    assert [each.headers["X-RateLimit-Remaining"] for each in answers] == ["1", "0", "0"]
    assert (answers[2].body["global"], answers[2].headers["Via"]) == (False, "1.1 google")
    assert 0 < answers[2].body["retry_after"] <= 60
    town.discord.rates.whole = 0
    limited = await town.app.call("GET", f"/guilds/{town.guild.id}")
    assert (limited.status, limited.body["global"], limited.headers["X-RateLimit-Global"]) == (429, True, "true")
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    assert (await town.app.ack(asked, DEFER)).status == 204  # not bound to the global limit


async def test_planned_faults_answer_delay_cut_and_may_come_afterwards(town: Town) -> None:
    faults, post = town.discord.faults, town.app.post
    faults.add("POST", "/api/v10/channels/*/messages", status=502)
    assert (await post(town.channel.id, content="lost")).status == 502
    faults.add("POST", "/api/v10/channels/*/messages", status=429)
    limited = await post(town.channel.id, content="lost")
    assert (limited.headers["Via"], limited.body["retry_after"]) == ("1.1 google", 0.05)
    faults.add("*", "/api/v10/channels/*", abort=True, after=True)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await post(town.channel.id, content="sent all the same")
    assert town.discord.requests[-1].status == 0
    assert [each.content for each in town.discord.messages(town.channel)] == ["sent all the same"]
    faults.add("POST", "/api/v10/channels/*", delay=0.01, times=None)
    assert (await post(town.channel.id, content="late")).status == 200
    assert faults.unconsumed == []


async def test_a_fault_that_never_came_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="POST /nowhere: 0 of 1"):
        async with FakeDiscord() as discord:
            discord.faults.add("POST", "/nowhere", status=500)


async def test_waiting_ends_with_a_sentence_about_what_happened_meanwhile(town: Town) -> None:
    with pytest.raises(TimeoutError, match=r"the last: .*commands 200"):
        await town.discord.until(lambda: False, timeout=0.01)
    waiting = asyncio.create_task(town.discord.until(lambda: town.discord.messages(town.channel)))
    await town.app.post(town.channel.id, content="now")
    assert (await waiting)[0].content == "now"


async def test_an_unknown_route_is_404_and_a_violation(town: Town) -> None:
    assert (await town.app.call("GET", "/nothing/here")).status == 404
    assert town.discord.violations == ["GET /nothing/here: no such route"]
    town.discord.violations.clear()


async def test_no_secret_is_in_a_repr(town: Town) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    await town.app.ack(asked, DEFER)
    told = repr((asked, town.discord.requests, town.discord.oauth.mint(town.sable)))
    assert asked.token in town.discord.secrets
    assert not [secret for secret in town.discord.secrets if secret in told]


async def test_an_application_without_validation_is_let_alone() -> None:
    async with FakeDiscord(validate=False) as discord, Application.at(discord) as app:
        channel = discord.channel(discord.guild("Night Owls"), "clips")
        assert (await app.call("POST", f"/channels/{channel.id}/messages", {"content": "x"})).status == 200


async def test_by_hand_a_command_is_typed_a_button_pressed_and_a_form_sent(town: Town) -> None:
    base, http = f"http://127.0.0.1:{town.discord.port}", town.app.http
    place = {"user": town.sable.id, "channel": town.channel.id}

    async def act(name: str, /, **fields: str) -> int:
        async with http.post(f"{base}/control/{name}", data=place | fields) as response:
            return response.status

    assert await act("slash", name="clip", **{"o-note": "<wow>"}) == 200
    (asked,) = town.discord.interactions.all.values()
    await town.app.ack(asked, MESSAGE, content="Marked <wow>", components=[ROW])
    assert asked.original
    assert await act("press", message=asked.original.id, button="press:save:7") == 200
    assert await act("menu", message=asked.original.id, button="Save moment") == 200
    menu = list(town.discord.interactions.all.values())[-1]
    await town.app.raw_ack(menu, {"type": MODAL, "data": FORM})
    async with http.get(base) as response:
        page = await response.text()
    assert ("Marked &lt;wow&gt;" in page, 'name="o-url"' in page) == (True, True)
    assert await act("submit", asked=menu.id, **{"o-url": "https://a.b/"}) == 200
    assert await act("say", text="hello") == 200
    assert [each.type for each in town.discord.interactions.all.values()] == [2, 3, 2, 5]
    assert await act("slash", name="nothing") == 400
