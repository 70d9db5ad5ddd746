"""A page of plain forms, to play Discord by hand."""

import html
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from tests.fake_discord.interactions import Interaction
from tests.fake_discord.messages import LINK, Message
from tests.fake_discord.people import Channel, FakeUser
from tests.fake_discord.world import Json

if TYPE_CHECKING:
    from tests.fake_discord.server import FakeDiscord

SHOWN = 12
CONVERT: Mapping[int, Callable[[str], object]] = {4: int, 5: lambda text: text == "true", 10: float}
STYLE = (
    "body{font:16px sans-serif;margin:2rem;max-width:60rem}form{margin:.4rem 0}li{margin:.4rem 0;white-space:pre-wrap}"
)
Act = Callable[[Mapping[str, str]], Awaitable[object]]


class Control:
    """`/`, and what its buttons do."""

    def __init__(self, discord: "FakeDiscord") -> None:
        self._discord = discord
        self._acts: dict[str, Act] = {"slash": self._slash, "press": self._press, "menu": self._menu, "say": self._say}
        self._acts["submit"] = self._submit

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self.page), web.post("/control/{act}", self.act)]

    async def act(self, request: web.Request) -> web.StreamResponse:
        given = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        try:
            await self._acts[request.match_info["act"]](given)
        except (AssertionError, KeyError, ValueError) as error:  # what Discord's own client would not send
            raise web.HTTPBadRequest(text=f"Discord's client refuses: {error}") from None
        raise web.HTTPSeeOther("/")

    async def page(self, request: web.Request) -> web.Response:
        forms = "".join(self._command(each) for each in self._discord.commands if each["type"] == 1)
        say = _form("say", self._place() + '<input name="text" size="40" required> ', "Say")
        messages = "".join(self._line(each) for each in self._recent())
        asked = "".join(self._told(each) for each in list(self._discord.interactions.all.values())[-SHOWN:][::-1])
        head = f'<!doctype html><meta charset="utf-8"><title>Fake Discord</title><style>{STYLE}</style>'
        parts = f"<h1>Fake Discord</h1>{say}<h2>Commands</h2>{forms or 'none synced yet'}"
        body = f"{parts}<h2>Messages</h2><ul>{messages}</ul><h2>Asked and answered</h2><ul>{asked}</ul>"
        return web.Response(text=f"{head}<body>{body}</body>", content_type="text/html")

    async def _slash(self, given: Mapping[str, str]) -> None:
        options = {name.removeprefix("o-"): value for name, value in given.items() if name.startswith("o-") and value}
        (command,) = [each for each in self._discord.commands if (each["type"], each["name"]) == (1, given["name"])]
        kinds = {each["name"]: each["type"] for each in command.get("options") or []}
        typed = {name: CONVERT.get(kinds[name], str)(value) for name, value in options.items()}
        await self._discord.slash(self._user(given), self._channel(given), given["name"], **typed)

    async def _press(self, given: Mapping[str, str]) -> None:
        await self._discord.press(self._user(given), self._discord.all_messages[given["message"]], given["button"])

    async def _menu(self, given: Mapping[str, str]) -> None:
        await self._discord.menu(self._user(given), self._discord.all_messages[given["message"]], given["button"])

    async def _say(self, given: Mapping[str, str]) -> None:
        self._discord.say(self._user(given), self._channel(given), given["text"])

    async def _submit(self, given: Mapping[str, str]) -> None:
        opener = self._discord.interactions.all[given["asked"]]
        fields = {name.removeprefix("o-"): value for name, value in given.items() if name.startswith("o-")}
        await self._discord.submit(opener.user, opener, **fields)

    def _user(self, given: Mapping[str, str]) -> FakeUser:
        return self._discord.people.users[given["user"]]

    def _channel(self, given: Mapping[str, str]) -> Channel:
        return self._discord.people.channels[given["channel"]]

    def _people(self) -> str:
        people = [(each.id, each.username) for each in self._discord.people.users.values() if not each.bot]
        return _choose("user", people)

    def _place(self) -> str:
        names = [(each.id, each.name or "direct messages") for each in self._discord.people.channels.values()]
        return self._people() + _choose("channel", names)

    def _command(self, command: Json) -> str:
        fields = "".join(
            f'<label>{_e(each["name"])} <input name="o-{_e(each["name"])}"></label> '
            for each in command.get("options") or []
        )
        return _form("slash", f"{self._place()}{_hidden('name', command['name'])}{fields}", f"/{command['name']}")

    def _recent(self) -> list[Message]:
        return [each for each in self._discord.all_messages.values() if not each.deleted][-SHOWN:][::-1]

    def _line(self, message: Message) -> str:
        told = [each.get(name, "") for each in message.embeds for name in ("title", "description")]
        embeds = "".join(f"\n  {_e(text)}" for text in told)
        entries = [("menu", each["name"], each["name"]) for each in self._discord.commands if each["type"] == 3]
        buttons = [each for each in message.buttons if each["style"] != LINK]
        entries += [("press", each["custom_id"], each.get("label", "")) for each in buttons]
        forms = "".join(
            _form(act, self._people() + _hidden("message", message.id) + _hidden("button", name), label)
            for act, name, label in entries
        )
        private = f" (only for {_e(message.only_for.username)})" if message.only_for else ""
        return f"<li><b>{_e(message.author.username)}</b>{private}: {_e(message.content)}{embeds}{forms}</li>"

    def _told(self, asked: Interaction) -> str:
        fields = "".join(
            f"<label>{_e(each['custom_id'])} "
            f'<input name="o-{_e(each["custom_id"])}" value="{_e(each.get("value") or "")}"></label> '
            for each in _inputs(asked.modal["components"] if asked.modal else [])
        )
        form = _form("submit", _hidden("asked", asked.id) + fields, "Send the form") if fields else ""
        name = asked.payload["data"].get("name") or asked.payload["data"].get("custom_id")
        return f"<li>{_e(asked.user.username)}: <b>{_e(name)}</b> → {_e(asked.text or 'nothing yet')}{form}</li>"


def _inputs(components: list[Json]) -> list[Json]:
    inner = [each.get("component") or each for each in components]
    return [deep for each in inner for deep in each.get("components", [each]) if deep["type"] == 4]


def _e(text: str) -> str:
    return html.escape(text)


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{_e(value)}">'


def _choose(name: str, values: list[tuple[str, str]]) -> str:
    options = "".join(f"<option value={value}>{_e(label)}</option>" for value, label in values)
    return f"<label>{name} <select name={name}>{options}</select></label> "


def _form(act: str, fields: str, button: str) -> str:
    return f'<form method="post" action="/control/{act}">{fields}<button>{_e(button)}</button></form>'
