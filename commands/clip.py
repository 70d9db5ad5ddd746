"""Marking, and everything one does to a mark: clip, unclip, adjust, renote, delclip."""

from commands.arguments import Number, SecondsBack, Shift, Words
from commands.audit import note as note_act
from commands.model import Invocation, Reply
from commands.registry import command
from moments.errors import NotAllowed, NotFound, Refusal, UsageError
from moments.live import Marked, MarkRequest
from moments.marks import Timestamp, moved
from moments.notes import NOTE_LIMIT, Note, clean_note
from moments.sessions import ReplyLevel, Visibility
from moments.wording import counted
from storage import Transaction
from storage.answers import Trace

_PUBLISHED = "this thread is private, and everybody reads what is marked. Say it in the channel itself."
NO_MARK = "You have no mark in this session. Type `clip` to make one."


@command("clip", "Mark the moment that just happened.", aliases=("mark", "ts"), live=True)
async def clip(call: Invocation, back: SecondsBack = 0, note: Words = "") -> Reply:
    """Mark now, or some seconds ago."""
    heard, words = call.heard, clean_note(note)
    left_out = bool(words.text) and await _is_published(call)
    words = Note("", was_cut=False) if left_out else words
    request = MarkRequest(
        heard.place,
        heard.author,
        heard.instant,
        call.arrived,
        words.text,
        back,
        heard.role,
        heard.message_id,
    )
    marked = await call.services.store.mark(request)
    mark = marked.mark
    where = f"Marked #{mark.number} at {mark.offset_hms} (segment {mark.segment_index})"
    aside = f"It has none of your words: {_PUBLISHED}" if left_out else ""
    return Reply(where + _words(call, words) + _crowd(marked), kind="marked", shows=_shows(call, mark), aside=aside)


@command("unclip", "Remove your last mark of this session.", live=True)
async def unclip(call: Invocation) -> Reply:
    """Remove the author's own last mark for good."""

    async def remove(transaction: Transaction) -> Timestamp:
        mark = await _own_last_mark(call, transaction)
        await transaction.remove_mark(call.heard.place, mark, call.arrived)
        return mark

    mark = await call.write(remove)
    return _changed(f"Removed #{mark.number} at {mark.offset_hms} (segment {mark.segment_index}).")


@command("adjust", "Move your last mark later (+) or earlier (-).", live=True)
async def adjust(call: Invocation, seconds: Shift) -> Reply:
    """Shift the author's own last mark, never to before its segment's start."""

    async def move(transaction: Transaction) -> Marked:
        mark = await _own_last_mark(call, transaction)
        return await _change(call, transaction, mark, moved(mark, seconds))

    marked = await call.write(move)
    mark = marked.mark
    said = f"Moved #{mark.number} to {mark.offset_hms} (segment {mark.segment_index}){_crowd(marked)}"
    return _changed(said, Trace(mark.session_id, mark.number))


@command("renote", "Put other words on your last mark.", live=True)
async def renote(call: Invocation, note: Words) -> Reply:
    """Re-word the author's own last mark."""
    words = clean_note(note)
    if not words.text:
        raise UsageError("Say the new words: `renote` what happened.")
    if await _is_published(call):
        raise Refusal(f"Those words stay here: {_PUBLISHED}")

    async def reword(transaction: Transaction) -> Marked:
        live = await transaction.live(call.heard.place)
        if call.heard.author[:2] in live.barred:
            raise NotAllowed("The moderators of this channel do not take words from you.")
        mark = await _own_last_mark(call, transaction)
        return await _change(call, transaction, mark, mark._replace(note=words.text), reworded=True)

    marked = await call.write(reword)
    number = marked.mark.number
    said = _words(call, words)
    text = f"Now #{number} says{said}" if said else f"#{number} has your new words."
    return _changed(text, *_shows(call, marked.mark))


@command("delclip", "Remove anybody's mark by its number.", live=True)
async def delclip(call: Invocation, number: Number) -> Reply:
    """Take a mark out of everyone's sight; it stays on record with who did it."""

    async def hide(transaction: Transaction) -> Timestamp:
        mark = await transaction.mark_numbered(call.heard.place, number)
        if mark is None:
            raise NotFound(f"There is no mark #{number} in this session. Type `clips` for the page that lists them.")
        await transaction.hide_mark(call.heard.place, mark, call.heard.author, "delclip", call.arrived)
        live = await transaction.live(call.heard.place)
        await note_act(call, transaction, live.channel, "delclip", session_id=mark.session_id, target=f"#{number}")
        return mark

    mark = await call.write(hide)
    # Where answers stay to be read, what was removed is not said once more.
    note = "" if call.heard.platform.cards else _words(call, Note(mark.note, False))
    return _changed(f"Removed #{mark.number} at {mark.offset_hms} (segment {mark.segment_index}){note}")


async def _is_published(call: Invocation) -> bool:
    """Whether a mark's words would be read by more people than those who were invited where they were typed."""
    channel = await call.services.store.known(call.heard.place) if call.heard.invited else None
    return channel is not None and channel.visibility is Visibility.PUBLIC


async def _own_last_mark(call: Invocation, transaction: Transaction) -> Timestamp:
    mark = await transaction.own_last_mark(call.heard.place, call.heard.author)
    if mark is None:
        raise NotFound(NO_MARK)
    return mark


async def _change(
    call: Invocation, transaction: Transaction, before: Timestamp, after: Timestamp, *, reworded: bool = False
) -> Marked:
    people = await transaction.change_mark(call.heard.place, before, after, call.arrived, reworded=reworded)
    live = await transaction.live(call.heard.place)
    return Marked(after, people, live.seconds.crowd_window_seconds)


def _changed(text: str, *shows: Trace) -> Reply:
    return Reply(text, kind="changed", shows=shows)


def _shows(call: Invocation, mark: Timestamp) -> tuple[Trace, ...]:
    """That the answer tells of a mark, and says its words where the channel wants them repeated."""
    return (Trace(mark.session_id, mark.number, words=mark.note if call.level is ReplyLevel.FULL else ""),)


def _words(call: Invocation, words: Note) -> str:
    """What somebody said, behind a colon, where the channel wants it repeated; that it was cut is said anywhere."""
    cut = f" (cut to {NOTE_LIMIT} characters)" if words.was_cut else ""
    if not words.text or call.level is not ReplyLevel.FULL:
        return cut
    return f': "{call.quoted(words.text)}"{cut}'


def _crowd(marked: Marked) -> str:
    if marked.people < 2:
        return ""
    return f" · {counted(marked.people, 'person')} within {marked.window_seconds} s"
