"""One person's accounts joined, and parted again (VOTE-3, AZ-5).

Two logins in one browser join them, or a code: one account is given it in private, the other types it, is told whose
it is, and says so in a second message. A single message never joins anything.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, NamedTuple

import structlog

from commands.arguments import Argument, first_word
from commands.model import Invocation, Reply
from commands.registry import command
from commands.services import Services, Tries
from moments.errors import Refusal, StoreError, TooFast, UsageError
from moments.live import Author
from moments.notes import clean_name
from storage import Transaction, linking
from storage.linking import Code, Linked, News

LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Of codes: none that is taken for another."""
LENGTH: Final = 8
MOST_TRIES: Final = 5
"""Wrong codes of one account, and wrong names for one code."""
LOCKED_FOR = timedelta(hours=1)
MOST_CHANGES: Final = 3
"""Links and unlinks of one person in 30 days, before the next link waits; undoing one never does."""
MOST_REMEMBERED = 10_000

PLATFORM_NAMES: Mapping[str, str] = {"twitch": "Twitch", "discord": "Discord"}
_SHAPE = re.compile(f"[{LETTERS}]{{{LENGTH}}}")
_TYPED_AS_IT_IS = re.compile(r"[\w.-]{1,32}", re.ASCII)

_WRONG_CODE = "That code is not right, or not good any more. Type `link` with your other account for a new one."
_LOCKED = "That is too many wrong codes. Wait an hour, or link your accounts on {}."
_OWN_CODE = "That code is this account's own. Type it in a chat on the other platform, with your other account."
_SAME_PLATFORM = "A person has one account on each platform. Take the code to the other one."
_TAKEN = "A person has one account on each platform, and one of these two is linked already. Unlink that one first."
_OFTEN = "Your accounts were linked and unlinked 3 times in the last 30 days. Link them when that is longer ago."
_TOGETHER = "Already linked: the two are one person's."

_log = structlog.get_logger("linking")


def _word(text: str) -> tuple[str, str] | None:
    word, rest = first_word(text)
    return (word, rest) if word else None


def _rest(text: str) -> tuple[str, str] | None:
    return (text, "") if text else None


CodeTyped = Annotated[str, Argument("code", "the code your other account was given", _word, longest=20)]
NameTyped = Annotated[
    str, Argument("name", "the other account's name, to confirm that it is yours", _rest, longest=100)
]


@command("link", "Join your Twitch and Discord accounts, so that you count as one person.", private=True)
async def link(call: Invocation, code: CodeTyped = "", name: NameTyped = "") -> Reply:
    """Without a code: get one. With one: be asked whether the other account is yours; with its name too: join them."""
    if not code:
        return await _give(call)
    typed = code.upper().replace("-", "")
    if not _SHAPE.fullmatch(typed):
        raise UsageError("A code has 8 letters and digits. Type `link` with your other account to get one.")
    return await _take(call, _digest(call.services, typed), name)


@command("unlink", "Part this account from your others again.", private=True)
async def unlink(call: Invocation) -> Reply:
    """Each account keeps what was made with it."""
    author, now = call.heard.author, call.arrived

    async def job(transaction: Transaction) -> list[Linked]:
        return await linking.part(transaction, author, author, now)

    left = await call.write(job)
    if not left:
        return Reply("This account is linked to no other.", private=True, kind="changed")
    whom = " and ".join(_named(call, each.account) for each in left)
    return Reply(
        f"Unlinked from {whom}: each account has what was marked and saved with it.", private=True, kind="changed"
    )


async def with_news(call: Invocation, reply: Reply) -> Reply:
    """An answer, and beside it in private what another account did to this one's links since it was last told."""
    if not call.heard.platform.private_replies:
        return reply
    store, author = call.services.store, call.heard.author
    try:
        news = await linking.untold(store, author)
        if not news:
            return reply

        async def job(transaction: Transaction) -> None:
            await linking.told(transaction, news)

        await store.run(job, message=None, now=call.arrived)
    except StoreError as error:  # what was answered is done all the same
        _log.warning("somebody could not be told of their links", error=str(error))
        return reply
    told = [_told(call, each) for each in news]
    return reply._replace(aside=" ".join(filter(None, [reply.aside, *told])))


# --- joining and parting, for the site


async def join(services: Services, by: Author, other: Author, now: datetime) -> None:
    """Join two accounts that logged in in one browser, or confirm that a code joined the right ones.

    Refusal, in words, where a rule is against it.
    """

    async def job(transaction: Transaction) -> None:
        for each in await linking.others(transaction, *by[:2]):
            if each.account[:2] == other[:2] and not each.settled:
                return await linking.confirm(transaction, by, other)
        await _check(transaction, by, other, now)
        return await linking.join(transaction, by, other, now, settled=True)

    await services.store.run(job, message=None, now=now)


async def part(services: Services, by: Author, platform: str, now: datetime) -> bool:
    """Part one's account on another platform from this one; whether they were one person's."""

    async def job(transaction: Transaction) -> bool:
        for each in await linking.others(transaction, *by[:2]):
            if each.account.platform == platform:
                return bool(await linking.part(transaction, each.account, by, now))
        return False

    return await services.store.run(job, message=None, now=now)


async def _check(transaction: Transaction, one: Author, other: Author, now: datetime) -> None:
    """Refusal unless these two may be one person's (VOTE-3)."""
    groups = [[each.account for each in await linking.others(transaction, *account[:2])] for account in (one, other)]
    if one[:2] == other[:2] or other[:2] in {account[:2] for account in groups[0]}:
        raise Refusal(_TOGETHER)
    if one.platform == other.platform:
        raise Refusal(_SAME_PLATFORM)
    platforms = [account.platform for account in (one, other, *groups[0], *groups[1])]
    if len(platforms) > len(set(platforms)):  # so of two with others too: there are three platforms
        raise Refusal(_TAKEN)
    for account in (one, other):
        if await linking.changes(transaction, account, now) >= MOST_CHANGES:
            raise Refusal(_OFTEN)


# --- codes


async def _give(call: Invocation) -> Reply:
    """A code, where nobody else reads along; elsewhere the page that needs none."""
    author = call.heard.author
    if not call.heard.platform.private_replies:
        page = call.services.link("/me")
        return Reply(f"Your accounts are linked on {page}, after a login; or by a code that `link` gives on Discord.")
    if author.platform != "twitch" and call.services.twitch is None:
        raise Refusal("This Moments is not on Twitch, so there is no other account of yours to link.")
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    digest, now = _digest(call.services, code), call.arrived

    async def job(transaction: Transaction) -> None:
        await linking.keep_code(transaction, author, digest, now)

    await call.write(job)
    where = "on Twitch, in a chat where Moments is," if author.platform != "twitch" else "on Discord"
    return Reply(
        f"Your code is {code}. With your other account, {where} type !moments link {code} within 10 minutes, then what "
        "it answers. Give the code to nobody: whoever links it counts as you.",
        private=True,
        kind="changed",
    )


async def _take(call: Invocation, digest: str, name: str) -> Reply:
    author, services, now = call.heard.author, call.services, call.arrived
    tries = services.link_tries.get(author[:2])
    if tries and not timedelta(0) <= now - tries.since < LOCKED_FOR:
        tries = services.link_tries.pop(author[:2], None) and None
    if tries and tries.wrong >= MOST_TRIES:
        raise TooFast(_LOCKED.format(services.link("/me")))

    async def job(transaction: Transaction) -> Reply | _Wrong:
        found = await linking.code(transaction, digest, now)
        if found is None or found.brought_by not in {None, author[:2]}:
            return _Wrong(_WRONG_CODE)
        return await _brought(call, transaction, found, name)

    answer = await call.write(job)
    if isinstance(answer, _Wrong):
        _note_wrong(services, author, Tries(tries.since if tries else now, (tries.wrong if tries else 0) + 1))
        raise UsageError(answer.sentence)
    return answer


class _Wrong(NamedTuple):
    """A wrong try. What counts it must stay written, so that it is returned and not raised."""

    sentence: str


async def _brought(call: Invocation, transaction: Transaction, found: Code, name: str) -> Reply | _Wrong:
    """The question, for a code typed for the first time; after it, the answer."""
    author, other, now = call.heard.author, found.account, call.arrived
    if other[:2] == author[:2]:
        raise Refusal(_OWN_CODE)
    await _check(transaction, author, other, now)
    if found.brought_by is None or not name:
        if not name:  # a question that nobody saw is not answered by the same message sent twice (AZ-5)
            await linking.bring_code(transaction, other, author)
        return Reply(_question(call, other), private=True, kind="changed")
    if not _is(other, name):
        await linking.miss_code(transaction, other)
        if found.tries + 1 >= MOST_TRIES:
            await linking.drop_code(transaction, other)
            return _Wrong(_WRONG_CODE)
        return _Wrong(f"That is not its name. {_question(call, other)}")
    await linking.drop_code(transaction, other)
    await linking.join(transaction, author, other, now, settled=False)
    return Reply(
        f"Linked: this account and {_named(call, other)} count as one person now. Either side can undo it with "
        "`unlink`; after 7 days each also lists and deletes what is the other's.",
        private=True,
        kind="changed",
    )


def _note_wrong(services: Services, author: Author, tries: Tries) -> None:
    waiting = services.link_tries
    while len(waiting) >= MOST_REMEMBERED and author[:2] not in waiting:
        del waiting[next(iter(waiting))]
    waiting[author[:2]] = tries


def _question(call: Invocation, other: Author) -> str:
    return (
        f"That code was given to {_named(call, other)}. Is that you, and did you ask for the code yourself? Then type "
        f"`link`, the code and {_to_type(other)}. Did somebody else tell you to type it? Then type nothing more."
    )


def _told(call: Invocation, news: News) -> str:
    whom = _named(call, news.account) if news.account.display_name else "an account that was deleted since"
    if news.act == "linked":
        return f"Your account was linked with {whom}: both count as one person. Is that not you? Type `unlink`."
    return f"Your account was unlinked from {whom}: each has what was marked and saved with it."


def _named(call: Invocation, account: Author) -> str:
    """An account as nobody can fake it: names are chosen freely, the platform and the id are not."""
    platform = PLATFORM_NAMES.get(account.platform, account.platform)
    return f'the {platform} account "{call.quoted(account.display_name)}" (id {account.user_id})'


def _to_type(account: Author) -> str:
    """What confirms: the name, or the id of who has one that is not easily typed."""
    return account.display_name if _TYPED_AS_IT_IS.fullmatch(account.display_name) else account.user_id


def _is(account: Author, name: str) -> bool:
    typed = name.strip().removeprefix("@").casefold()
    return typed in {clean_name(account.display_name).casefold(), account.user_id.casefold()}


def _digest(services: Services, code: str) -> str:
    """Keyed, since all codes there are could be tried within ten minutes by whoever reads the database."""
    return hmac.new(services.keys.derive(linking.PURPOSE), code.encode(), hashlib.sha256).hexdigest()
