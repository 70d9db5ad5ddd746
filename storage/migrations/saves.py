"""The third: saved moments, and what they add up to."""

SAVES = (
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
