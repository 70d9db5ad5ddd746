"""Deleting everything somebody ever gave us, once they have said so twice."""

from datetime import datetime, timedelta

from commands import connecting
from commands.linking import PLATFORM_NAMES
from commands.model import Invocation, Reply
from commands.registry import command
from commands.services import Asked, Services
from moments.errors import Repeated, TooFast
from moments.grants import Grant
from moments.live import Author
from moments.wording import counted
from storage import Forgotten, Message, Transaction, credentials, joined, ledger, linking, own, saves
from storage.credentials import Vault
from storage.purge import drop_api_data

CONFIRM_WITHIN = timedelta(minutes=1)
AGAIN_AFTER = timedelta(minutes=1)
"""Being forgotten is much work for the store: nobody can ask for it at the speed of chat."""
MOST_WAITING = 10_000


@command("forgetme", "Delete all you marked and saved, and what we know of you.", private=True)
async def forgetme(call: Invocation) -> Reply:
    """Ask once; the same command again within a minute deletes."""
    author = call.heard.author
    waiting = call.services.asked_to_forget
    asked = waiting.pop(author[:2], None)
    if asked is not None and asked.message_id is not None and asked.message_id == call.heard.message_id:
        waiting[author[:2]] = asked
        raise Repeated("That message was handled before.")  # delivered twice is not said twice
    if asked is not None and timedelta(0) <= call.arrived - asked.at <= CONFIRM_WITHIN:
        return await _forget(call)
    marks = await own.marks_of(call.services.store, *author[:2])
    connected = await connecting.is_connected(call.services, author)
    if marks is None and not connected:
        return Reply("There is nothing of yours here.", private=True, kind="changed")
    await _check_pause(call)
    while len(waiting) >= MOST_WAITING:
        del waiting[next(iter(waiting))]
    waiting[author[:2]] = Asked(call.arrived, call.heard.message_id)
    saved = await saves.saves_of(call.services.store, *author[:2])
    channel = " and disconnects your channel" if connected else ""
    left = " and ".join(_left(marks or 0, saved))
    what = f"This deletes {f'your {left}' if left else 'what we know of you'} everywhere{channel}, for good."
    stays = await _stays(call)
    return Reply(f"{what}{stays} Type `forgetme` again within a minute to do it.", private=True, kind="changed")


async def _stays(call: Invocation) -> str:
    """Which accounts it does not reach, in words: those linked so lately that their owner may yet undo it (AZ-5)."""
    others = await linking.others(call.services.store, *call.heard.author[:2])
    left = [PLATFORM_NAMES.get(each.account.platform, each.account.platform) for each in others if not each.settled]
    return f" Your account on {' and '.join(left)} is linked since a few days only, and stays." if left else ""


async def _check_pause(call: Invocation) -> None:
    key, services = call.services.keys.derive(ledger.PURPOSE), call.services
    before = await ledger.forgotten_at(services.store, ledger.erasure_digest(key, *call.heard.author[:2]))
    if before is not None and timedelta(0) <= call.arrived - before < AGAIN_AFTER:
        raise TooFast("You were forgotten a moment ago. Wait a minute, then type `forgetme` to delete what is new.")


async def _forget(call: Invocation) -> Reply:
    author, heard = call.heard.author, call.heard
    message = (author.platform, heard.message_id) if heard.message_id else None
    gone = await forget(call.services, author, call.arrived, message)
    left, accounts = _left(gone.marks, gone.saves), counted(gone.accounts, "account")
    words = f"{', '.join(left)} and {accounts}" if left else accounts
    are = "is" if not left and gone.accounts == 1 else "are"
    return Reply(f"Forgotten: {words} {are} gone.", private=True, kind="changed")


def _left(marks: int, moments: int) -> tuple[str, ...]:
    """What somebody left here, in words; moments with those that later ones took the place of."""
    left = ((marks, "mark"), (moments, "saved moment"))
    return tuple(counted(number, what) for number, what in left if number)


async def forget(services: Services, author: Author, now: datetime, message: Message | None = None) -> Forgotten:
    """Delete a person with every account and mark; their logins end, their channel is disconnected, tokens go back.

    An account linked to it less than seven days ago, and not by two logins, is parted from it and stays (AZ-5).
    Raises Repeated when the message was handled before.
    """
    key, vault = services.keys.derive(ledger.PURPOSE), Vault(services.keys)

    def digest(platform: str, user_id: str) -> str:
        return ledger.erasure_digest(key, platform, user_id)

    async def job(transaction: Transaction) -> tuple[Forgotten, list[Grant | None]]:
        await linking.part_from_unsettled(transaction, author, now)
        accounts = await own.accounts(transaction, author)
        grants = [await credentials.load(transaction, vault, *account) for account in accounts]
        for account in accounts:
            await joined.end_of_streamer(transaction, *account, now)
            await drop_api_data(transaction, *account)
        return await transaction.forget(author, digest, now), grants

    gone, grants = await services.store.run(job, message=message, now=now)
    services.changed.set()
    for grant in filter(None, grants):
        await connecting.give_back(services, grant)
    return gone
