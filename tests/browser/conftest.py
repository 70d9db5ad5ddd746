"""A real browser before a real site over a real store; every page is watched for what must never happen."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Dialog, Page, async_playwright

from commands.feed import Feed
from commands.model import Heard
from commands.services import utc_now
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Session
from tests.chat import CONSOLE, Chat, open_chat
from web_export.app import Site, make_app
from web_export.keys import SiteConfig

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_MS = 10_000
WATCH = "addEventListener('securitypolicyviolation', (event) => console.error(`violated: ${event.violatedDirective}`));"
NOTES = (
    "no way he parried that",
    "この笑い声すき 😂",
    "هذه اللحظة بالذات… 0:45 يا إلهي، bass drop!",
    "",
    "👨‍👩‍👧‍👦🏳️‍🌈🫠🔥🔥🔥🧑🏾‍🦽",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "Z̷̢̛̺a̵̭͐l̶̯̀g̴̬̈́o̷͍͝ comes",
    "ここで鳥肌が立った。何回聴いても泣く。ライブで聴いた時のあの空気を一生忘れないと思う、ほんとうにありがとう",
)


@dataclass
class House:
    """A store one can type into, and the site that shows it."""

    chat: Chat
    site: Site
    stack: AsyncExitStack

    async def says(self, text: str, name: str = "", channel: str = "owl", display_name: str = "") -> str:
        """One line in a channel's chat; without a name, its broadcaster's."""
        role = Role.VIEWER if name else Role.BROADCASTER
        who = Author("console", name or channel, name or channel)
        place = Place("console", channel, display_name or channel)
        reply = await self.chat.dispatcher.hear(Heard(CONSOLE, place, who, role, text, self.chat.watch.now))
        return reply.text if reply else ""

    async def session(self, channel: str = "owl") -> Session:
        return await self.chat.store.find_session(channel)

    async def path(self, channel: str = "owl") -> str:
        return f"/s/{(await self.session(channel)).id}"

    async def reopen(self, *, another_run: bool) -> None:
        """Open the site again where it was; another run knows no event of the last one."""
        services = replace(self.chat.services, feed=Feed()) if another_run else self.chat.services
        self.site = await _open_site(replace(self.chat, services=services), self.site.port, self.stack)


async def _open_site(chat: Chat, port: int, stack: AsyncExitStack) -> Site:
    config = SiteConfig("127.0.0.1", port)
    site = Site(chat.services, config, app=make_app(chat.services, config))
    await site.start()
    stack.push_async_callback(site.close)
    return site


async def open_house(folder: Path, stack: AsyncExitStack, *, ago: timedelta) -> House:
    chat = await stack.enter_async_context(open_chat(folder / "moments.db", now=utc_now() - ago))
    return House(chat, await _open_site(chat, 0, stack), stack)


async def fill(house: House, marks: int, *, channel: str, breaks: tuple[int, ...] = ()) -> None:
    """A session of so many marks, each by somebody else, with a pause before the marks numbered in `breaks`."""
    await house.says("!start The long way down | Celeste", channel=channel)
    async with house.chat.store.one_transaction():
        for number in range(marks):
            if number in breaks:
                await house.says("!pause", channel=channel)
                house.chat.passes(360)
                await house.says("!resume", channel=channel)
            house.chat.passes((1, 1, 2, 60)[number % 4] if marks < 1000 else 1.5)
            await house.says(f"!clip {NOTES[number % len(NOTES)]}", f"viewer{number}", channel)


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A site of this test's own with one live session of three marks, on the channel `owl`."""
    async with AsyncExitStack() as stack:
        house = await open_house(tmp_path, stack, ago=timedelta(seconds=90))
        await house.says("!start Any% attempts | Hollow Deep")
        for name in ("mika", "rook", "juno"):
            house.chat.passes(30)
            await house.says(f"!clip what {name} saw", name)
        yield house


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A site to look at, shared by all tests: sessions of 0, 1, 60 and 10,000 marks on channels named so."""
    async with AsyncExitStack() as stack:
        house = await open_house(tmp_path_factory.mktemp("street"), stack, ago=timedelta(hours=6))
        await fill(house, 10_000, channel="10000", breaks=(3000, 7000))
        await fill(house, 60, channel="60", breaks=(25,))
        await fill(house, 1, channel="1")
        await house.says("!end", channel="1")
        await house.says("!start 【MV】超ロングタイトル！Supercalifragilisticexpialidocious_FULL_ALBUM", channel="0")
        yield house


@dataclass
class Visit:
    """One reader's page, and everything about it that must not be."""

    page: Page
    origin: str
    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    tolerated: tuple[str, ...] = ()

    def watch(self) -> None:
        self.page.on("console", lambda said: self.note(said.type in {"error", "warning"}, f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self.note(True, f"uncaught: {error}"))
        self.page.on("request", lambda request: self._requested(request.url))

        async def refuse(dialog: Dialog) -> None:
            self.troubles.append(f"dialog: {dialog.message}")
            await dialog.dismiss()

        self.page.on("dialog", refuse)

    def _requested(self, url: str) -> None:
        self.requests.append(url)
        self.note(not url.startswith((self.origin, "blob:", "data:")), f"asked another origin: {url}")

    def note(self, wrong: bool, what: str) -> None:
        if wrong and not any(words in what for words in self.tolerated):
            self.troubles.append(what)

    async def open(self, path: str, status: int = 200) -> Page:
        if status != 200:
            self.tolerated += (f"the server responded with a status of {status}",)
        answer = await self.page.goto(self.origin + path)
        assert answer is not None
        assert answer.status == status, path
        return self.page


Read: TypeAlias = Callable[..., Coroutine[Any, Any, Visit]]


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    found = os.environ.get("MOMENTS_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip("no Chromium on PATH: apt install chromium, or set MOMENTS_TEST_CHROMIUM to where it is")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def reader(browser: Browser) -> AsyncIterator[Read]:
    """Lets somebody in to read; what they wish for goes to Playwright's new_context().

    WEB-11: a test fails when any of its pages broke the policy, called out to the console, showed a dialog or
    asked another origin for anything.
    """
    visits: list[Visit] = []

    async def come(
        house: House,
        *,
        width: int = 1280,
        height: int = 800,
        tolerated: tuple[str, ...] = (),
        **wishes: Any,  # noqa: ANN401 -- new_context() knows thirty of them
    ) -> Visit:
        context = await browser.new_context(viewport={"width": width, "height": height}, **wishes)
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(WATCH)
        visit = Visit(await context.new_page(), f"http://127.0.0.1:{house.site.port}", tolerated=tolerated)
        visit.watch()
        visits.append(visit)
        return visit

    yield come
    await asyncio.gather(*(visit.page.context.close() for visit in visits))
    assert [trouble for visit in visits for trouble in visit.troubles] == []
