"""Cards: what is on them, whose words never are, and that they follow what services tell."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from commands import arrivals
from commands.cards import card_of, follow
from commands.model import Button, Card, Heard, Reply
from commands.recorded import SavedMoment, save_moment
from commands.services import Services
from moments.live import Author, Place
from moments.people import Role
from storage import Transaction, hiding, saves, sources
from storage.answers import Trace
from storage.sources import State, Told
from tests.chat import CONSOLE, EVENING, Chat
from tests.commands.test_recorded import APPLE, SITE, SONG, SPOTIFY, VIDEO, learn, merged
from tests.enriching import DEEZER, World, deezer_track, open_world
from tests.providers.catalogue_server import link
from tests.providers.service import says

CARDS = replace(CONSOLE, cards=True)
YOUTUBE = ("youtube", "jNQXAC9IVRw")
ANN = Author("console", "ann", "Ann")
OURS = "From Moments users, not YouTube data."


@pytest.fixture
def chat(chat: Chat) -> Chat:
    chat.platform = CARDS
    return chat


async def asks(chat: Chat, line: str) -> Reply:
    reply = await chat.hears(line)
    assert reply is not None
    return reply


async def card(chat: Chat, line: str) -> Card:
    found = (await asks(chat, line)).card
    assert found is not None
    return found


async def keep(services: Services, who: Author = ANN, url: str = VIDEO, note: str = "", **more: object) -> SavedMoment:
    now = services.clock()
    return await save_moment(services, who, url, "0:45-1:00", note, origin="x", now=now, **more)  # type: ignore[arg-type]


async def test_a_saved_moments_card_has_all_there_is_to_share(chat: Chat) -> None:
    await learn(chat, *YOUTUBE, title="Paper Lanterns", by_line="Ayla")
    await chat.says(f"<ann> !moment {VIDEO} 0:45-1:00")
    found = await card(chat, f"<rook> !moment {VIDEO} 0:45-1:00 that *drop*!")
    version = (await chat.store.fetch("SELECT version FROM track"))[0][0]
    assert found == Card(
        head="0:45–1:00 · Saved by 2 people",
        title="Paper Lanterns",
        by_line="Ayla",
        note="that *drop*!",
        lines=(f"Title by YouTube. {OURS}",),
        picture=f"{SITE}/m/{found.moment}/heat.png?v={version}",
        buttons=(
            Button("Open on YouTube", url="https://www.youtube.com/watch?v=jNQXAC9IVRw&t=45s"),
            Button("Page", url=f"{SITE}/m/{found.moment}"),
            Button("Save this too", press=f"save:{found.moment}"),
        ),
        moment=found.moment,
        shows=(Trace(moment_id=found.moment, words="that *drop*!"),),
    )


async def test_best_and_saved_show_the_part_that_was_asked_for_and_what_was_said(chat: Chat) -> None:
    for name in ("ann", "ben"):
        await chat.says(f"<{name}> !moment {VIDEO} 0:45-1:00 by {name}")
    await chat.says(f"<rook> !moment {VIDEO} 2:00-2:10")
    (track,) = [row[0] for row in await chat.store.fetch("SELECT public_id FROM track")]
    table = {f"!best {VIDEO}": "45-60", f"!saved {VIDEO}": "45-60", f"!saved {VIDEO} 2:00-2:10": "120-130"}
    for line, times in table.items():
        found = await card(chat, line)
        assert found.head.endswith("· Saved by 2 people" if times == "45-60" else "2:00–2:10 · Saved by 1 person")
        assert (found.title, found.note, found.moment) == ("A video on YouTube", "", "")
        assert found.picture.startswith(f"{SITE}/t/{track}/heat.png?v=")
        assert found.picture.endswith(f"&part={times}")
        assert found.buttons[1:] == (
            Button("Page", url=f"{SITE}/t/{track}"),
            Button("Save this too", press=f"save:t/{track} {times}"),
        )
        assert found.lines == (("“\u2068by ben\u2069”", "“\u2068by ann\u2069”", OURS) if times == "45-60" else (OURS,))
        assert all(len(button.press) <= 90 for button in found.buttons)
    for line in (f"!best {SONG}", f"!saved {SONG}", f"!saved {VIDEO} 5:00-5:10"):
        assert (await asks(chat, line)).card is None


async def test_where_words_are_not_repeated_no_card_has_any(chat: Chat) -> None:
    await chat.says("<~nightowl> !setup replies brief")
    assert (await card(chat, f"<rook> !moment {VIDEO} 0:45-1:00 capybara")).note == ""
    for line in (f"!best {VIDEO}", f"!saved {VIDEO}"):
        assert (await card(chat, line)).lines == (OURS,)


async def test_no_card_is_made_where_none_is_shown(chat: Chat) -> None:
    chat.platform = CONSOLE
    for line in (f"<rook> !moment {VIDEO} 0:45-1:00", f"!best {VIDEO}", f"!saved {VIDEO}"):
        assert (await asks(chat, line)).card is None


# --- whose words


async def test_words_typed_in_private_are_on_no_card_and_its_picture_is_nowhere(chat: Chat) -> None:
    place = Place("console", "dm-7", "rook")
    text = f"!moment {VIDEO} 0:45-1:00 our secret"
    reply = await chat.dispatcher.hear(
        Heard(CARDS, place, ANN, Role.VIEWER, text, chat.watch.now, None, None, private=True)
    )
    assert reply is not None
    assert reply.card is not None
    assert (reply.card.note, reply.card.picture) == ("", "")
    assert "secret" not in repr(reply.card)
    assert [button.label for button in reply.card.buttons] == ["Open on YouTube", "Page"]  # its author has it
    assert reply.aside == "Your note is kept, for you alone."
    assert "secret" not in repr(await card(chat, f"!best {VIDEO}"))


async def test_a_private_answer_without_words_says_nothing_of_them_and_stays_without_a_press(chat: Chat) -> None:
    heard = Heard(CARDS, Place("console", "dm-7", "rook"), ANN, Role.VIEWER, f"!moment {VIDEO} 0:45-1:00", EVENING)
    reply = await chat.dispatcher.hear(heard._replace(private=True))
    assert reply is not None
    assert reply.card is not None
    assert reply.aside == ""
    await learn(chat, *YOUTUBE, title="Paper Lanterns")
    newer = await anext(follow(chat.services, reply.card, chat.watch.now + timedelta(minutes=15)))
    assert newer.title == "Paper Lanterns"
    assert newer.buttons == reply.card.buttons


async def test_hidden_words_leave_the_card_and_the_forgotten_have_none(chat: Chat) -> None:
    kept = await keep(chat.services, note="rude")

    async def hide(transaction: Transaction) -> None:
        await hiding.hide_words(transaction, kept.moment_id, "console:mod", "rude")

    await chat.store.run(hide, message=None, now=chat.watch.now)
    found = await card_of(chat.services, kept.moment_id)
    assert found is not None
    assert found.note == ""
    await chat.says("<ann> !forgetme")
    await chat.says("<ann> !forgetme")
    assert await card_of(chat.services, kept.moment_id) is None
    assert await card_of(chat.services, "nobody's") is None


async def test_LEG_2_R6_spotifys_card_has_nobodys_words(chat: Chat) -> None:
    await merged(chat, ("deezer", "3135556"), ("spotify", "4uLU6hMCjMI75M1A2tKUQC"))
    await learn(chat, "spotify", "4uLU6hMCjMI75M1A2tKUQC", title="CANARY", by_line="CANARY")
    await learn(chat, "deezer", "3135556", title="Harder", by_line="Daft Punk")
    found = await card(chat, f"<rook> !moment {SPOTIFY} 0:45-1:00")
    assert (found.title, found.by_line) == ("A song on Spotify", "")
    assert found.buttons[0].label == "Listen on Spotify"
    assert found.lines == ("From Moments users, not Spotify data.",)
    assert "CANARY" not in repr(await card(chat, f"!best {SONG}"))


async def test_LEG_1_a_borrowed_title_names_its_service(chat: Chat) -> None:
    await merged(chat, YOUTUBE, ("apple_music", "1440841730"))
    await learn(chat, *YOUTUBE, title="Paper Lanterns")
    found = await card(chat, f"<rook> !moment {APPLE} 0:45-1:00")
    assert found.title == "Paper Lanterns"
    assert found.lines == (f"Title by YouTube. {OURS}",)
    assert found.buttons[0].label == "Open on Apple Music"


async def test_R1_an_expired_title_is_on_no_card(chat: Chat) -> None:
    await learn(chat, *YOUTUBE, title="CANARY")
    chat.passes(86_400)
    assert "CANARY" not in repr(await card(chat, f"<rook> !moment {VIDEO} 0:45-1:00"))


@pytest.mark.parametrize("state", [State.GONE, State.PRIVATE])
async def test_R3_what_is_gone_has_no_title(chat: Chat, state: State) -> None:
    await learn(chat, *YOUTUBE, state=state)
    assert (await card(chat, f"<rook> !moment {VIDEO} 0:45-1:00")).title == "A video on YouTube"


async def test_the_longest_link_there_is_fits_under_a_button(chat: Chat) -> None:
    found = await card(chat, f"<rook> !moment https://soundcloud.com/{'a' * 200}/{'b' * 200} 100:00:45-100:01:00")
    assert 400 < len(found.buttons[0].url) <= 512


async def test_a_part_beyond_the_end_says_that_it_is_not_counted(chat: Chat) -> None:
    kept = await keep(chat.services)
    await learn(chat, *YOUTUBE, duration_seconds=50)
    found = await card_of(chat.services, kept.moment_id)
    assert found is not None
    assert found.head == "0:45–1:00 · Saved by 0 people"
    assert found.lines[0] == "It ends after the recording does, so it is not counted."


# --- following


@pytest.fixture
async def world(database: Path) -> AsyncIterator[World]:
    async with open_world(database, start=False) as world:
        yield world


class Followed:
    """A card that is followed, and what came of it."""

    def __init__(self, services: Services, card: Card, seconds: float = 900) -> None:
        self.cards: list[Card] = []
        self._came = asyncio.Event()
        self.task = asyncio.create_task(self._run(services, card, seconds))

    async def _run(self, services: Services, card: Card, seconds: float) -> None:
        async for newer in follow(services, card, services.clock() + timedelta(seconds=seconds)):
            self.cards.append(newer)
            self._came.set()

    async def next(self) -> Card:
        async with asyncio.timeout(20):
            await self._came.wait()
        self._came.clear()
        return self.cards[-1]


async def listening(services: Services) -> None:
    async with asyncio.timeout(20):
        while not len(services.arrivals):  # noqa: ASYNC110 -- its own task takes its place, and tells nobody
            await asyncio.sleep(0)


async def test_a_title_that_arrives_is_on_the_card_and_one_that_goes_leaves_it(world: World) -> None:
    services = world.services
    world.service.plan("GET", "/track/3135556", says(200, deezer_track()))
    saved = await world.save("Ann", DEEZER)
    before = await card_of(services, saved.id)
    assert before is not None
    assert before.title == "A song on Deezer"
    followed = Followed(services, before, seconds=30 * 86_400)
    await listening(services)
    assert followed.cards == []
    world.start()
    after = await followed.next()
    assert (after.title, after.by_line) == ("Harder Better Faster Stronger", "Daft Punk")
    assert after.picture != before.picture
    await world.settle()
    world.watch.now += timedelta(days=8)
    world.service.plan("GET", "/track/3135556", says(200, {"error": {"code": 800}}))
    world.enricher.wanted(link(DEEZER))
    while (gone := await followed.next()).title != "A song on Deezer":
        pass
    assert gone.by_line == ""
    followed.task.cancel()


async def tell(world: World, title: str) -> None:
    now = world.watch.now

    async def job(transaction: Transaction) -> None:
        await sources.put(transaction, Told("deezer", "3135556", now, now + timedelta(days=1), title=title))

    await world.store.run(job, message=None, now=now)


async def test_a_title_that_came_between_is_given_at_once_and_no_news_is_no_card(world: World) -> None:
    saved = await world.save("Ann", DEEZER, want=False)
    before = await card_of(world.services, saved.id)
    assert before is not None
    await tell(world, "Harder")
    followed = Followed(world.services, before._replace(note=""))
    newer = await followed.next()
    assert (newer.title, newer.note) == ("Harder", "")
    for thing in (("deezer", "3135556"), ("deezer", "another")):
        world.services.arrivals.told(thing)
    await tell(world, "Better")
    world.services.arrivals.told(("deezer", "3135556"))
    assert [each.title for each in (newer, await followed.next())] == ["Harder", "Better"]
    assert len(followed.cards) == 2
    followed.task.cancel()
    await asyncio.gather(followed.task, return_exceptions=True)
    assert len(world.services.arrivals) == 0


async def test_following_ends_with_its_time_its_moment_and_where_there_is_none(world: World) -> None:
    saved = await world.save("Ann", DEEZER, want=False)
    card = await card_of(world.services, saved.id)
    assert card is not None
    for each, seconds in ((card, 0.01), (card, -1), (card._replace(moment=""), 900), (card._replace(moment="x"), 900)):
        async with asyncio.timeout(20):
            await Followed(world.services, each, seconds).task
    followed = Followed(world.services, card)
    await listening(world.services)

    async def delete(transaction: Transaction) -> None:
        assert await saves.delete(transaction, Author("twitch", "ann", "Ann"), saved.id, world.watch.now)

    await world.store.run(delete, message=None, now=world.watch.now)
    world.services.arrivals.told(("deezer", "3135556"))
    async with asyncio.timeout(20):
        await followed.task
    assert followed.cards == []
    assert len(world.services.arrivals) == 0


async def test_no_more_are_followed_than_there_is_room_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MOST_WAITING", 1)
    saved = await world.save("Ann", DEEZER, want=False)
    card = await card_of(world.services, saved.id)
    assert card is not None
    first = Followed(world.services, card)
    await listening(world.services)
    async with asyncio.timeout(20):
        await Followed(world.services, card).task
    assert not first.task.done()
    first.task.cancel()
