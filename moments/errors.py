"""Everything Moments says no with.

MomentsError                its text is one sentence for a person
├── UsageError              what was typed cannot be used; says what to type instead
│   ├── TimecodeError
│   └── BadLink             a link that leads to nothing Moments can hold
├── ChatLogError            a chat log that cannot be read; names the line
├── SettingsError           settings that cannot be used (bot.settings); a line for each
├── SecretKeyError          a key file that cannot be trusted (storage.keys)
├── Refusal                 a rule says no: not live, paused, too fast, not yours
│   ├── TooFast             the cooldown; some platforms keep silent about it
│   └── NotAllowed          the caller's role does not reach
├── NotFound                nothing is there, or nothing the caller may see
├── Repeated                the very same message again; it is answered no second time
├── ProviderError           a streaming service did not do what was asked; its text holds method, path and status only
│   ├── ProviderDown        unreachable, too slow, or broken on their side
│   ├── ProviderBusy        too many requests; `retry_after` says when again
│   ├── NotAuthorised       the token, or what its owner granted, no longer reaches
│   ├── ProviderRefused     it said no; `status` and `code` say how
│   └── ProviderUnreadable  it answered what cannot be used: malformed, or too large
└── StoreError              the store cannot do it now; nothing was kept and nothing was lost
    ├── StoreBusy           another process holds the database
    ├── StoreFull           the disk is full
    ├── StoreReadOnly       the file or its folder cannot be written
    ├── StoreDamaged        the file is not a sound database
    └── StoreNewer          a newer Moments wrote it
"""


class MomentsError(Exception):
    """The base of our own errors: its text is one sentence for a person."""


class UsageError(MomentsError):
    """What was typed cannot be used; the text says what to type instead."""


class TimecodeError(UsageError):
    """A time, shift or range that cannot be read."""


class BadLink(UsageError):
    """A link that cannot be used; the text says which to paste instead."""


class ChatLogError(MomentsError):
    """A line of a chat log that cannot be read; the text names the line."""


class Refusal(MomentsError):
    """A rule of the object model says no."""


class TooFast(Refusal):
    """The same person again within the cooldown."""


class NotAllowed(Refusal):
    """The caller's role does not reach."""


class NotFound(MomentsError):
    """Nothing is there, or nothing the caller may see: both answer alike."""


class Repeated(MomentsError):
    """The very same message was handled before; it is answered no second time."""


class ProviderError(MomentsError):
    """A streaming service did not do what was asked. The text holds method, path and status, never what was sent."""


class ProviderDown(ProviderError):
    """Unreachable, too slow, or broken on their side; worth another try later."""

    unanswered = False
    """Whether it was asked and nobody answered, so that it may have been done all the same."""


class ProviderBusy(ProviderError):
    """We asked too often."""

    def __init__(self, text: str, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        """Seconds until it may be asked again."""


class NotAuthorised(ProviderError):
    """The token, or what its owner granted, no longer reaches; only its owner can mend that."""


class ProviderRefused(ProviderError):
    """It said no."""

    def __init__(self, text: str, status: int, code: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        """The service's own word for the reason, where it has one."""


class ProviderUnreadable(ProviderError):
    """It answered what cannot be used: malformed, or too large."""


class StoreError(MomentsError):
    """The store cannot do it now; nothing was kept, nothing answered was lost."""


class StoreBusy(StoreError):
    """Another process holds the database."""


class StoreFull(StoreError):
    """The disk is full."""


class StoreReadOnly(StoreError):
    """The database or its folder cannot be written."""


class StoreDamaged(StoreError):
    """The file is not a sound database of ours."""


class StoreNewer(StoreError):
    """A newer Moments wrote this database."""
