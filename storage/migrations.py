"""The tables, as an append-only list of migrations.

Order is important: add new migrations at the end, never change one that has been released. Each says in its first
words why it exists. All that are missing are applied at start in one transaction; a newer database is refused.
Instants are whole microseconds since 1970 in UTC; lengths and offsets are whole seconds.
"""

from pathlib import Path

import aiosqlite

from moments.errors import StoreDamaged, StoreNewer
from storage._sqlite import APPLICATION_ID, scalar, sentences

_LIVE_LOOP = (
    "The live loop: channels, their sessions and segments, people and their marks",
    (
        """
        CREATE TABLE channel (
            id INTEGER PRIMARY KEY,
            platform TEXT NOT NULL,
            platform_id TEXT NOT NULL,
            display_name TEXT NOT NULL,
            visibility TEXT NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'private')),
            cooldown_seconds INTEGER CHECK (cooldown_seconds >= 0),
            crowd_window_seconds INTEGER CHECK (crowd_window_seconds >= 0),
            lead_seconds INTEGER CHECK (lead_seconds >= 0),
            UNIQUE (platform, platform_id)
        )
        """,
        "CREATE TABLE person (id INTEGER PRIMARY KEY)",
        """
        CREATE TABLE account (
            id INTEGER PRIMARY KEY,
            person_id BIGINT NOT NULL REFERENCES person (id),
            platform TEXT NOT NULL,
            user_id TEXT NOT NULL,
            display_name TEXT NOT NULL,
            UNIQUE (platform, user_id)
        )
        """,
        """
        CREATE TABLE session (
            id INTEGER PRIMARY KEY,
            public_id TEXT NOT NULL UNIQUE,
            channel_id BIGINT NOT NULL REFERENCES channel (id),
            title TEXT NOT NULL,
            game TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('active', 'paused', 'ended')),
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            last_number INTEGER NOT NULL DEFAULT 0,
            revision BIGINT NOT NULL DEFAULT 0
        )
        """,
        # At most one session of a channel is not ended, whoever writes.
        "CREATE UNIQUE INDEX session_open ON session (channel_id) WHERE status <> 'ended'",
        "CREATE INDEX session_of_channel ON session (channel_id, created_at)",
        "CREATE INDEX session_newest ON session (created_at)",
        """
        CREATE TABLE segment (
            session_id BIGINT NOT NULL REFERENCES session (id),
            segment_index INTEGER NOT NULL CHECK (segment_index >= 1),
            start_time BIGINT NOT NULL,
            end_time BIGINT CHECK (end_time >= start_time),
            created_at BIGINT NOT NULL,
            stream_id TEXT,
            PRIMARY KEY (session_id, segment_index)
        )
        """,
        "CREATE UNIQUE INDEX segment_open ON segment (session_id) WHERE end_time IS NULL",
        """
        CREATE TABLE mark (
            session_id BIGINT NOT NULL,
            number INTEGER NOT NULL CHECK (number >= 1),
            segment_index INTEGER NOT NULL,
            offset_seconds INTEGER NOT NULL CHECK (offset_seconds >= 0),
            adjust_seconds INTEGER NOT NULL,
            instant BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            account_id BIGINT NOT NULL REFERENCES account (id),
            submitted_by TEXT NOT NULL,
            note TEXT NOT NULL,
            platform TEXT NOT NULL,
            source_message_id TEXT,
            hidden_by TEXT,
            hidden_reason TEXT,
            PRIMARY KEY (session_id, number),
            FOREIGN KEY (session_id, segment_index) REFERENCES segment (session_id, segment_index)
        )
        """,
        # The order people read marks in; hidden ones are in nobody's way.
        """
        CREATE INDEX mark_in_order ON mark (session_id, segment_index, offset_seconds, number)
        WHERE hidden_by IS NULL
        """,
        "CREATE INDEX mark_of_account ON mark (account_id, session_id, number)",
        "CREATE INDEX mark_hidden ON mark (hidden_by) WHERE hidden_by IS NOT NULL",
        "CREATE UNIQUE INDEX mark_message ON mark (platform, source_message_id) WHERE source_message_id IS NOT NULL",
        # Who removed their newest mark: their cooldown counts from it all the same.
        """
        CREATE TABLE pace (
            channel_id BIGINT NOT NULL REFERENCES channel (id),
            person_id BIGINT NOT NULL REFERENCES person (id),
            last_accepted BIGINT NOT NULL,
            PRIMARY KEY (channel_id, person_id)
        )
        """,
        # Messages that changed something but made no mark (an adjust, an end): delivered again, they do nothing.
        """
        CREATE TABLE handled_message (
            platform TEXT NOT NULL,
            message_id TEXT NOT NULL,
            session_id BIGINT,
            number INTEGER,
            handled_at BIGINT NOT NULL,
            PRIMARY KEY (platform, message_id)
        )
        """,
        # Who asked to be forgotten, as keyed digests: a restored backup forgets them again (PRIV-4).
        "CREATE TABLE forgotten (digest TEXT PRIMARY KEY, forgotten_at BIGINT NOT NULL)",
    ),
)

_TWITCH = (
    "Twitch: what channels choose, who is logged in, what was granted, and what may be kept only for a day",
    (
        # What links call a channel is display data: platforms rename people (ID-1).
        "ALTER TABLE channel ADD COLUMN login TEXT",
        "ALTER TABLE channel ADD COLUMN login_expires_at BIGINT",
        """
        ALTER TABLE channel ADD COLUMN who_may_mark TEXT NOT NULL DEFAULT 'everyone'
        CHECK (who_may_mark IN ('everyone', 'subscribers', 'vips', 'moderators'))
        """,
        "ALTER TABLE channel ADD COLUMN reply_level TEXT CHECK (reply_level IN ('full', 'brief', 'none'))",
        "ALTER TABLE channel ADD COLUMN names INTEGER NOT NULL DEFAULT 1 CHECK (names IN (0, 1))",
        "ALTER TABLE channel ADD COLUMN bare_commands TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE channel ADD COLUMN mirror_markers INTEGER NOT NULL DEFAULT 0 CHECK (mirror_markers IN (0, 1))",
        "ALTER TABLE channel ADD COLUMN promote INTEGER NOT NULL DEFAULT 0 CHECK (promote IN (0, 1))",
        "ALTER TABLE channel ADD COLUMN link_epoch INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE session ADD COLUMN vod_shift_seconds INTEGER NOT NULL DEFAULT 0",
        # The stream itself, as the platform tells of it; a session may be started, paused and ended beside it.
        """
        CREATE TABLE stream_state (
            channel_id BIGINT PRIMARY KEY REFERENCES channel (id),
            stream_id TEXT NOT NULL,
            started_at BIGINT NOT NULL,
            offline_at BIGINT,
            paused_by_us INTEGER NOT NULL DEFAULT 0 CHECK (paused_by_us IN (0, 1))
        )
        """,
        # Guests with an expiry date (research/providers.md R1): nothing of our own depends on them.
        """
        CREATE TABLE api_stream (
            session_id BIGINT PRIMARY KEY REFERENCES session (id),
            provider TEXT NOT NULL,
            title TEXT NOT NULL,
            game TEXT NOT NULL,
            fetched_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL
        )
        """,
        """
        CREATE TABLE api_archive (
            provider TEXT NOT NULL,
            video_id TEXT NOT NULL,
            channel_id BIGINT NOT NULL REFERENCES channel (id),
            stream_id TEXT,
            title TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            duration_seconds INTEGER NOT NULL CHECK (duration_seconds >= 0),
            muted TEXT NOT NULL,
            fetched_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            PRIMARY KEY (provider, video_id)
        )
        """,
        "CREATE INDEX api_archive_of_channel ON api_archive (channel_id, created_at)",
        # Tokens, sealed for their own row (KEY-2).
        """
        CREATE TABLE credential (
            platform TEXT NOT NULL,
            user_id TEXT NOT NULL,
            login TEXT NOT NULL,
            access TEXT NOT NULL,
            refresh TEXT NOT NULL,
            scopes TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'dead')),
            expires_at BIGINT,
            validated_at BIGINT,
            used_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            generation BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (platform, user_id)
        )
        """,
        """
        CREATE TABLE connection (
            channel_id BIGINT PRIMARY KEY REFERENCES channel (id),
            state TEXT NOT NULL CHECK (state IN ('connected', 'needs_authorisation', 'disconnected')),
            scopes TEXT NOT NULL,
            connected_at BIGINT NOT NULL,
            changed_at BIGINT NOT NULL
        )
        """,
        # Who went to a provider to log in, until they come back: known by digests only (AUTH-1).
        """
        CREATE TABLE login_attempt (
            state_digest TEXT PRIMARY KEY,
            provider TEXT NOT NULL,
            purpose TEXT NOT NULL,
            browser_digest TEXT NOT NULL,
            nonce TEXT NOT NULL,
            return_path TEXT NOT NULL,
            details TEXT NOT NULL,
            expires_at BIGINT NOT NULL
        )
        """,
        """
        CREATE TABLE web_session (
            id TEXT PRIMARY KEY,
            secret_digest TEXT NOT NULL,
            platform TEXT NOT NULL,
            user_id TEXT NOT NULL,
            display_name TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            seen_at BIGINT NOT NULL,
            moderates TEXT NOT NULL DEFAULT '[]',
            moderates_at BIGINT
        )
        """,
        "CREATE INDEX web_session_of_account ON web_session (platform, user_id)",
        # What moderators and operators did, for the streamer to read (AZ-8); rows are only ever added.
        """
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            channel_id BIGINT NOT NULL REFERENCES channel (id),
            session_id TEXT,
            at BIGINT NOT NULL,
            actor_platform TEXT NOT NULL,
            actor_user_id TEXT NOT NULL,
            act TEXT NOT NULL,
            target TEXT NOT NULL,
            before TEXT NOT NULL,
            after TEXT NOT NULL
        )
        """,
        "CREATE INDEX audit_of_channel ON audit (channel_id, id)",
        "CREATE INDEX audit_of_actor ON audit (actor_platform, actor_user_id)",
        "CREATE INDEX audit_of_target ON audit (target)",
        """
        CREATE TABLE barred (
            channel_id BIGINT NOT NULL REFERENCES channel (id),
            platform TEXT NOT NULL,
            user_id TEXT NOT NULL,
            display_name TEXT NOT NULL,
            barred_by TEXT NOT NULL,
            barred_at BIGINT NOT NULL,
            PRIMARY KEY (channel_id, platform, user_id)
        )
        """,
        """
        CREATE TABLE named_moderator (
            channel_id BIGINT NOT NULL REFERENCES channel (id),
            platform TEXT NOT NULL,
            user_id TEXT NOT NULL,
            display_name TEXT NOT NULL,
            named_at BIGINT NOT NULL,
            PRIMARY KEY (channel_id, platform, user_id)
        )
        """,
        # Crowd moments that were turned into real clips: asked for once, whatever happens in between.
        """
        CREATE TABLE promotion (
            session_id BIGINT NOT NULL REFERENCES session (id),
            number INTEGER NOT NULL,
            state TEXT NOT NULL,
            clip_id TEXT,
            url TEXT,
            requested_by TEXT NOT NULL,
            requested_at BIGINT NOT NULL,
            PRIMARY KEY (session_id, number)
        )
        """,
        "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
        # Which message last worded a mark; few messages do.
        "CREATE INDEX handled_message_of_mark ON handled_message (session_id, number) WHERE number IS NOT NULL",
        # Whoever wants to be forgotten makes nobody wait while all accounts are looked through.
        "CREATE INDEX account_of_person ON account (person_id)",
        "CREATE INDEX pace_of_person ON pace (person_id)",
    ),
)

_SAVES = (
    "Saved moments: recordings on any service, the tracks they are of, who saved which part, and what that adds up to",
    (
        # One for each recording; those that are the same are merged into the oldest of them, and come apart again.
        # `version` grows with every change of what it shows, also across merges.
        """
        CREATE TABLE track (
            id INTEGER PRIMARY KEY,
            public_id TEXT NOT NULL UNIQUE,
            created_at BIGINT NOT NULL,
            merged_into BIGINT REFERENCES track (id),
            version BIGINT NOT NULL DEFAULT 0
        )
        """,
        "CREATE INDEX track_merged ON track (merged_into) WHERE merged_into IS NOT NULL",
        """
        CREATE TABLE track_source (
            id INTEGER PRIMARY KEY,
            provider TEXT NOT NULL,
            media_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            track_id BIGINT NOT NULL REFERENCES track (id),
            UNIQUE (provider, media_id)
        )
        """,
        "CREATE INDEX track_source_of_track ON track_source (track_id)",
        # Which tracks are the same, who or what says so, and why; never deleted, only undone. What is not undone is a
        # forest, and merged_into follows from it alone.
        """
        CREATE TABLE track_merge (
            id INTEGER PRIMARY KEY,
            track_id BIGINT NOT NULL REFERENCES track (id),
            same_as BIGINT NOT NULL REFERENCES track (id),
            method TEXT NOT NULL,
            confidence INTEGER NOT NULL CHECK (confidence BETWEEN 0 AND 100),
            evidence TEXT NOT NULL,
            asked_by TEXT NOT NULL,
            merged_at BIGINT NOT NULL,
            undone_at BIGINT,
            undone_by TEXT
        )
        """,
        "CREATE INDEX track_merge_of_track ON track_merge (track_id)",
        "CREATE INDEX track_merge_same_as ON track_merge (same_as)",
        # Pairs no rule may decide (research/providers.md §3).
        """
        CREATE TABLE match_question (
            id INTEGER PRIMARY KEY,
            track_id BIGINT NOT NULL REFERENCES track (id),
            same_as BIGINT NOT NULL REFERENCES track (id),
            score INTEGER NOT NULL CHECK (score BETWEEN 0 AND 100),
            evidence TEXT NOT NULL,
            asked_at BIGINT NOT NULL,
            answer TEXT CHECK (answer IN ('same', 'different')),
            answered_by TEXT,
            answered_at BIGINT,
            CHECK (track_id < same_as),
            UNIQUE (track_id, same_as)
        )
        """,
        # What services tell of a recording: guests with an expiry date (research/providers.md R1).
        """
        CREATE TABLE api_source (
            provider TEXT NOT NULL,
            media_id TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('known', 'gone', 'private', 'region', 'age')),
            title TEXT,
            by_line TEXT,
            duration_seconds INTEGER CHECK (duration_seconds >= 0),
            isrc TEXT,
            embeddable INTEGER CHECK (embeddable IN (0, 1)),
            age_restricted INTEGER NOT NULL DEFAULT 0 CHECK (age_restricted IN (0, 1)),
            regions_allowed TEXT,
            regions_blocked TEXT,
            live TEXT NOT NULL DEFAULT 'no' CHECK (live IN ('no', 'live', 'upcoming')),
            links TEXT NOT NULL DEFAULT '[]',
            fetched_at BIGINT NOT NULL,
            expires_at BIGINT,
            PRIMARY KEY (provider, media_id)
        )
        """,
        "CREATE INDEX api_source_expires ON api_source (expires_at) WHERE expires_at IS NOT NULL",
        # Ids grow in the order saves are accepted, whatever their dates. replaced_by, words_id, shown and all of cell
        # and edge follow from the other rows (storage/counts.py).
        """
        CREATE TABLE save (
            id INTEGER PRIMARY KEY,
            public_id TEXT NOT NULL UNIQUE,
            track_source_id BIGINT NOT NULL REFERENCES track_source (id),
            account_id BIGINT NOT NULL REFERENCES account (id),
            start_seconds INTEGER NOT NULL CHECK (start_seconds >= 0),
            end_seconds INTEGER NOT NULL,
            note TEXT NOT NULL,
            private INTEGER NOT NULL CHECK (private IN (0, 1)),
            origin TEXT NOT NULL,
            url TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            platform TEXT NOT NULL,
            source_message_id TEXT,
            beyond INTEGER NOT NULL DEFAULT 0 CHECK (beyond IN (0, 1)),
            hidden_by TEXT,
            hidden_reason TEXT,
            replaced_by BIGINT REFERENCES save (id),
            words_id BIGINT,
            shown INTEGER NOT NULL DEFAULT 0 CHECK (shown IN (0, 1)),
            CHECK (start_seconds < end_seconds)
        )
        """,
        "CREATE UNIQUE INDEX save_message ON save (platform, source_message_id) WHERE source_message_id IS NOT NULL",
        "CREATE INDEX save_of_account ON save (account_id, track_source_id)",
        "CREATE INDEX save_of_source ON save (track_source_id, end_seconds)",
        "CREATE INDEX save_beyond ON save (track_source_id, end_seconds) WHERE beyond = 1",
        "CREATE INDEX save_replaced ON save (replaced_by) WHERE replaced_by IS NOT NULL",
        "CREATE INDEX save_hidden ON save (hidden_by) WHERE hidden_by IS NOT NULL",
        # What everybody may see of a recording, newest first.
        """
        CREATE INDEX save_public ON save (track_source_id, id)
        WHERE private = 0 AND replaced_by IS NULL AND beyond = 0
        """,
        # The words everybody may read, for the newest of a range.
        "CREATE INDEX save_shown ON save (track_source_id, start_seconds, end_seconds, id) WHERE shown = 1",
        # How many people's counted saves have exactly this range.
        """
        CREATE TABLE cell (
            track_id BIGINT NOT NULL REFERENCES track (id),
            start_seconds INTEGER NOT NULL,
            end_seconds INTEGER NOT NULL,
            people INTEGER NOT NULL CHECK (people >= 0),
            PRIMARY KEY (track_id, start_seconds, end_seconds)
        )
        """,
        # Holds all that asking for a window needs: its 25 rows are not looked up one by one.
        "CREATE INDEX cell_window ON cell (track_id, start_seconds, end_seconds, people)",
        # By how many the people differ whose saves cover this second from those of the second before.
        """
        CREATE TABLE edge (
            track_id BIGINT NOT NULL REFERENCES track (id),
            second INTEGER NOT NULL,
            change INTEGER NOT NULL,
            PRIMARY KEY (track_id, second)
        )
        """,
    ),
)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (_LIVE_LOOP, _TWITCH, _SAVES)


async def migrate(connection: aiosqlite.Connection, path: Path) -> list[str]:
    """Bring the database up to date, all or nothing; what was applied, in words.

    Raises StoreNewer for a database of a later Moments and StoreDamaged for a file that is not ours.
    """
    with sentences(path):
        if await pending(connection, path) == 0:
            return []
        # FULL already holds; WAL is a property of the file and cannot be set inside a transaction.
        await connection.execute_fetchall("PRAGMA journal_mode = WAL")
        await connection.execute("BEGIN IMMEDIATE")
        try:
            done = []
            missing = await pending(connection, path)  # again: another process may have been faster
            for description, statements in MIGRATIONS[len(MIGRATIONS) - missing :]:
                for statement in statements:
                    await connection.execute(statement)
                done.append(description)
            await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            await connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            await connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                await connection.execute("ROLLBACK")
            raise
    return done


async def pending(connection: aiosqlite.Connection, path: Path) -> int:
    """How many migrations are missing; raises when the file is newer than this Moments, or not ours."""
    with sentences(path):
        # In this order: another process may migrate in between, and its tables must not look like a stranger's.
        tables = await scalar(connection, "SELECT count(*) FROM sqlite_master")
        application = await scalar(connection, "PRAGMA application_id")
        version = await scalar(connection, "PRAGMA user_version")
    if application != APPLICATION_ID and (tables or application):
        raise StoreDamaged(f"{path} is another program's database. Set MOMENTS_DATABASE_URL to a file of its own.")
    if version > len(MIGRATIONS):
        raise StoreNewer(
            f"{path} was written by a newer Moments (version {version}). Update Moments, then start again."
        )
    return len(MIGRATIONS) - version
