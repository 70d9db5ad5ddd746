"""Deleting everything somebody ever gave us, once they have said so twice."""

from datetime import timedelta

from commands.model import Invocation, Reply
from commands.registry import command
from commands.services import Asked
from moments.errors import Repeated
from moments.wording import counted
from storage import Forgotten, Transaction, ledger

CONFIRM_WITHIN = timedelta(minutes=1)
MOST_WAITING = 10_000


@command("forgetme", "Delete all your marks and what we know of you.")
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
    if marks is None:
        return Reply("There is nothing of yours here.", private=True, kind="changed")
    while len(waiting) >= MOST_WAITING:
        del waiting[next(iter(waiting))]
    waiting[author[:2]] = Asked(call.arrived, call.heard.message_id)
    what = f"This deletes your {counted(marks, 'mark')} everywhere, for good."
    return Reply(f"{what} Type `forgetme` again within a minute to do it.", private=True, kind="changed")


async def _forget(call: Invocation) -> Reply:
    author = call.heard.author
    key = call.services.keys.derive(ledger.PURPOSE)

    def digest(platform: str, user_id: str) -> str:
        return ledger.erasure_digest(key, platform, user_id)

    async def forget(transaction: Transaction) -> Forgotten:
        return await transaction.forget(author, digest, call.arrived)

    gone = await call.write(forget)
    return Reply(
        f"Forgotten: {counted(gone.marks, 'mark')} and {counted(gone.accounts, 'account')} are gone.",
        private=True,
        kind="changed",
    )
