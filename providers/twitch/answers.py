"""What Twitch's statuses mean, and what may be repeated."""

from datetime import datetime
from typing import Any

from moments.errors import NotAuthorised, ProviderBusy, ProviderDown, ProviderRefused
from providers.http import Answer

BUSY_SECONDS = 60.0
"""Twitch refills a caller's points within a minute; a later reset than that is somebody's wrong clock."""
READ_PATIENCE_SECONDS = 5.0
"""How long a read waits for the next points instead of giving up."""
_CODE_LENGTH = 200


def accepted(asked: str, answer: Answer, now: datetime) -> Answer:
    """The answer when it is a success, else the ProviderError that says what happened."""
    said = f"{asked}: {answer.status}"
    if 200 <= answer.status < 300:
        return answer
    if answer.status == 401:
        raise NotAuthorised(said)
    if answer.status == 429:
        raise ProviderBusy(said, _retry_after(answer, now))
    if answer.status >= 500:
        raise ProviderDown(said)
    raise ProviderRefused(said, answer.status, message(answer))


def message(answer: Answer) -> str:
    """Twitch's own words for a refusal: to be compared with, not shown."""
    words: Any = answer.json.get("message") if isinstance(answer.json, dict) else None
    return words[:_CODE_LENGTH] if isinstance(words, str) else ""


def token_refused(answer: Answer) -> bool:
    """Whether another token of the same account could help: not when what was granted falls short."""
    words = message(answer).lower()
    short = words.startswith("missing") or "scope" in words or "must match" in words
    return answer.status == 401 and not short


def worth_repeating(error: Exception) -> bool | float:
    """For reads: whether, or after how many seconds, asking again may help (a stamina hook)."""
    if isinstance(error, ProviderBusy):
        return error.retry_after if error.retry_after <= READ_PATIENCE_SECONDS else False
    return isinstance(error, ProviderDown)


def _retry_after(answer: Answer, now: datetime) -> float:
    reset = answer.headers.get("Ratelimit-Reset", "")
    if not reset.isdecimal() or len(reset) > 12:
        return 1.0
    return min(max(int(reset) - now.timestamp(), 0.1), BUSY_SECONDS)
