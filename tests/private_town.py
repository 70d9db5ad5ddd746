"""A town with a private channel: its streamer, a moderator, a stranger, a session of three marks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot.twitch.translate import TWITCH
from commands.dispatch import Dispatcher
from commands.model import Heard, Platform, Reply
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Channel, Session
from tests.fake_twitch.server import FakeUser
from tests.twitch_site import Answer, Somebody, Town, open_town

CHAT = replace(TWITCH, once_seconds=0)


@dataclass
class PrivateTown:
    """`streamer`, `mod` and `stranger` are browsers that are logged in; nobody's account is linked to another's."""

    town: Town
    owner: FakeUser
    moderator: FakeUser
    other: FakeUser
    streamer: Somebody
    mod: Somebody
    stranger: Somebody

    @property
    def place(self) -> Place:
        return Place("twitch", self.owner.id, self.owner.display_name)

    async def hears(self, text: str, user: FakeUser, role: Role, platform: Platform = CHAT) -> Reply | None:
        """A line in the channel's chat."""
        who = Author("twitch", user.id, user.display_name)
        heard = Heard(platform, self.place, who, role, text, self.town.watch.now)
        return await Dispatcher(self.town.services).hear(heard)

    async def says(self, text: str, user: FakeUser | None = None, role: Role | None = None) -> str:
        """The same by its streamer, or by somebody else; what is answered."""
        least = Role.VIEWER if user else Role.BROADCASTER
        reply = await self.hears(text, user or self.owner, least if role is None else role)
        return reply.text if reply else ""

    async def session(self) -> Session:
        found = await self.town.services.store.newest_session("twitch", self.owner.id)
        assert found is not None
        return found

    async def channel(self) -> Channel:
        return (await self.session()).channel

    async def path(self) -> str:
        return f"/s/{(await self.session()).id}"

    async def desk(self) -> str:
        return f"/me{await self.path()}"

    async def link(self, hours: str = "24") -> str:
        """The path of a link its streamer makes."""
        answer = await self.streamer.press(f"{await self.desk()}/links", on=await self.desk(), hours=hours)
        assert answer.status == 200, answer.text
        url = answer.text.partition('<input value="')[2].partition('"')[0]
        return urlsplit(url).path

    def anybody(self) -> Somebody:
        return self.town.somebody()


async def press(somebody: Somebody, link: str, **headers: str) -> Answer:
    """The button of a link's page, as a browser presses it."""
    return await somebody.ask("POST", link, headers={"Sec-Fetch-Site": "same-origin", **headers})


@asynccontextmanager
async def open_private_town(
    folder: Path,
    *,
    private: bool = True,
    **more: Any,  # noqa: ANN401 -- open_town's
) -> AsyncIterator[PrivateTown]:
    """With `private=False` the channel is as public as any; `more` as open_town takes it."""
    async with open_town(folder, **more) as town:
        owner, moderator, other = (town.twitch.user(login, login.title()) for login in ("nightowl", "sable", "mallory"))
        streamer, mod, stranger = town.somebody(), town.somebody(), town.somebody()
        town.twitch.make_moderator(owner, moderator)
        await streamer.connect(owner)
        await mod.log_in(moderator, "/login/twitch?moderator=1")
        await stranger.connect(other)
        await stranger.log_in(other, "/login/twitch?moderator=1")
        there = PrivateTown(town, owner, moderator, other, streamer, mod, stranger)
        await there.says("!start Secret rehearsal | Hollow Deep")
        for name in ("ann", "ben", "cleo"):
            town.passes(seconds=20)
            await there.says(f"!clip what {name} saw", town.twitch.user(name, name.title()))
        if private:
            assert "visibility" in await there.says("!setup visibility private")
        yield there
