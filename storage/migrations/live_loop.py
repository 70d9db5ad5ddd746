"""The first migration: channels, their sessions and segments, people and their marks."""

LIVE_LOOP = (
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
