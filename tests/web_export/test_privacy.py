"""/privacy and /terms: in words, from the very table the purge goes by."""

from html import unescape

import aiohttp

from storage.retention import RETENTION
from tests.web_export.test_pages import get


async def words(http: aiohttp.ClientSession, path: str) -> str:
    return unescape((await get(http, path)).text)


async def test_PRIV_1_every_row_of_the_table_is_shown_with_why_and_how_long(http: aiohttp.ClientSession) -> None:
    text = (await words(http, "/privacy")).lower()
    for row in RETENTION:
        shown = f"{row.name} {row.what}. why: {row.why}. how long: {row.how_long}."
        assert shown.lower().replace("`forgetme`", "!forgetme") in text, row.name
    assert "`" not in text


async def test_PRIV_1_who_runs_it_who_else_is_involved_and_what_one_can_do(start_site: object) -> None:
    site = await start_site(contact="ops@example.org <b>")  # type: ignore[operator]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as http:
        for path in ("/privacy", "/terms"):
            text = await words(http, path)
            assert "ops@example.org <b>" in text
            assert "13" in text
            assert "not affiliated with" in text
        text = await words(http, "/privacy")
        for said in (
            "Twitch Interactive, Inc.",
            "!forgetme",
            "your page",
            "!unclip",
            "kick it from your Discord server",
        ):
            assert said in text


async def test_PRIV_1_discord_is_named_with_what_is_read_there_before_it_is_said_that_nobody_else_is_involved(
    http: aiohttp.ClientSession,
) -> None:
    text = await words(http, "/privacy")
    _, _, discord = text.partition("Discord (Discord Inc.)")
    reads, _, rest = discord.partition("Nobody else gets anything from us, and nothing is sold.")
    assert "We read no other message, except one on which somebody chooses Save moment: it is searched" in reads
    assert rest
    for path in ("/privacy", "/terms"):
        assert "Twitch, Discord, YouTube" in (await words(http, path)).partition("not affiliated with")[2], path


async def test_PRIV_1_without_a_contact_the_pages_say_so(http: aiohttp.ClientSession) -> None:
    for path in ("/privacy", "/terms"):
        assert "has not said yet how to reach them" in await words(http, path)


async def test_PRIV_1_every_page_leads_there_and_they_are_the_same_for_everyone(http: aiohttp.ClientSession) -> None:
    for path, status in (("/", 200), ("/privacy", 200), ("/terms", 200), ("/me", 200), ("/nowhere", 404)):
        page = await get(http, path, status)
        assert {"/privacy", "/terms"} <= {link["href"] for link in page.all("a")}, path
    for path in ("/privacy", "/terms"):
        async with http.get(path) as answer:
            assert answer.headers["Cache-Control"] == "public, max-age=30"
            assert "Set-Cookie" not in answer.headers
