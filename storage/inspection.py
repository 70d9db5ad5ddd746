"""Looking at a database without touching it, for `moments doctor`."""

from dataclasses import dataclass
from pathlib import Path

from moments.errors import NotFound, StoreBusy, StoreError
from moments.live import Place
from moments.sessions import Session
from storage import _files, _sqlite, connections, credentials, facts, migrations
from storage._sqlite import Connection, scalar
from storage.credentials import Held
from storage.reads import Reads


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a database file is and holds."""

    size_bytes: int
    """Of the file and of what is written beside it while it is in use."""
    version: int = 0
    newest_version: int = len(migrations.MIGRATIONS)
    """The version this Moments makes."""
    wrong: str | None = None
    """The first thing that is wrong, as a sentence; None when every page is sound and the file is ours."""
    sessions: int = 0
    """This and what follows stay empty when something is wrong or migrations are pending."""
    marks: int = 0
    open_sessions: tuple[Session, ...] = ()
    """Those not ended, oldest first; `created_at` says since when."""
    key_id: str | None = None
    """Which secret key it was made with (KEY-3); None when no key has been used yet."""
    grants: tuple[Held, ...] = ()
    """Whose tokens it holds, dead ones too."""
    disallowed: tuple[Place, ...] = ()
    """Channels whose streamers have to connect again."""

    @property
    def pending(self) -> int:
        """Migrations the next start will apply."""
        return max(0, self.newest_version - self.version)


async def inspect(path: Path) -> Inspection:
    """Read a database through, while Moments runs or not; makes and changes nothing.

    Raises NotFound when there is no file, StoreBusy while another process keeps everybody out.
    """
    if not path.is_file():
        raise NotFound(f"There is no database at {path}. Start Moments once, or set MOMENTS_DATABASE_URL.")
    idle = not _in_use(path)
    inspection = await _look(path, untouched=idle)
    if idle and inspection.wrong and _in_use(path):  # somebody began to write under our eyes
        inspection = await _look(path, untouched=False)
    return inspection


def _in_use(path: Path) -> bool:
    return any(companion.exists() for companion in _files.companions(path))


async def _look(path: Path, *, untouched: bool) -> Inspection:
    size = sum(file.stat().st_size for file in (path, *_files.companions(path)) if file.exists())
    inspection = Inspection(size)
    try:
        connection = await _sqlite.connect(path, read_only=True, untouched=untouched)
        try:
            with _sqlite.sentences(path):
                inspection = Inspection(size, await scalar(connection, "PRAGMA user_version"))
                await _sqlite.check(connection, path)
                if await migrations.pending(connection, path):
                    return inspection
                return await _contents(connection, path, inspection)
        finally:
            await connection.close()
    except StoreBusy:
        raise
    except StoreError as error:
        return Inspection(size, inspection.version, wrong=str(error))


async def _contents(connection: Connection, path: Path, inspection: Inspection) -> Inspection:
    reads = Reads(path, [connection])
    return Inspection(
        inspection.size_bytes,
        inspection.version,
        sessions=await scalar(connection, "SELECT count(*) FROM session"),
        marks=await scalar(connection, "SELECT count(*) FROM mark"),
        open_sessions=tuple(await reads.open_sessions()),
        key_id=await facts.get(reads, facts.KEY_FINGERPRINT),
        grants=tuple(await credentials.held(reads)),
        disallowed=tuple(
            each.place
            for each in await connections.on_platform(reads, "twitch")
            if each.state is connections.State.NEEDS_AUTHORISATION
        ),
    )
