"""Deleting everything somebody ever gave us, once they have said so twice."""

from datetime import datetime, timedelta

from commands import connecting
from commands.model import Invocation, Reply
from commands.registry import command
from commands.services import Asked, Services
from moments.errors import Repeated, TooFast
from moments.grants import Grant
from moments.live import Author
from moments.wording import counted
from storage import Forgotten, Message, Transaction, credentials, ledger, own, saves
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
    marks = await call.services.store.marks_of(author.platform, author.user_id)
    connected = await connecting.is_connected(call.services, author)
    if marks is None and not connected:
        return Reply("There is nothing of yours here.", private=True, kind="changed")
    await _check_pause(call)
    while len(waiting) >= MOST_WAITING:
        del waiting[next(iter(waiting))]
    waiting[author[:2]] = Asked(call.arrived, call.heard.message_id)
    saved = await saves.saves_of(call.services.store, *author[:2])
    channel = " and disconnects your channel" if connected else ""
    what = f"This deletes your {' and '.join(_left(marks or 0, saved))} everywhere{channel}, for good."
    return Reply(f"{what} Type `forgetme` again within a minute to do it.", private=True, kind="changed")


async def _check_pause(call: Invocation) -> None:
    key, services = call.services.keys.derive(ledger.PURPOSE), call.services
    before = await ledger.forgotten_at(services.store, ledger.erasure_digest(key, *call.heard.author[:2]))
    if before is not None and timedelta(0) <= call.arrived - before < AGAIN_AFTER:
        raise TooFast("You were forgotten a moment ago. Wait a minute, then type `forgetme` to delete what is new.")


async def _forget(call: Invocation) -> Reply:
    author, heard = call.heard.author, call.heard
    message = (author.platform, heard.message_id) if heard.message_id else None
    gone = await forget(call.services, author, call.arrived, message)
    *most, last = (*_left(gone.marks, gone.saves), counted(gone.accounts, "account"))
    return Reply(f"Forgotten: {', '.join(most)} and {last} are gone.", private=True, kind="changed")


def _left(marks: int, moments: int) -> tuple[str, ...]:
    """What somebody left here, in words; moments with those that later ones took the place of."""
    return (counted(marks, "mark"), *([counted(moments, "saved moment")] if moments else []))


async def forget(services: Services, author: Author, now: datetime, message: Message | None = None) -> Forgotten:
    """Delete a person with every account and mark; their logins end, their channel is disconnected, tokens go back.

    Raises Repeated when the message was handled before.
    """
    key, vault = services.keys.derive(ledger.PURPOSE), Vault(services.keys)

    def digest(platform: str, user_id: str) -> str:
        return ledger.erasure_digest(key, platform, user_id)

    async def job(transaction: Transaction) -> tuple[Forgotten, list[Grant | None]]:
        accounts = await own.accounts(transaction, author)
        grants = [await credentials.load(transaction, vault, *account) for account in accounts]
        for account in accounts:
            await drop_api_data(transaction, *account)
        return await transaction.forget(author, digest, now), grants

    gone, grants = await services.store.run(job, message=message, now=now)
    services.changed.set()
    for grant in filter(None, grants):
        await connecting.give_back(services, grant)
    return gone
