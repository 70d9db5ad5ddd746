"""What the fake refuses or notes: what Discord's document forbids, what only its pages do, and what we ourselves do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.discord.town import Town
from tests.fake_discord.application import CLIP, NOBODY, SAVE
from tests.fake_discord.interactions import DEFER, DEFER_UPDATE, MESSAGE, MODAL, UPDATE
from tests.fake_discord.rules import COMMAND_RULES, MESSAGE_RULES
from tests.fake_discord.server import FakeDiscord
from tests.fake_discord.spec import Spec, document_path, load
from tests.fake_discord.world import Json

BUTTON: Json = {"type": 2, "style": 1, "label": "Save", "custom_id": "press:save:1"}
LINK: Json = {"type": 2, "style": 5, "label": "Open", "url": "https://moments.example/m/1"}
TEXT: Json = {"type": 3, "name": "note", "description": "What happened"}
FORM: Json = {
    "custom_id": "form:save:1",
    "title": "Save moment",
    "components": [{"type": 18, "label": "Link", "component": {"type": 4, "custom_id": "url", "style": 1}}],
}


def row(*buttons: Json) -> Json:
    return {"components": [{"type": 1, "components": list(buttons)}]}


GOOD_MESSAGES: dict[str, Json] = {
    "text": {"content": "Marked #1 ☕"},
    "embed": {"embeds": [{"title": "x" * 256, "description": "y", "image": {"url": "https://moments.example/1.png"}}]},
    "full embeds": {"embeds": [{"description": "x" * 3000}, {"description": "y" * 3000}]},
    "buttons": {"content": "x"} | row(BUTTON, LINK),
    "as discord.py": {"content": "x", "embeds": [{"title": "x", "flags": 0}]},
    "components v2": {"flags": 32768, "components": [{"type": 10, "content": "words"}]},
    "quiet": {"content": "x", "flags": 4, "nonce": "n", "enforce_nonce": True},
}
RULES: dict[str, tuple[str, Json]] = {
    "empty message": ("an empty message", {}),
    "6000 characters": ("6000 at most", {"embeds": [{"description": "x" * 3000}, {"description": "y" * 3001}]}),
    "javascript in an embed": ("neither http nor https", {"embeds": [{"title": "x", "url": "javascript:alert(1)"}]}),
    "javascript in a button": ("neither http nor https", row(LINK | {"url": "javascript:alert(1)"})),
    "link with custom_id": ("no custom_id", row(LINK | {"custom_id": "x"})),
    "button without custom_id": ("no custom_id", row({"type": 2, "style": 1, "label": "Save"})),
    "nameless button": ("neither label nor emoji", row({"type": 2, "style": 1, "custom_id": "x"})),
    "custom_id twice": ("there twice", row(BUTTON, BUTTON)),
    "v2 with content": ("neither content nor embeds", {"flags": 32768, "content": "x"}),
}
DOCUMENTED: dict[str, tuple[str, Json]] = {
    "too long": ("content: ", {"content": "x" * 4001}),
    "title": ("embeds[0].title: ", {"embeds": [{"title": "x" * 257}]}),
    "custom_id": ("custom_id: ", row(BUTTON | {"custom_id": "x" * 101})),
    "six buttons": ("components: ", row(*(BUTTON | {"custom_id": str(number)} for number in range(6)))),
    "no instant": ("timestamp: ", {"embeds": [{"title": "x", "timestamp": "yesterday"}]}),
    "no uri": ("url: ", row(LINK | {"url": "https://a b/"})),
    "eleven embeds": ("embeds: ", {"embeds": [{"title": "x"}] * 11}),
    "wrong type": ("content: ", {"content": 3}),
    "no such key": ("contents: not documented", {"content": "x", "contents": "y"}),
    "no such key inside": ("components[].components[].colour: not", row(BUTTON | {"colour": 3})),
}
BAD_COMMANDS: dict[str, tuple[str, list[Json], bool]] = {
    "capitals": ("no name", [CLIP | {"name": "Clip"}], False),
    "a space": ("no name", [CLIP | {"name": "my clip"}], False),
    "an option's capitals": ("no name", [CLIP | {"options": [TEXT | {"name": "Note"}]}], False),
    "required last": ("come before", [CLIP | {"options": [TEXT, TEXT | {"name": "b", "required": True}]}], False),
    "two kinds of choice": (
        "exclude each other",
        [CLIP | {"options": [TEXT | {"autocomplete": True, "choices": [{"name": "a", "value": "a"}]}]}],
        False,
    ),
    "twice": ("there twice", [CLIP, CLIP], False),
    "an option twice": ("there twice", [CLIP | {"options": [TEXT, TEXT]}], False),
    "long name": ("name: ", [SAVE | {"name": "x" * 33}], True),
    "long description": ("description: ", [CLIP | {"description": "x" * 101}], True),
    "no description": ("description", [CLIP | {"options": [{"type": 3, "name": "note"}]}], True),
    "no such place": ("contexts", [CLIP | {"contexts": [7]}], True),
    "26 choices": (
        "choices: ",
        [CLIP | {"options": [TEXT | {"choices": [{"name": str(n), "value": str(n)} for n in range(26)]}]}],
        True,
    ),
}


@pytest.fixture
def spec(shared_data: Path) -> Spec:
    """Discord's document; a test that asks for it says loudly when it is not there."""
    loaded = load(document_path())
    if loaded is None:
        pytest.skip(f"no {document_path()}; set MOMENTS_SHARED_DATA to the folder that holds discord-spec/")
    return loaded


def the_only_violation(town: Town) -> str:
    (violation,) = town.discord.violations
    town.discord.violations.clear()
    return violation


@pytest.mark.parametrize("name", GOOD_MESSAGES)
async def test_a_good_body_passes_everywhere(town: Town, name: str, spec: Spec) -> None:
    body = GOOD_MESSAGES[name]
    sent = await town.app.post(town.channel.id, **body)
    assert sent.status == 200
    alike = {key: value for key, value in body.items() if "nonce" not in key}
    message = f"/channels/{town.channel.id}/messages/{sent.body['id']}"
    assert (await town.app.call("PATCH", message, {"allowed_mentions": NOBODY} | alike)).status == 200
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    assert (await town.app.ack(asked, MESSAGE, **alike)).status == 204
    assert (await town.app.hook("PATCH", asked, "/messages/@original", **alike)).status == 200
    assert (await town.app.hook("POST", asked, **alike)).status == 200
    assert (await town.app.hook("GET", asked, "/messages/@original")).status == 200
    assert town.discord.violations == []


@pytest.mark.parametrize("name", RULES)
async def test_a_message_that_only_discords_pages_forbid_is_refused_and_noted(town: Town, name: str) -> None:
    words, body = RULES[name]
    answer = await town.app.post(town.channel.id, **body)
    assert (answer.status, answer.code) == (400, 50035)
    assert words in the_only_violation(town)
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    assert (await town.app.ack(asked, MESSAGE, **body)).status == 400
    assert words in the_only_violation(town)
    assert town.discord.messages(town.channel) == []


@pytest.mark.parametrize("name", DOCUMENTED)
async def test_a_message_that_the_document_forbids_is_refused_and_noted(town: Town, name: str, spec: Spec) -> None:
    words, body = DOCUMENTED[name]
    assert (await town.app.post(town.channel.id, **body)).code == 50035
    assert words in the_only_violation(town)


async def test_the_json_beside_a_file_is_checked_too(town: Town) -> None:
    body = {"embeds": [{"title": "x", "url": "javascript:alert(1)"}], "allowed_mentions": NOBODY}
    path = f"/channels/{town.channel.id}/messages"
    assert (await town.app.call("POST", path, body, files={"heat.png": b"x"})).code == 50035
    assert "neither http nor https" in the_only_violation(town)


@pytest.mark.parametrize("name", BAD_COMMANDS)
async def test_bad_commands_are_refused_and_noted(town: Town, name: str, request: pytest.FixtureRequest) -> None:
    words, body, documented = BAD_COMMANDS[name]
    if documented:
        request.getfixturevalue("spec")
    before = town.discord.commands
    assert (await town.app.sync(*body)).code == 50035
    assert words in the_only_violation(town)
    assert town.discord.commands == before


@pytest.mark.parametrize(
    "allowed",
    [None, {}, {"parse": ["users"]}, {"parse": [], "users": ["1"]}, {"parse": [], "roles": ["1"]}],
    ids=["none", "empty", "users", "a user", "a role"],
)
async def test_CHAT_1_a_message_that_could_notify_somebody_is_noted(town: Town, allowed: Json | None) -> None:
    body: Json = {"content": "x"} | ({} if allowed is None else {"allowed_mentions": allowed})
    sent = await town.app.call("POST", f"/channels/{town.channel.id}/messages", body)
    assert "CHAT-1" in the_only_violation(town)
    await town.app.call("PATCH", f"/channels/{town.channel.id}/messages/{sent.body['id']}", body)
    assert "CHAT-1" in the_only_violation(town)
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    await town.app.raw_ack(asked, {"type": MESSAGE, "data": body})
    assert "CHAT-1" in the_only_violation(town)
    webhook = f"/webhooks/{town.discord.application_id}/{asked.token}"
    await town.app.call("PATCH", f"{webhook}/messages/@original", body, token=None)
    assert "CHAT-1" in the_only_violation(town)
    await town.app.call("POST", webhook, body, token=None)
    assert "CHAT-1" in the_only_violation(town)


async def test_violations_fail_the_test_that_made_them() -> None:
    with pytest.raises(AssertionError, match="CHAT-1"):
        async with FakeDiscord() as discord:
            discord.violations.append("CHAT-1")


async def test_bad_callbacks_are_refused_and_noted(town: Town, spec: Spec) -> None:
    asked = await town.discord.slash(town.sable, town.channel, "clip")
    bad: list[Json] = [
        {"type": 77},
        {"type": MODAL, "data": FORM | {"custom_id": "x" * 101}},
        {"type": MODAL, "data": FORM | {"title": "x" * 46}},
        {"type": 8, "data": {"choices": [{"name": "x", "value": "y" * 6001}]}},
        {"type": 8, "data": {"choices": [{"name": str(number), "value": "y"} for number in range(26)]}},
        {"type": 8, "data": {"choices": [{"name": "x" * 101, "value": "y"}]}},
    ]
    for body in bad:
        assert (await town.app.raw_ack(asked, body)).code == 50035, body
        the_only_violation(town)
    assert asked.ack is None


async def test_what_is_not_in_the_document_is_noted(town: Town, spec: Spec) -> None:
    assert (await town.app.call("GET", f"/guilds/{town.guild.id}", {"a": 1})).status == 400
    assert "there is no body here" in the_only_violation(town)


async def test_every_answer_of_the_fake_is_as_documented(town: Town, spec: Spec) -> None:
    """Each route once, those with an interaction with every callback; the fake itself notes what is not so."""
    app, channel, guild = town.app, f"/channels/{town.channel.id}", f"/guilds/{town.guild.id}"
    town.discord.deny(town.channel, 1)
    thread, dm = town.discord.thread(town.channel, "tonight"), town.discord.dm(town.sable)
    reads = ["/users/@me", "/oauth2/applications/@me", "/applications/@me", "/gateway/bot", channel, guild]
    reads += [f"{guild}/roles", f"{guild}/channels", f"{guild}/members/{town.discord.bot.id}"]
    reads += [f"/channels/{thread.id}", f"/channels/{dm.id}", f"/applications/{town.discord.application_id}/commands"]
    await app.post(town.channel.id, content="x", embeds=[{"title": "x"}], **row(BUTTON, LINK))
    for path in [*reads, f"{channel}/messages"]:
        assert (await app.call("GET", path)).status == 200, path
    own = town.discord.oauth.mint(town.sable)
    assert (await app.call("GET", "/users/@me", token=f"Bearer {own.value}")).body["id"] == town.sable.id
    said = town.discord.say(town.rival, town.channel, "look")
    asked = await town.discord.menu(town.sable, said, "Save moment")
    assert (await app.raw_ack(asked, {"type": MODAL, "data": FORM}, with_response="true")).status == 200
    sent = await town.discord.submit(town.sable, asked, url="https://a.b/")
    opened = {"type": MESSAGE, "data": {"content": "x", "allowed_mentions": NOBODY} | row(BUTTON)}
    assert (await app.raw_ack(sent, opened, with_response="true")).status == 200
    assert sent.original
    for kind in (DEFER, DEFER_UPDATE, UPDATE):
        pressed = await town.discord.press(town.sable, sent.original, "Save")
        data = {"data": {"content": "y", "allowed_mentions": NOBODY} | row(BUTTON)} if kind == UPDATE else {}
        assert (await app.raw_ack(pressed, {"type": kind} | data, with_response="true")).status == 200
        assert (await app.hook("GET", pressed, "/messages/@original")).status == 200
    assert town.discord.violations == []


async def test_an_answer_that_is_not_as_documented_is_noted(
    town: Town, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(town.discord.rest, "me", lambda: {"id": 3})
    await town.app.call("GET", "/users/@me")
    assert any("the fake's answer to GET /users/@me" in each for each in town.discord.violations)
    town.discord.violations.clear()


def test_the_rules_are_nine_and_each_has_a_bad_body_above() -> None:
    names: list[Callable[..., object]] = [*COMMAND_RULES, *MESSAGE_RULES]
    assert len(names) + 1 == 9  # and `empty`, of new messages alone
