"""Being forgotten: asked once, done at the second word, everywhere at once."""

from storage import own
from tests.chat import Chat


async def test_forgetting_needs_two_words_within_a_minute(live: Chat) -> None:
    await live.says("<rook> !clip one")
    asks = "This deletes your 1 mark everywhere, for good. Type !forgetme again within a minute to do it."
    assert await live.says("<rook> !forgetme") == asks
    live.passes(61)
    assert await live.says("<rook> !forgetme") == asks
    live.passes(60)
    assert await live.says("<mika> !forgetme") == "There is nothing of yours here."
    assert await live.says("<Rook> !forgetme") == "Forgotten: 1 mark and 1 account are gone."
    assert await live.says("<rook> !forgetme") == "There is nothing of yours here."


async def test_what_somebody_has_none_of_is_not_counted(live: Chat) -> None:
    await live.says("<rook> !clip one")
    await live.says("<rook> !unclip")
    asked = await live.says("<rook> !forgetme")
    assert asked.startswith("This deletes what we know of you everywhere, for good. Type")
    assert await live.says("<rook> !forgetme") == "Forgotten: 1 account is gone."


async def test_nothing_of_the_forgotten_is_left_and_counts_follow(live: Chat) -> None:
    await live.says("<rook> !clip my words", message_id="m1")
    assert (await live.says("<mika> !clip")).endswith("2 people within 15 s")
    await live.says("<rook> !forgetme")
    await live.says("<rook> !forgetme")
    session = await live.store.find_session("latest")
    assert [mark.submitted_by for mark in await live.marks()] == ["mika"]
    assert await live.store.totals(session) == (1, 1)
    live.passes(1)
    assert (await live.says("<juno> !clip")).endswith("2 people within 15 s")
    assert await live.says("<rook> !clip my words", message_id="m1") == ""
    raw = live.store.path.read_bytes() + live.store.path.with_name("moments.db-wal").read_bytes()
    assert b"rook" not in raw.replace(b"'rook'", b"") or await own.marks_of(live.store, "console", "rook") is None


async def test_marks_of_the_same_batch_made_after_forgetting_stay(live: Chat) -> None:
    await live.says("<rook> !clip before")
    await live.says("<rook> !forgetme")
    await live.says("<rook> !forgetme")
    assert (await live.says("<rook> !clip after")).startswith('Marked #2 at 00:00:00 (segment 1): "after"')
    assert [mark.note for mark in await live.marks()] == ["after"]


async def test_who_was_just_forgotten_cannot_be_again_at_the_speed_of_chat(live: Chat) -> None:
    wait = "You were forgotten a moment ago. Wait a minute, then type !forgetme to delete what is new."
    await live.says("<rook> !clip one")
    await live.says("<rook> !forgetme")
    assert (await live.says("<rook> !forgetme")).startswith("Forgotten")
    await live.says("<rook> !clip two")
    live.passes(59)
    for _ in range(3):
        assert await live.says("<rook> !forgetme") == wait
    await live.says("<mika> !clip three")
    assert (await live.says("<mika> !forgetme")).startswith("This deletes")  # nobody else waits
    live.passes(1)
    assert (await live.says("<rook> !forgetme")).startswith("This deletes")
    assert (await live.says("<rook> !forgetme")).startswith("Forgotten")


async def test_a_clock_that_was_set_back_keeps_nobody_from_being_forgotten(live: Chat) -> None:
    await live.says("<rook> !clip one")
    await live.says("<rook> !forgetme")
    await live.says("<rook> !forgetme")
    await live.says("<rook> !clip two")
    live.passes(-3600)
    assert (await live.says("<rook> !forgetme")).startswith("This deletes")


async def test_one_message_delivered_twice_is_not_said_twice(live: Chat) -> None:
    await live.says("<rook> !clip one", message_id="c")
    assert (await live.says("<rook> !forgetme", message_id="f")).startswith("This deletes")
    assert await live.says("<rook> !forgetme", message_id="f") == ""
    assert len(await live.marks()) == 1
    assert (await live.says("<rook> !forgetme", message_id="g")).startswith("Forgotten")
