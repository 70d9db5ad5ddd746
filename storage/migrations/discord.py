"""The fourth: Discord. Channels joined to streams, posts that stay true, and accounts that are one person's."""

JOINING: tuple[str, ...] = (
    """
    CREATE TABLE joined (
        discord_channel TEXT PRIMARY KEY,
        guild_id TEXT NOT NULL,
        guild_name TEXT NOT NULL,
        channel_name TEXT NOT NULL,
        channel_id BIGINT NOT NULL REFERENCES channel (id),
        requested_by TEXT NOT NULL,
        moderators INTEGER NOT NULL DEFAULT 0 CHECK (moderators IN (0, 1)),
        joined_at BIGINT NOT NULL
    )
    """,
    "CREATE INDEX joined_of_channel ON joined (channel_id)",
    # Who may manage a server asks; the streamer brings the code, of which only a digest is kept (AZ-4).
    """
    CREATE TABLE join_request (
        discord_channel TEXT PRIMARY KEY,
        guild_id TEXT NOT NULL,
        guild_name TEXT NOT NULL,
        channel_name TEXT NOT NULL,
        requested_by TEXT NOT NULL,
        requested_name TEXT NOT NULL,
        code_digest TEXT NOT NULL UNIQUE,
        expires_at BIGINT NOT NULL
    )
    """,
    # Whose a Discord channel is, so that Discord can be asked who moderates it.
    """
    CREATE TABLE discord_channel (
        discord_channel TEXT PRIMARY KEY,
        guild_id TEXT NOT NULL,
        guild_name TEXT NOT NULL
    )
    """,
)

POSTS: tuple[str, ...] = (
    # Which Discord channel is shown what; `channel_id` is its own, while it is joined to no stream.
    """
    CREATE TABLE feed (
        discord_channel TEXT PRIMARY KEY,
        guild_id TEXT NOT NULL,
        channel_id BIGINT NOT NULL REFERENCES channel (id),
        mode TEXT NOT NULL CHECK (mode IN ('each', 'crowd', 'summary', 'off')),
        min_people INTEGER NOT NULL CHECK (min_people >= 1),
        shows_private INTEGER NOT NULL DEFAULT 0 CHECK (shows_private IN (0, 1)),
        set_by TEXT NOT NULL,
        set_at BIGINT NOT NULL,
        trouble TEXT NOT NULL DEFAULT '',
        trouble_at BIGINT,
        told_at BIGINT
    )
    """,
    "CREATE INDEX feed_in_trouble ON feed (guild_id) WHERE trouble <> ''",
    # Up to which revision a channel is shown a session as it is: what was missed in between is looked at again.
    """
    CREATE TABLE followed (
        discord_channel TEXT NOT NULL,
        session_id TEXT NOT NULL,
        revision BIGINT NOT NULL,
        PRIMARY KEY (discord_channel, session_id)
    )
    """,
    "CREATE INDEX followed_of_session ON followed (session_id)",
    # Messages on Discord. A row outlives what it shows until Discord has deleted the message; no words are in it.
    """
    CREATE TABLE post (
        id INTEGER PRIMARY KEY,
        discord_channel TEXT NOT NULL,
        session_id TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('marks', 'crowd', 'summary')),
        low INTEGER NOT NULL,
        high INTEGER NOT NULL,
        nonce TEXT NOT NULL,
        message_id TEXT NOT NULL DEFAULT '',
        digest TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL CHECK (state IN ('sending', 'posted', 'gone')),
        sent_at BIGINT NOT NULL
    )
    """,
    "CREATE INDEX post_of_session ON post (discord_channel, session_id, kind, low, high)",
    # Answers everybody in a channel reads, by what they show: a mark, or a save (with `quotes`: its words). Doubtful is
    # one whose words may be a later save's by now; a row that is going stays until Discord has deleted the message.
    """
    CREATE TABLE answer (
        guild_id TEXT NOT NULL,
        discord_channel TEXT NOT NULL,
        message_id TEXT NOT NULL,
        session_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        save_id TEXT NOT NULL,
        quotes INTEGER NOT NULL CHECK (quotes IN (0, 1)),
        state TEXT NOT NULL CHECK (state IN ('stands', 'doubtful', 'going')),
        refused_at BIGINT,
        tries INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (message_id, session_id, number, save_id)
    )
    """,
    "CREATE INDEX answer_of_mark ON answer (session_id, number)",
    "CREATE INDEX answer_of_save ON answer (save_id)",
    "CREATE INDEX answer_of_guild ON answer (guild_id)",
    "CREATE INDEX answer_to_go ON answer (discord_channel, message_id) WHERE state <> 'stands'",
    # Marks and saves go in many ways; none of them may forget what was answered, so none has to think of it.
    """
    CREATE TRIGGER mark_gone AFTER DELETE ON mark BEGIN
        UPDATE answer SET state = 'going' WHERE number = OLD.number
        AND session_id = (SELECT public_id FROM session WHERE id = OLD.session_id);
    END
    """,
    """
    CREATE TRIGGER mark_unsaid AFTER UPDATE OF note, hidden_by ON mark
    WHEN NEW.hidden_by IS NOT NULL OR NEW.note <> OLD.note BEGIN
        UPDATE answer SET state = 'going' WHERE number = OLD.number
        AND session_id = (SELECT public_id FROM session WHERE id = OLD.session_id)
        AND (quotes = 1 OR NEW.hidden_by IS NOT NULL);
    END
    """,
    """
    CREATE TRIGGER save_gone AFTER DELETE ON save BEGIN
        UPDATE answer SET state = 'going' WHERE save_id = OLD.public_id;
    END
    """,
    """
    CREATE TRIGGER save_unsaid AFTER UPDATE OF words_id, shown ON save
    WHEN OLD.shown = 1 AND (NEW.shown = 0 OR NEW.words_id IS NOT OLD.words_id) BEGIN
        UPDATE answer SET state = 'doubtful' WHERE quotes = 1 AND state = 'stands'
        AND save_id = (SELECT public_id FROM save WHERE id = OLD.words_id);
    END
    """,
)

LINKING: tuple[str, ...] = (
    # Accounts that joined another's person. Until a link is settled, neither reaches what is the other's (AZ-5).
    """
    CREATE TABLE account_link (
        account_id BIGINT PRIMARY KEY REFERENCES account (id),
        linked_at BIGINT NOT NULL,
        settled INTEGER NOT NULL CHECK (settled IN (0, 1))
    )
    """,
    # What was linked and unlinked lately: counted, told to the other side, and undone again in restored backups.
    """
    CREATE TABLE link_change (
        id INTEGER PRIMARY KEY,
        at BIGINT NOT NULL,
        platform TEXT NOT NULL,
        user_id TEXT NOT NULL,
        other_platform TEXT NOT NULL,
        other_user_id TEXT NOT NULL,
        act TEXT NOT NULL CHECK (act IN ('linked', 'unlinked', 'sent off')),
        told INTEGER NOT NULL CHECK (told IN (0, 1))
    )
    """,
    "CREATE INDEX link_change_by ON link_change (platform, user_id)",
    "CREATE INDEX link_change_other ON link_change (other_platform, other_user_id)",
    """
    CREATE TABLE link_code (
        platform TEXT NOT NULL,
        user_id TEXT NOT NULL,
        display_name TEXT NOT NULL,
        digest TEXT NOT NULL UNIQUE,
        expires_at BIGINT NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        by_platform TEXT,
        by_user_id TEXT,
        PRIMARY KEY (platform, user_id)
    )
    """,
)

CARDS: tuple[str, ...] = (
    # The chat message a link was taken from, for who saved a part of what it leads to.
    "ALTER TABLE save ADD COLUMN message_url TEXT NOT NULL DEFAULT ''",
    # What was saved in a place lately, newest first, whatever is saved elsewhere.
    "CREATE INDEX save_of_origin ON save (origin, id)",
)

DISCORD = (
    "Discord: channels joined to streams, posts that stay true, accounts that are one person's",
    (*JOINING, *POSTS, *LINKING, *CARDS),
)
