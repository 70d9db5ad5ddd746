"""What Discord refuses and its document does not say, and what our own contract asks of every message."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import regex  # type: ignore[import-untyped]  # it has no stubs

from tests.fake_discord.messages import BUTTON, COMPONENTS_V2, LINK, walk_components
from tests.fake_discord.world import Json

EMBEDS_TOTAL = 6000
COMMAND_NAME = regex.compile(r"[-_'\p{L}\p{N}\p{sc=Devanagari}\p{sc=Thai}]{1,32}")
CHAT_INPUT = 1
MESSAGE_PATHS = (
    ("POST", r"/channels/\d+/messages"),
    ("PATCH", r"/channels/\d+/messages/\d+"),
    ("POST", r"/webhooks/\d+/[^/]+"),
    ("PATCH", r"/webhooks/\d+/[^/]+/messages/(@original|\d+)"),
)
CALLBACK = r"/interactions/\d+/[^/]+/callback"
COMMANDS = r"/applications/\d+/commands"
WITH_MESSAGE, MODAL = (4, 7), 9


def broken(method: str, path: str, body: Any) -> tuple[list[str], list[str]]:  # noqa: ANN401 - JSON
    """What Discord would refuse, and what only our contract (CHAT-1) forbids."""
    if method == "PUT" and re.fullmatch(COMMANDS, path) and isinstance(body, list):
        return [problem for rule in COMMAND_RULES for problem in rule(body)], []
    message = _message(method, path, body)
    if message is None:
        return [], []
    new = method == "POST" and not (re.fullmatch(CALLBACK, path) and body["type"] != WITH_MESSAGE[0])
    refused = [problem for rule in MESSAGE_RULES for problem in rule(message)]
    return refused + (list(empty(message)) if new else []), list(mentions(message))


def _message(method: str, path: str, body: Any) -> Json | None:  # noqa: ANN401
    if not isinstance(body, dict):
        return None
    if any(method == each and re.fullmatch(pattern, path) for each, pattern in MESSAGE_PATHS):
        return body
    if re.fullmatch(CALLBACK, path) and body.get("type") in WITH_MESSAGE:
        return body.get("data") or {}
    return None


def command_names(commands: list[Json]) -> Iterator[str]:
    """Of slash commands and all options: no spaces, no capitals."""
    for command in commands:
        slash = (command.get("type") or CHAT_INPUT) == CHAT_INPUT
        for each in ([command] if slash else []) + (command.get("options") or []):
            name = str(each.get("name"))
            if not COMMAND_NAME.fullmatch(name) or name != name.lower():
                yield f"{name!r} is no name for a command or an option"


def required_first(commands: list[Json]) -> Iterator[str]:
    for command in commands:
        required = [bool(each.get("required")) for each in command.get("options") or []]
        if required != sorted(required, reverse=True):
            yield f"{command.get('name')}: required options come before optional ones"


def one_kind_of_choice(commands: list[Json]) -> Iterator[str]:
    for command in commands:
        for option in command.get("options") or []:
            if option.get("autocomplete") and option.get("choices"):
                yield f"{command.get('name')}.{option.get('name')}: autocomplete and choices exclude each other"


def names_once(commands: list[Json]) -> Iterator[str]:
    """Per type; and options per command."""
    names = [(each.get("type") or CHAT_INPUT, each.get("name")) for each in commands]
    if len(set(names)) < len(names):
        yield "a command is there twice"
    for command in commands:
        options = [each.get("name") for each in command.get("options") or []]
        if len(set(options)) < len(options):
            yield f"{command.get('name')}: an option is there twice"


def empty(message: Json) -> Iterator[str]:
    if not any(message.get(each) for each in ("content", "embeds", "components", "attachments", "poll", "sticker_ids")):
        yield "an empty message"


def embeds_total(message: Json) -> Iterator[str]:
    """The words of all embeds of a message together."""
    total = sum(len(text) for embed in message.get("embeds") or [] for text in _embed_texts(embed))
    if total > EMBEDS_TOTAL:
        yield f"{total} characters in embeds, {EMBEDS_TOTAL} at most"


def web_addresses(message: Json) -> Iterator[str]:
    """Embeds and link buttons lead to http(s) only; a picture may be attached, a button may open Discord."""
    for embed in message.get("embeds") or []:
        parts = [embed, *(embed.get(name) or {} for name in ("author", "image", "thumbnail", "footer", "video"))]
        for part in parts:
            for name in ("url", "icon_url"):
                if part.get(name) and urlsplit(part[name]).scheme not in ("http", "https", "attachment"):
                    yield "an embed's address is neither http nor https"
    for button in _buttons(message):
        if button.get("url") and urlsplit(button["url"]).scheme not in ("http", "https", "discord"):
            yield "a button's address is neither http nor https"


def links_or_ids(message: Json) -> Iterator[str]:
    """A link button has an address and no custom_id, another a custom_id and no address; custom_ids are there once."""
    for button in _buttons(message):
        link = button.get("style") == LINK
        if bool(button.get("url")) != link or bool(button.get("custom_id")) == link:
            yield "a link button has a url and no custom_id, any other a custom_id and no url"
        if not button.get("label") and not button.get("emoji"):
            yield "a button with neither label nor emoji"
    ids = [each["custom_id"] for each in walk_components(message.get("components") or []) if each.get("custom_id")]
    if len(set(ids)) < len(ids):
        yield "a custom_id is there twice"


def components_v2_alone(message: Json) -> Iterator[str]:
    if (message.get("flags") or 0) & COMPONENTS_V2 and (message.get("content") or message.get("embeds")):
        yield "with the components v2 flag there is neither content nor embeds"


def mentions(message: Json) -> Iterator[str]:
    """CHAT-1: no message of ours ever notifies anybody."""
    allowed = message.get("allowed_mentions")
    if not isinstance(allowed, dict) or allowed.get("parse") != [] or allowed.get("users") or allowed.get("roles"):
        yield 'CHAT-1: allowed_mentions is not {"parse": []}'


def _embed_texts(embed: Json) -> Iterator[str]:
    yield from (embed.get(name) or "" for name in ("title", "description"))
    yield (embed.get("footer") or {}).get("text") or ""
    yield (embed.get("author") or {}).get("name") or ""
    for field in embed.get("fields") or []:
        yield from (field.get("name") or "", field.get("value") or "")


def _buttons(message: Json) -> list[Json]:
    return [each for each in walk_components(message.get("components") or []) if each.get("type") == BUTTON]


Rule = Callable[[Any], Iterator[str]]
COMMAND_RULES: tuple[Rule, ...] = (command_names, required_first, one_kind_of_choice, names_once)
MESSAGE_RULES: tuple[Rule, ...] = (embeds_total, web_addresses, links_or_ids, components_v2_alone)
