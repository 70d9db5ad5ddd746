"""One answer for each interaction, what is for its caller alone for nobody else: what Discord is asked, in order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.discord.answers import TOKEN_LASTS, Answers
from bot.discord.rest import Posted
from bot.discord.translate import Handle
from commands.model import Card, Reply
from moments.errors import NotAuthorised, ProviderBusy, ProviderDown, ProviderError, ProviderRefused
from storage.answers import Trace

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)
SITE = "https://moments.example"
HANDLE = Handle("1", "t0ken", NOW)
ALONE = Handle("1", "t0ken", NOW, alone=True)
CARD = Card("0:45–1:00", title="Song", picture=f"{SITE}/heat.png", moment="abc")
HIDDEN = 64
POSTED = Posted("900", "77")


class Recorder:
    """What Discord was asked, in order; `fails` are raised first, one a call."""

    def __init__(self, *fails: Exception | None) -> None:
        self.calls: list[tuple[str, str, int]] = []
        self.bodies: list[Mapping[str, Any]] = []
        self.fails = list(fails)
        self.kept: list[tuple[str, tuple[Trace, ...]]] = []
        """Which messages show what, as noted."""
        self.again: list[bool] = []
        """Of each follow-up, whether it may be said twice."""
        self.during: Callable[[], Awaitable[None]] | None = None
        """What happens while an edit is under way."""

    def keep(self, _handle: Handle, posted: Posted, shows: tuple[Trace, ...]) -> None:
        self.kept.append((posted.message_id, shows))

    def _take(self, name: str, body: Mapping[str, Any]) -> None:
        self.bodies.append(body)
        card = "card" if body.get("embeds") else ""
        self.calls.append((name, body.get("content") or card, body.get("flags", 0) & HIDDEN))
        error = self.fails.pop(0) if self.fails else None
        if error is not None:
            raise error

    async def callback(self, interaction_id: str, token: str, body: Mapping[str, Any], *, deadline: float) -> None:
        raise AssertionError("it was acknowledged already")

    async def edit_original(self, token: str, body: Mapping[str, Any]) -> Posted:
        assert token == HANDLE.token
        try:
            self._take("edit", body)
        finally:
            if self.during is not None:
                await self.during()
        return POSTED

    async def delete_original(self, token: str) -> None:
        assert token == HANDLE.token
        self._take("delete", {})

    async def follow_up(self, token: str, body: Mapping[str, Any], *, again: bool = False) -> None:
        assert token == HANDLE.token
        self.again.append(again)
        self._take("say", body)


def answers(recorder: Recorder) -> Answers:
    return Answers(recorder, SITE, lambda: NOW, pause=0.001, keep=recorder.keep)


def down(*, unanswered: bool) -> ProviderDown:
    error = ProviderDown("PATCH: no answer")
    error.unanswered = unanswered
    return error


@pytest.mark.parametrize(
    ("reply", "hidden", "handle", "calls"),
    [
        (Reply("a"), False, HANDLE, [("edit", "a", 0)]),
        (Reply("a"), True, HANDLE, [("edit", "a", 0)]),
        (Reply("a", private=True), True, HANDLE, [("edit", "a", 0)]),
        (Reply("a", private=True), False, HANDLE, [("delete", "", 0), ("say", "a", HIDDEN)]),
        (Reply("a", private=True), False, ALONE, [("edit", "a", 0)]),
        (Reply("a", card=CARD), False, HANDLE, [("edit", "card", 0)]),
        (Reply("a", card=CARD, private=True), False, HANDLE, [("delete", "", 0), ("say", "card", HIDDEN)]),
        (Reply("a", aside="b"), False, HANDLE, [("edit", "a", 0), ("say", "b", HIDDEN)]),
        (None, False, HANDLE, [("delete", "", 0)]),
        (None, True, HANDLE, [("delete", "", 0)]),
    ],
)
async def test_a_command_is_answered_once_and_where_it_may_be_read(
    reply: Reply | None, *, hidden: bool, handle: Handle, calls: list[tuple[str, str, int]]
) -> None:
    recorder = Recorder()
    await answers(recorder).to_command(handle, reply, hidden=hidden)
    assert recorder.calls == calls


@pytest.mark.parametrize(
    ("reply", "calls"),
    [
        (Reply("a"), [("say", "a", HIDDEN)]),
        (Reply("a", card=CARD), [("edit", "card", 0), ("say", "a", HIDDEN)]),
        (None, []),
    ],
)
async def test_who_presses_is_told_alone_and_the_card_changes_for_all(
    reply: Reply | None, calls: list[tuple[str, str, int]]
) -> None:
    recorder = Recorder()
    await answers(recorder).to_press(HANDLE, reply)
    assert recorder.calls == calls


async def test_who_pressed_under_a_message_that_is_gone_is_told_all_the_same() -> None:
    recorder = Recorder(ProviderRefused("PATCH: 404 10008", 404, "10008"))
    await answers(recorder).to_press(HANDLE, Reply("a", card=CARD))
    assert recorder.calls == [("edit", "card", 0), ("say", "a", HIDDEN)]


async def test_an_answer_is_tried_until_discord_takes_it() -> None:
    recorder = Recorder(down(unanswered=True), ProviderBusy("PATCH: 429", 0.001), down(unanswered=False))
    await answers(recorder).to_command(HANDLE, Reply("a"), hidden=False)
    assert recorder.calls == [("edit", "a", 0)] * 4


async def test_an_answer_is_tried_no_longer_than_it_would_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(ProviderBusy("PATCH: 429", TOKEN_LASTS.total_seconds() + 1))
    with pytest.raises(ProviderBusy):
        await answers(recorder).to_command(HANDLE, Reply("a"), hidden=False)
    recorder = Recorder(*[down(unanswered=False)] * 1_000)
    monkeypatch.setattr("bot.discord.answers.TOKEN_LASTS", timedelta(seconds=0.05))
    with pytest.raises(ProviderDown):
        await answers(recorder).to_command(HANDLE, Reply("a"), hidden=False)
    assert 2 < len(recorder.calls) < 20


async def test_what_may_have_been_said_is_said_no_second_time_unless_it_is_the_only_answer() -> None:
    recorder = Recorder(down(unanswered=True))
    with pytest.raises(ProviderDown):
        await answers(recorder).to_press(HANDLE, Reply("a"))
    assert recorder.calls == [("say", "a", HIDDEN)]
    for unanswered in (True, False):
        recorder = Recorder(None, down(unanswered=unanswered))
        await answers(recorder).to_command(HANDLE, Reply("a", private=True), hidden=False)
        assert recorder.calls == [("delete", "", 0), *[("say", "a", HIDDEN)] * 2]
        assert recorder.again == [True, True]


async def test_who_presses_is_told_what_only_they_should_know_besides() -> None:
    recorder = Recorder()
    await answers(recorder).to_press(HANDLE, Reply("a", aside="b"))
    assert recorder.calls == [("say", "a", HIDDEN), ("say", "b", HIDDEN)]


async def test_a_press_that_has_to_be_repeated_does_not_put_an_older_count_back() -> None:
    recorder, older = Recorder(), replace(HANDLE, message="77")
    newer = replace(older, id="2")
    both = answers(recorder)

    async def pressed_again() -> None:
        recorder.during = None
        await both.to_press(newer, Reply("newer", card=CARD._replace(head="Saved by 3 people")))

    recorder.during, recorder.fails = pressed_again, [down(unanswered=True)]
    await both.to_press(older, Reply("older", card=CARD._replace(head="Saved by 2 people")))
    heads = [body["embeds"][0]["title"] for body in recorder.bodies if body["embeds"]]
    assert heads == ["Saved by 2 people", "Saved by 3 people"]


async def test_a_card_that_discord_refuses_is_said_in_words() -> None:
    recorder = Recorder(ProviderRefused("PATCH: 400 50035", 400, "50035"))
    await answers(recorder).to_command(HANDLE, Reply("a", card=CARD), hidden=False)
    assert recorder.calls == [("edit", "card", 0), ("edit", "a", 0)]
    assert recorder.bodies[1]["embeds"] == recorder.bodies[1]["components"] == []


async def test_where_even_the_words_are_refused_that_is_what_is_said() -> None:
    refused = [ProviderRefused("PATCH: 400 50035", 400, "50035") for _ in range(2)]
    recorder = Recorder(*refused)
    await answers(recorder).to_command(HANDLE, Reply("a", card=CARD), hidden=False)
    assert [said for _, said, _ in recorder.calls] == ["card", "a", "Something broke on our side."]


@pytest.mark.parametrize(
    "error", [ProviderRefused("PATCH: 404 10008", 404, "10008"), NotAuthorised("PATCH: 401 50027")]
)
async def test_who_let_the_answer_go_is_not_answered_again(error: ProviderError) -> None:
    recorder = Recorder(error)
    with pytest.raises(type(error)):
        await answers(recorder).to_command(HANDLE, Reply("a", card=CARD), hidden=False)
    assert len(recorder.calls) == 1


async def test_a_card_is_kept_true_for_as_long_as_it_can_be_changed() -> None:
    until: list[datetime] = []

    async def follow(card: Card, then: datetime) -> AsyncIterator[Card]:
        until.append(then)
        for title in ("Better", "Best"):
            yield card._replace(title=title)

    recorder = Recorder()
    await answers(recorder).keep_true(HANDLE, CARD, follow)
    assert ["Better" in str(body) or "Best" in str(body) for body in recorder.bodies] == [True, True]
    assert until == [NOW + TOKEN_LASTS]
