"""Whatever people type stays words: in every text field, on every page, however it gets there (security.md §3.6)."""

from itertools import product
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

if TYPE_CHECKING:
    from tests.browser.conftest import House, Read

pytestmark = pytest.mark.asyncio(loop_scope="session")

CORPUS = (
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</script><!--<script>alert(1)",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "' autofocus onfocus=alert(1) x='",
    "javascript:alert(1)//",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<style>@import '//evil.example/x.css'</style>",
    "<a href=//evil.example ping=//evil.example>&lt;&amp;lt;</a>",
    "{{ 7 * 7 }}{% raw %}${7*7}#{7}",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "one\u2028two\u2029three -->]]>",
    "\u202eevil\u202c \u2066x\u2069 &#x202e;",
)


async def words(page: Page, selector: str) -> list[str]:
    """The text of every such element, as the DOM has it."""
    found: list[str] = await page.locator(selector).evaluate_all("(all) => all.map((one) => one.textContent)")
    return found


async def hostile(house: "House", text: str, channel: str) -> None:
    await house.says(f"!start {text} | {text}", channel=channel, display_name=text)
    for who in (text, "rook"):  # two people, so that the crowd moments show the note too
        await house.says(f"!clip {text}", who, channel, text)


async def test_WEB_1_and_2_words_stay_words_on_every_page(house: "House", reader: "Read") -> None:
    visit = await reader(house)
    store = house.chat.store
    for number, text in enumerate(CORPUS):
        channel = f"channel{number}"
        await hostile(house, text, channel)
        session = await house.session(channel)
        marks = await store.marks(session)
        assert (len(marks), bool(session.title), bool(session.game)) == (2, True, True)
        page = await visit.open(f"/s/{session.id}")
        assert await words(page, "h1") == [session.title]
        assert await page.title() == f"{session.title} · {session.channel.display_name} · Moments"
        assert session.channel.display_name in str(
            await page.locator("meta[name=description]").get_attribute("content")
        )
        assert set(await words(page, ".meta bdi")) == {session.channel.display_name, session.game}
        assert await words(page, ".mark .note") == [mark.note for mark in reversed(marks)]
        assert await words(page, ".mark bdi") == [mark.submitted_by for mark in reversed(marks)]
        assert await words(page, ".moment .note") == [marks[0].note]
        page = await visit.open(f"/c/console/{channel}")
        assert await words(page, "h1") == [session.channel.display_name]
        assert await words(page, ".sessions h3, .sessions bdi") == [session.title, session.game]
        if number % 6 == 5 or text == CORPUS[-1]:
            # Not the copy that the browser may keep for half a minute; the front page has room for six.
            page = await visit.open(f"/?{number}")
            live = await store.live_sessions(6)
            assert await words(page, ".card h3") == [one.title for one in live]
            names = [name for one in live for name in (one.channel.display_name, one.game)]
            assert await words(page, ".card bdi") == names


async def test_WEB_1_words_stay_words_when_they_arrive_live(house: "House", reader: "Read") -> None:
    visit = await reader(house)
    page = await visit.open(await house.path())
    for text in CORPUS:
        await house.says(f"!clip {text}", text)
    await expect(page.locator(".mark")).to_have_count(3 + len(CORPUS))
    marks = (await house.chat.store.marks(await house.session(), newest_first=True))[: len(CORPUS)]
    assert await words(page, ".mark .note") == [mark.note for mark in marks] + [
        f"what {name} saw" for name in ("juno", "rook", "mika")
    ]
    assert (await words(page, ".mark bdi"))[: len(CORPUS)] == [mark.submitted_by for mark in marks]


async def test_WEB_1_an_address_nobody_made_says_so_in_words(house: "House", reader: "Read") -> None:
    visit = await reader(house)
    for path, text in product(("/s/{}", "/c/console/{}", "/{}", "/s/{}/export.csv"), (CORPUS[0], CORPUS[4])):
        page = await visit.open(path.format(text.replace("/", "%2f")), 404)
        assert await words(page, "h1") == ["Nothing here"]
    await visit.open((await house.path()) + f"?before={CORPUS[0]}", 400)


async def test_WEB_11_the_guard_sees_what_the_policy_stops(house: "House", reader: "Read") -> None:
    visit = await reader(house)
    await visit.open(await house.path())
    await visit.page.evaluate(
        """() => { const guarded = document.createElement('div');
        guarded.innerHTML = '<img src=x onerror="alert(1)"><img src="//evil.example/x.png"><p style="color:red">';
        const script = document.createElement('script'); script.textContent = 'alert(2)';
        document.body.append(guarded, script); }"""
    )
    await visit.page.wait_for_load_state("networkidle")
    seen = " ".join(visit.troubles)
    for directive in ("script-src-elem", "script-src-attr", "img-src", "style-src-attr"):
        assert f"violated: {directive}" in seen
    assert "dialog" not in seen
    visit.troubles.clear()
