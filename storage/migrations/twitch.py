"""The second: what Twitch needs to be kept, and until when."""

TWITCH = (
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
