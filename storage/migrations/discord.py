"""The fourth: Discord. Channels joined to streams, posts that stay true, and accounts that are one person's."""

JOINING: tuple[str, ...] = ()

POSTS: tuple[str, ...] = ()

LINKING: tuple[str, ...] = ()

CARDS: tuple[str, ...] = ()

DISCORD = (
    "Discord: channels joined to streams, posts that stay true, accounts that are one person's",
    (*JOINING, *POSTS, *LINKING, *CARDS),
)
