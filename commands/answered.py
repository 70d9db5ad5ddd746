"""Which message answers what: noted once the answer stands in public, so that it goes when that goes."""

from commands.services import Services
from storage import Transaction, answers
from storage.answers import Answer


async def note_answer(services: Services, answer: Answer) -> None:
    """Know what a message on Discord shows. Raises StoreError."""

    async def job(transaction: Transaction) -> None:
        await answers.note(transaction, answer)

    await services.store.run(job, message=None, now=services.clock())
