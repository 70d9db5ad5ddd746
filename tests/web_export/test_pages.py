"""The pages over HTTP: what they say, what never gets through, how they are cached."""

import re
import sqlite3
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from typing import Protocol

import aiohttp
import pytest
from jinja2 import DictLoader, UndefinedError

from commands.dispatch import Dispatcher
from commands.model import Heard, Platform
from commands.services import Services
from moments.live import Author, Place
from moments.people import Role
from web_export.render import STATIC, environment, render


class Chat(Protocol):
    async def says(self, text: str, name: str = ..., channel: str = ..., back: int = ...) -> str: ...


CORPUS = (
    "<script>alert(1)</script>",
    "</script><!--<script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "' autofocus onfocus=alert(1) x='",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    '=HYPERLINK("http://x") <u>@everyone</u> !end',
    "هذه اللحظة بالذات… 0:45 يا إلهي",
    "この笑い声すき 😂",
)
VOID = {"meta", "link", "input"}


@dataclass
class Page(HTMLParser):
    """A page taken apart as a browser would."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    text: str = ""
    scripts: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts += data
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


async def get(http: aiohttp.ClientSession, path: str, status: int = 200) -> Page:
    async with http.get(path, headers={"Accept": "text/html"}) as answer:
        assert answer.status == status, path
        assert answer.content_type == "text/html"
        page = Page()
        page.feed(await answer.text())
    page.text = " ".join(page.text.split())
    return page


async def path_of(services: Services, word: str = "riverdeer") -> str:
    return f"/s/{(await services.store.find_session(word)).id}"


async def every_page(services: Services) -> list[str]:
    return ["/", await path_of(services), "/c/console/riverdeer", "/s/nobody"]


# --- what the pages say


async def test_a_session_page_says_it_all(http: aiohttp.ClientSession, services: Services) -> None:
    path = await path_of(services)
    page = await get(http, path)
    for words in (
        "The long way down",
        "25 marks by 25 people",
        "Newest first",
        "Segment 1 · open · 25 marks",
        "25 people · segment 1 · 00:00:0",
        "#25 · viewer24 · just now · 25 people",
        "Marks by different people within 15 s count as one. Links and editor files start 20 s earlier.",
    ):
        assert words in page.text, words
    assert page.text.index("moment 24") < page.text.index("#1 · viewer0")
    assert f"{path}/export.csv" in [link["href"] for link in page.all("a")]
    assert f"{path}/export.edl" in [button.get("formaction") for button in page.all("button")]
    assert not page.open


async def test_a_session_without_marks_says_what_to_type(http: aiohttp.ClientSession, chat: Chat) -> None:
    await chat.says("!start Quiet", name="empty", channel="empty")
    home = await get(http, "/")
    assert "No marks yet" in home.text
    path = next(str(link["href"]) for link in home.all("a") if str(link["href"]).startswith("/s/"))
    page = await get(http, path)
    assert "No marks yet. In chat, type !clip and what moved you." in page.text
    assert "0 marks" in page.text


async def test_what_to_type_is_told_as_it_is_typed_there(http: aiohttp.ClientSession, services: Services) -> None:
    owls, boss = Place("discord", "7001", "Night Owls › #clips"), Author("discord", "5", "Boss")
    heard = Heard(Platform("discord", prefix="/"), owls, boss, Role.MODERATOR, "/start", services.clock())
    await Dispatcher(services).hear(heard)
    session = await services.store.newest_session(*owls[:2])
    assert session is not None
    assert "In chat, type /clip and what moved you." in (await get(http, f"/s/{session.id}")).text
    assert "/clips on Discord" in (await get(http, "/s/nothing", 404)).text


@pytest.mark.parametrize(
    ("twitch", "discord", "typed", "both"),
    [(False, False, "!", False), (True, False, "!", False), (False, True, "/", False), (True, True, "!", True)],
)
def test_the_front_page_says_what_to_type_where_this_moments_is(
    twitch: bool, discord: bool, typed: str, both: bool
) -> None:
    page = render("home.html", live=[], recent=[], saved=[], twitch=twitch, discord=discord).decode()
    assert all(f"<kbd>{typed}{word}</kbd>" in page for word in ("start", "clip", "end"))
    assert ("On Discord type" in page) == both


async def test_an_ended_session_does_not_pretend_to_be_live(
    http: aiohttp.ClientSession, chat: Chat, services: Services
) -> None:
    await chat.says("!end", name="riverdeer")
    page = await get(http, await path_of(services))
    assert "Ended" in page.text
    assert "just now" not in page.text
    front = (await get(http, "/")).text
    assert "No one is live right now. In your chat, type !start and a title." in front
    assert "Twitch" not in front  # it is not set up


async def test_a_long_list_can_be_read_to_its_end_without_scripts(
    http: aiohttp.ClientSession, chat: Chat, services: Services
) -> None:
    for number in range(25, 120):
        await chat.says(f"!clip moment {number}", name=f"viewer{number}")
    path, seen = await path_of(services), []
    page = await get(http, path)
    assert "Showing 50 of 120" in page.text
    while True:
        seen += [int(row["data-number"] or 0) for row in page.all("li") if row.get("class") == "mark"]
        more = [str(link["href"]) for link in page.all("a") if "?before=" in str(link.get("href"))]
        if not more:
            break
        page = await get(http, more[0])
        assert "Back to the newest" in page.text
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 120


async def test_a_channel_lists_its_sessions_by_pages(http: aiohttp.ClientSession, chat: Chat) -> None:
    for number in range(22):
        await chat.says("!end", name="riverdeer")
        await chat.says(f"!start Evening {number}", name="riverdeer")
    first = await get(http, "/c/console/riverdeer")
    assert "Evening 21" in first.text
    assert "Evening 1 " not in first.text
    older = next(str(link["href"]) for link in first.all("a") if "before" in str(link.get("href")))
    rest = await get(http, "/c/console/riverdeer" + older)
    assert "Evening 1 " in rest.text
    assert "The long way down" in rest.text


@pytest.mark.parametrize("before", ["", "1", "1.2", "1.2.3.4", "a.b.c", "-1.2.3", "१.२.३", "1.2." + "3" * 30, "1.2.3x"])
async def test_a_place_in_the_list_nobody_gave_out_is_a_sentence(
    http: aiohttp.ClientSession, services: Services, before: str
) -> None:
    page = await get(http, f"{await path_of(services)}?before={before}", 400)
    assert "That place in the list cannot be read." in page.text
    assert "cannot be read" in (await get(http, f"/c/console/riverdeer?before=x{before}", 400)).text


async def test_a_private_channel_looks_like_none(http: aiohttp.ClientSession, services: Services) -> None:
    hidden = await path_of(services, "hidden")
    missing, private = await get(http, "/s/nobody", 404), await get(http, hidden, 404)
    assert private.text == missing.text
    assert (await get(http, "/c/console/hidden", 404)).text == (await get(http, "/c/console/none", 404)).text
    async with http.get(f"{hidden}/events") as answer:
        assert answer.status == 404
    assert "Hidden evening" not in (await get(http, "/")).text
    async with http.get(hidden, headers={"If-None-Match": "*"}) as answer:
        assert answer.status == 404


async def test_every_page_has_one_heading_a_language_and_landmarks(
    http: aiohttp.ClientSession, services: Services
) -> None:
    for path in await every_page(services):
        page = await get(http, path, 404 if path == "/s/nobody" else 200)
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1, path
        assert levels[0] == 1, path
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels)), path
        assert page.all("html")[0]["lang"] == "en"
        for landmark in ("header", "main", "footer", "nav"):
            assert page.all(landmark), (path, landmark)
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), path


# --- what never gets through


def sources(*suffixes: str) -> dict[str, str]:
    folders = (files("web_export").joinpath("templates"), files("web_export").joinpath("static"))
    found = {file.name: file for folder in folders for file in folder.iterdir()}
    return {name: file.read_text() for name, file in found.items() if name.endswith(suffixes)}


def test_WEB_1_templates_hold_nothing_that_could_run_or_slip_through() -> None:
    templates = sources(".html")
    assert templates
    for name, text in templates.items():
        assert not re.search(
            r"\|\s*safe\b|Markup|autoescape|\bstyle\s*=|<style|\bon[a-z]+\s*=|srcdoc|javascript:", text
        ), name
        assert not re.search(r"<script(?![^>]*\bsrc=\"{{ static_url\()", text), name
        assert not re.search(r"\b(href|src|action|formaction)=(?!\")", text), name
        assert not re.search(r"\s[\w-]+={{", text), f"{name}: an attribute without quotation marks"
        for address in re.findall(r"\b(?:href|src|action|formaction)=\"([^\"]*)\"", text):
            assert re.match(
                r"/|#|\?before={{ older }}"
                r"|{{ (static_url\(|head\.|card\.head\.|page\.more_url|vod\.url|address }}"
                r"|place\.url }}|credit\.url }}|url }}|part\.plays_at|page\.plays_at|page\.track_url"
                r"|moment\.message_url)",
                address,
            ), address
    for name, text in sources(".js").items():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|\.style\b", text
        ), name


@pytest.mark.parametrize("suffix", ["html", "svg", "xml", "txt", "html.j2", "json", ""])
def test_WEB_1_escapes_whatever_the_suffix(suffix: str) -> None:
    templates = environment()
    templates.loader = DictLoader({f"page.{suffix}": "{{ words }}"})
    assert templates.get_template(f"page.{suffix}").render(words="<b>&\"'") == "&lt;b&gt;&amp;&#34;&#39;"
    with pytest.raises(UndefinedError):
        templates.get_template(f"page.{suffix}").render()


async def test_WEB_1_what_people_type_is_text_on_every_page(
    http: aiohttp.ClientSession, chat: Chat, services: Services
) -> None:
    for number, words in enumerate(CORPUS):
        channel = f"hostile{number}"
        await chat.says(f"!start {words.replace('|', '')} | {words}", name=channel, channel=channel)
        await chat.says(f"!clip {words}", name=words.replace(">", "").strip() or "x", channel=channel)
        session = await services.store.find_session(channel)
        with sqlite3.connect(services.store.path) as database:
            database.execute("UPDATE channel SET display_name = ? WHERE platform_id = ?", (words, channel))
            database.execute("UPDATE account SET display_name = ?", (words,))
        database.close()
        for path in (f"/s/{session.id}", f"/c/console/{channel}", "/"):
            page = await get(http, path)
            assert not page.open
            assert words in page.text, path
            assert not any(name.startswith("on") or name == "style" for _, given in page.tags for name in given)
            assert {tag for tag, _ in page.tags}.isdisjoint({"img", "iframe", "base", "u"})
            addresses = [
                given[name] or "" for _, given in page.tags for name in ("href", "src", "action") if name in given
            ]
            assert all(address.startswith(("/", "#", "?before=")) for address in addresses)


async def test_WEB_2_nothing_typed_reaches_a_script(
    http: aiohttp.ClientSession, chat: Chat, services: Services
) -> None:
    for number, words in enumerate(("</script><script>alert(1)</script>", "<!--<script>", "a\u2028b\u2029c")):
        await chat.says(f"!clip {words}", name=f"hostile{number}")
    for path in await every_page(services):
        page = await get(http, path, 404 if path == "/s/nobody" else 200)
        assert page.scripts == ""
        assert all(str(script["src"]).startswith("/static/") for script in page.all("script"))


# --- caching and cost


async def test_API_1_pages_are_the_same_for_everyone(
    http: aiohttp.ClientSession, chat: Chat, services: Services
) -> None:
    await chat.says("!end", name="riverdeer")  # so that no clock changes its page
    for path in await every_page(services):
        bodies = []
        for headers in ({}, {"Cookie": "session=somebody"}, {"Authorization": "Bearer x", "Accept-Language": "de"}):
            async with http.get(path, headers={"Accept": "text/html", **headers}) as answer:
                bodies.append(await answer.read())
                assert "Set-Cookie" not in answer.headers
                cache = answer.headers["Cache-Control"]
        assert bodies[0] == bodies[1] == bodies[2], path
        assert cache == {
            "/s/nobody": "no-store",
            "/": "public, max-age=30",
            "/c/console/riverdeer": "public, max-age=30",
        }.get(path, "no-cache")


async def test_API_2_a_session_page_is_asked_about_and_sent_only_when_it_changed(
    http: aiohttp.ClientSession, chat: Chat, services: Services
) -> None:
    await chat.says("!end", name="riverdeer")
    path = await path_of(services)
    async with http.get(path) as answer:
        etag = answer.headers["ETag"]
    async with http.get(path, headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
        assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == (etag, "no-cache")
    await chat.says("!unclip", name="viewer3")
    async with http.get(path, headers={"If-None-Match": etag}) as answer:
        assert answer.status == 200
        text = await answer.text()
    assert "24 marks" in text
    assert "moment 3<" not in text


async def test_static_files_are_kept_for_ever_under_an_address_that_changes(http: aiohttp.ClientSession) -> None:
    for name, file in STATIC.items():
        async with http.get(file.url, headers={"Accept-Encoding": "identity"}) as answer:
            assert answer.status == 200
            assert await answer.read() == file.body
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        async with http.get(f"/static/0000000000000000/{name}") as answer:
            assert answer.status == 404
    assert STATIC["site.css"].media_type == "text/css"
    assert STATIC["session.js"].media_type in {"text/javascript", "application/javascript"}


async def test_the_budget_holds(http: aiohttp.ClientSession, chat: Chat, services: Services) -> None:
    for number in range(30):
        await chat.says(f"!clip {'この笑い声すき 😂 ' * 9}", name=f"long{number}")
    assert len(STATIC["session.js"].body) <= 15 * 1024
    async with http.get(await path_of(services), headers={"Accept-Encoding": "gzip"}) as answer:
        page = int(answer.headers["Content-Length"])
    assert page + sum(len(file.zipped) for file in STATIC.values()) <= 60 * 1024
    parsed = await get(http, await path_of(services))
    # the page, its files, and the live stream
    assert 1 + len(parsed.all("script")) + len(parsed.all("link")) + 1 <= 5


@pytest.mark.parametrize("word", ["latest", "riverdeer", "RiverDeer"])
@pytest.mark.parametrize("rest", ["", "/export.csv?lead=5"])
async def test_another_word_for_a_session_leads_to_its_own_address(
    http: aiohttp.ClientSession, services: Services, word: str, rest: str
) -> None:
    session = await services.store.find_session("riverdeer")
    async with http.get(f"/s/{word}{rest}", allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["Location"] == f"/s/{session.id}{rest}"
        assert answer.headers["Cache-Control"] == "no-cache"


async def test_a_private_channel_is_no_word_for_anything(http: aiohttp.ClientSession) -> None:
    async with http.get("/s/hidden", allow_redirects=False) as answer:
        assert answer.status == 404
