"""A page of plain forms, to play Twitch by hand."""

import html
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from tests.fake_twitch.oauth import parameters
from tests.fake_twitch.people import FakeUser

if TYPE_CHECKING:
    from tests.fake_twitch.server import FakeTwitch

SHOWN = 20
Act = Callable[[Mapping[str, str]], Awaitable[object]]
STYLE = (
    "body{font:16px sans-serif;margin:2rem;max-width:60rem}form{margin:.5rem 0}li{margin:.2rem 0}code{background:#eee}"
)


class Control:
    """`/`, and what its buttons do."""

    def __init__(self, twitch: "FakeTwitch") -> None:
        self._twitch = twitch
        self._acts: dict[str, Act] = {
            "user": self._user,
            "role": self._role,
            "say": self._say,
            "online": self._online,
            "offline": self._offline,
            "delete": self._delete,
            "timeout": self._timeout,
            "revoke": self._revoke,
        }

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self.page), web.post("/control/{act}", self.act)]

    async def act(self, request: web.Request) -> web.StreamResponse:
        act = self._acts.get(request.match_info["act"])
        if act is None:
            raise web.HTTPNotFound
        await act(await parameters(request))
        raise web.HTTPSeeOther("/")

    async def page(self, request: web.Request) -> web.Response:
        body = self._people_part() + self._stream_part() + self._chat_part()
        head = f'<!doctype html><meta charset="utf-8"><title>Fake Twitch</title><style>{STYLE}</style>'
        return web.Response(text=f"{head}<body><h1>Fake Twitch</h1>{body}</body>", content_type="text/html")

    async def _user(self, given: Mapping[str, str]) -> None:
        self._twitch.user(given["login"].strip() or "somebody")

    async def _role(self, given: Mapping[str, str]) -> None:
        make = {"moderator": self._twitch.make_moderator, "vip": self._twitch.make_vip}
        make.get(given["role"], self._twitch.make_subscriber)(self._whom(given, "channel"), self._whom(given, "user"))

    async def _say(self, given: Mapping[str, str]) -> None:
        await self._twitch.say(self._whom(given, "channel"), self._whom(given, "user"), given["text"])

    async def _online(self, given: Mapping[str, str]) -> None:
        await self._twitch.online(self._whom(given, "channel"), given["title"], given["category"])

    async def _offline(self, given: Mapping[str, str]) -> None:
        await self._twitch.offline(self._whom(given, "channel"))

    async def _delete(self, given: Mapping[str, str]) -> None:
        said = self._twitch.events.said[given["message_id"]]
        await self._twitch.delete_message(said.channel, given["message_id"])

    async def _timeout(self, given: Mapping[str, str]) -> None:
        await self._twitch.clear_user(self._whom(given, "channel"), self._whom(given, "user"))

    async def _revoke(self, given: Mapping[str, str]) -> None:
        await self._twitch.revoke(self._whom(given, "user"))

    def _whom(self, given: Mapping[str, str], name: str) -> FakeUser:
        user = self._twitch.people.by_id(given[name])
        if user is None:
            raise web.HTTPBadRequest(text="No such person.")
        return user

    def _choose(self, name: str) -> str:
        options = "".join(
            f"<option value={user.id}>{_e(user.login)}</option>" for user in self._twitch.people.everyone()
        )
        return f"<label>{name} <select name={name}>{options}</select></label> "

    def _people_part(self) -> str:
        people = "".join(f"<li>{_e(user.login)} <code>{user.id}</code></li>" for user in self._twitch.people.everyone())
        roles = "".join(f"<option>{role}</option>" for role in ("moderator", "vip", "subscriber"))
        return (
            f"<h2>People</h2><ul>{people}</ul>"
            + _form("user", '<label>login <input name="login" required></label> ', "Make a person")
            + _form(
                "role", f"{self._choose('channel')}{self._choose('user')}<select name=role>{roles}</select> ", "Make"
            )
            + _form("timeout", self._choose("channel") + self._choose("user"), "Time out")
            + _form("revoke", self._choose("user"), "Disconnect the application")
        )

    def _stream_part(self) -> str:
        live = [user for user in self._twitch.people.everyone() if user.id in self._twitch.streams]
        lines = "".join(f"<li>{_e(user.login)}: {_e(self._twitch.channel(user.id).title)}</li>" for user in live)
        texts = '<label>title <input name="title"></label> <label>category <input name="category"></label> '
        return (
            f"<h2>Live now</h2><ul>{lines or '<li>nobody'}</ul>"
            + _form("online", self._choose("channel") + texts, "Go live")
            + _form("offline", self._choose("channel"), "End the stream")
        )

    def _chat_part(self) -> str:
        text = '<label>text <input name="text" size="40" value="!clip" required></label> '
        lines = "".join(
            "<li>"
            + _form(
                "delete",
                f"<b>#{_e(said.channel.login)}</b> {_e(said.chatter.login)}: {_e(said.text)} "
                f'<input type="hidden" name="message_id" value="{_e(message_id)}">',
                "Delete",
            )
            for message_id, said in list(self._twitch.events.said.items())[-SHOWN:]
        )
        sent = "".join(f"<li>{_e(each.text)}</li>" for each in self._twitch.sent[-SHOWN:])
        return (
            "<h2>Chat</h2>"
            + _form("say", self._choose("channel") + self._choose("user") + text, "Say")
            + f"<ul>{lines}</ul><h2>Sent by the bot</h2><ul>{sent or '<li>nothing yet'}</ul>"
        )


def _e(text: str) -> str:
    return html.escape(text)


def _form(act: str, fields: str, button: str) -> str:
    return f'<form method="post" action="/control/{act}">{fields}<button>{button}</button></form>'
