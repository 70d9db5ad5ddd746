"""KEY-3: another secret key, step by step, as an operator goes through it."""

import asyncio
import io
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from bot.doctor import examine, rotate
from bot.settings import Settings
from commands.credentials import NO_NEW_KEY, RESTART_FIRST, WRONG_KEY, check_key
from commands.services import utc_now
from moments.errors import NotFound
from moments.grants import Grant
from storage import Store, Transaction, credentials, open_store
from storage.credentials import Vault
from storage.keys import SecretKeyError, SecretKeys, key_file, read_key_file
from tests.databases import change, rows
from tests.process import Running, moments, running
from tests.stream import DEFAULTS, Stream

RUN = (sys.executable, "-m", "bot", "run")
OLD, NEW = "o" * 40, "n" * 40
BOTH = f"{NEW},{OLD}"

pytestmark = pytest.mark.usefixtures("nothing_set")


DATABASE = Path("moments.db")


def settings(secret_key: str | None) -> Settings:
    given = {} if secret_key is None else {"secret_key": secret_key}
    return Settings(web_port=8099, **given)  # type: ignore[arg-type]


@asynccontextmanager
async def started(*secrets: str) -> AsyncIterator[Store]:
    """The database, after a start with these keys."""
    async with open_store(DATABASE, defaults=DEFAULTS) as store:
        await check_key(store, SecretKeys(secrets), utc_now())
        yield store


async def keep(store: Store, user_id: str, *secrets: str) -> None:
    grant = Grant("twitch", user_id, f"login{user_id}", f"access {user_id}", f"refresh {user_id}")

    async def job(transaction: Transaction) -> None:
        await credentials.save(transaction, Vault(SecretKeys(secrets)), grant, utc_now())

    await store.run(job, message=None, now=utc_now())


async def granted_beside(it: Running) -> None:
    """A grant, as the running process with the old key would keep it."""
    assert it.process.poll() is None
    async with open_store(DATABASE, defaults=DEFAULTS) as store:
        await keep(store, "1", OLD)


def copied() -> list[object]:
    """The grants as they are, also while somebody writes."""
    with closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as database:
        return list(database.execute("SELECT * FROM credential"))


async def opened_with(secret: str) -> int:
    """How many grants this key alone opens."""
    async with open_store(DATABASE, defaults=DEFAULTS) as store:
        vault = Vault(SecretKeys((secret,)))
        found = [
            await credentials.load(store, vault, held.platform, held.user_id) for held in await credentials.held(store)
        ]
    return sum(grant is not None for grant in found)


async def rotated(secret_key: str | None) -> str:
    out = io.StringIO()
    assert await rotate(settings(secret_key), out) == 0
    return out.getvalue()


async def finding(secret_key: str | None, start: str) -> tuple[int, str]:
    """The doctor's exit code, and its line that has `start` after the level."""
    out = io.StringIO()
    code = await examine(settings(secret_key), out)
    return code, next(line for line in out.getvalue().splitlines() if line[6:].startswith(start))


async def test_KEY_3_the_old_key_is_needed_until_everything_is_sealed_with_the_new_one() -> None:
    async with started(OLD) as store:
        await keep(store, "1", OLD)
        await keep(store, "2", OLD)
    assert (await finding(BOTH, "secret key"))[1].startswith("warn  secret key: from MOMENTS_SECRET_KEY, but tokens")
    async with started(NEW, OLD) as store:
        await keep(store, "3", NEW, OLD)
    said = await rotated(BOTH)
    assert said.startswith("Sealed with the newest secret key: the tokens of 3 accounts. Keep the older keys listed ")
    assert await opened_with(NEW) == 3
    assert await opened_with(OLD) == 0
    assert await finding(BOTH, "secret key") == (0, "ok    secret key: from MOMENTS_SECRET_KEY")
    async with started(NEW):
        pass
    with pytest.raises(SecretKeyError):
        async with started(OLD):
            pass


async def test_KEY_3_what_no_key_opens_is_counted_and_left() -> None:
    async with started(OLD) as store:
        await keep(store, "1", OLD)
        await keep(store, "2", OLD)
    change(DATABASE, "UPDATE credential SET access = refresh WHERE user_id = '2'")
    assert "No key opens those of 1 account: their owners must connect again." in await rotated(BOTH)
    assert await opened_with(NEW) == 1


async def test_KEY_3_rotating_while_much_is_written_loses_no_token_and_no_mark(tmp_path: Path) -> None:
    async with started(NEW, OLD) as store:
        for user in range(20):
            await keep(store, str(user), OLD)
        channel = Stream(store)
        await channel.start()
        done = asyncio.Event()

        async def load() -> int:
            marks = 0
            while not done.is_set():
                await asyncio.gather(channel.mark(f"viewer{marks}", 1), keep(store, str(marks % 20), NEW, OLD))
                marks += 1
            return marks

        loading = asyncio.create_task(load())
        for _ in range(5):
            # A process of its own, as it is: within this one, looking at the file's locks would end our own.
            done_once = await asyncio.to_thread(moments, tmp_path, "doctor", "--rotate", MOMENTS_SECRET_KEY=BOTH)
            assert (done_once.returncode, done_once.stderr) == (0, "")
        done.set()
        marks = await loading
        assert marks
        assert len(await channel.marks()) == marks
    assert await opened_with(NEW) == 20


def test_KEY_3_rotating_works_beside_a_running_moments(tmp_path: Path) -> None:
    with running(tmp_path, RUN, MOMENTS_SECRET_KEY=BOTH) as it:
        assert asyncio.run(rotated(BOTH)).startswith("Sealed with the newest secret key: the tokens of 0 accounts.")
        assert it.page("/readyz")
        assert it.stop()[0] == 0


def test_KEY_3_beside_a_moments_that_does_not_know_the_new_key_it_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, RUN, MOMENTS_SECRET_KEY=OLD) as it:
        asyncio.run(granted_beside(it))
        before = copied()
        done = moments(tmp_path, "doctor", "--rotate", MOMENTS_SECRET_KEY=BOTH)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"moments: {RESTART_FIRST}\n")
        assert copied() == before
        assert it.stop()[0] == 0
    with running(tmp_path, RUN, MOMENTS_SECRET_KEY=BOTH):
        done = moments(tmp_path, "doctor", "--rotate", MOMENTS_SECRET_KEY=BOTH)
        assert (done.returncode, done.stderr) == (0, "")
    assert asyncio.run(opened_with(NEW)) == 1


def test_KEY_3_while_nothing_runs_no_start_is_needed_first(tmp_path: Path) -> None:
    with running(tmp_path, RUN, MOMENTS_SECRET_KEY=OLD) as it:
        asyncio.run(granted_beside(it))
        assert it.stop()[0] == 0
    done = moments(tmp_path, "doctor", "--rotate", MOMENTS_SECRET_KEY=BOTH)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Sealed with the newest secret key: the tokens of 1 account. ")
    assert asyncio.run(opened_with(NEW)) == 1


@pytest.mark.parametrize(("given", "where"), [({}, "in moments.key"), ({"MOMENTS_SECRET_KEY": OLD}, "there now")])
def test_KEY_3_without_a_new_key_it_is_refused_and_says_what_to_do(
    tmp_path: Path, given: dict[str, str], where: str
) -> None:
    with running(tmp_path, RUN, **given) as it:
        assert it.stop()[0] == 0
    done = moments(tmp_path, "doctor", "--rotate", **given)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"moments: {NO_NEW_KEY.format(where)}\n")


@pytest.mark.parametrize("secret_key", [NEW, f"{NEW},{'x' * 40}"])
async def test_KEY_3_a_wrong_key_seals_nothing(secret_key: str) -> None:
    async with started(OLD) as store:
        await keep(store, "1", OLD)
    before = rows(DATABASE, "SELECT * FROM credential")
    with pytest.raises(SecretKeyError) as refused:
        await rotated(secret_key)
    assert str(refused.value) == WRONG_KEY
    assert rows(DATABASE, "SELECT * FROM credential") == before
    assert await opened_with(OLD) == 1


async def test_KEY_3_rotating_makes_neither_a_database_nor_a_key() -> None:
    with pytest.raises(NotFound):
        await rotated(None)
    assert not list(Path().iterdir())
    async with started(OLD):
        pass
    with pytest.raises(SecretKeyError, match=r"moments\.key cannot be read"):
        await rotated(None)
    assert not key_file(DATABASE).exists()


async def test_KEY_3_from_the_key_file_to_a_key_of_ones_own(tmp_path: Path) -> None:
    with running(tmp_path, RUN):
        pass
    in_file = read_key_file(key_file(DATABASE))
    async with started(in_file) as store:
        await keep(store, "1", in_file)
    await rotated(f"{NEW},{in_file}")
    assert await opened_with(NEW) == 1


def test_KEY_3_a_start_with_another_key_is_one_sentence_and_exit_2(tmp_path: Path) -> None:
    with running(tmp_path, RUN, MOMENTS_SECRET_KEY=OLD) as it:
        assert it.stop()[0] == 0
    done = moments(tmp_path, "run", MOMENTS_SECRET_KEY=NEW)
    assert (done.returncode, done.stderr) == (2, f"moments: {WRONG_KEY}\n")
    with running(tmp_path, RUN, MOMENTS_SECRET_KEY=BOTH) as it:
        assert it.stop()[0] == 0


async def test_KEY_3_the_doctor_says_that_a_key_is_wrong_or_gone() -> None:
    async with started(OLD):
        pass
    assert await finding(NEW, "secret key") == (1, f"FAIL  secret key: {WRONG_KEY}")
    code, line = await finding(None, "secret key")
    assert code == 1
    assert line.startswith("FAIL  secret key: moments.key is missing, and this database was made with it.")
    assert await finding(OLD, "secret key") == (0, "ok    secret key: from MOMENTS_SECRET_KEY")


async def test_the_doctor_says_who_has_to_connect_again() -> None:
    async with started(OLD) as store:
        await keep(store, "1", OLD)
        await keep(store, "2", OLD)
    assert (await finding(OLD, "tokens"))[1] == "ok    tokens: those of 2 accounts work, as far as was told"
    change(DATABASE, "UPDATE credential SET state = 'dead' WHERE user_id = '2'")
    assert (await finding(OLD, "tokens"))[1] == (
        "warn  tokens: login2 has to connect again: http://localhost:8099/twitch/connect"
    )


async def test_the_wrong_key_can_be_given_up_by_a_backup_and_its_restore(tmp_path: Path) -> None:
    async with started(OLD) as store:
        await keep(store, "1", OLD)
    for words in (["backup", "saved.db"], ["restore", "saved.db"]):
        done = moments(tmp_path, *words, MOMENTS_SECRET_KEY=NEW)
        assert (done.returncode, done.stderr) == (0, "")
    assert "1 account must connect again" in done.stdout
    async with started(NEW) as store:
        assert await credentials.held(store) == []
