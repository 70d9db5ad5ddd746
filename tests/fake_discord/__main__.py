"""`python -m tests.fake_discord`: a Discord to try the whole thing against, by hand, in a browser."""

import argparse
import asyncio

from tests.fake_discord.people import MANAGE_GUILD, MANAGE_MESSAGES
from tests.fake_discord.server import FakeDiscord

CALLBACKS = ("/login/discord/callback", "/me/link/discord/callback")


def settings(discord: FakeDiscord) -> list[str]:
    """The lines for moments' environment or its .env."""
    values = {
        "TOKEN": discord.token,
        "APPLICATION_ID": discord.application_id,
        "CLIENT_SECRET": discord.client_secret,
        "API_URL": discord.api_url,
        "GATEWAY_URL": discord.gateway_url,
    }
    return [f"MOMENTS_DISCORD_{name}={value}" for name, value in values.items()]


def people(discord: FakeDiscord) -> None:
    """A guild with a moderator, a viewer, a channel and a thread; and somebody's direct messages."""
    guild = discord.guild("Night Owls", owner=discord.user("owner"))
    discord.thread(discord.channel(guild, "clips"), "tonight")
    discord.member(guild, discord.user("moderator"), permissions=MANAGE_GUILD | MANAGE_MESSAGES)
    viewer = discord.user("viewer", global_name="Viewer", installed=True)
    discord.member(guild, viewer)
    discord.dm(viewer)


async def serve(port: int, site: str) -> None:
    """Until interrupted."""
    discord = FakeDiscord(port=port)
    people(discord)
    discord.oauth.redirect_uris.update(f"{site.rstrip('/')}{path}" for path in CALLBACKS)
    async with discord:
        print(*settings(discord), sep="\n", flush=True)  # noqa: T201 - what it is for
        print(f"# the control page: http://127.0.0.1:{discord.port}/", flush=True)  # noqa: T201
        await asyncio.Event().wait()


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m tests.fake_discord", description=__doc__)
    words.add_argument("--port", type=int, default=9200, help="where to listen, on 127.0.0.1 (default 9200; 0: any)")
    words.add_argument("--site", default="http://localhost:8080", help="moments' own address, for its redirect URIs")
    given = words.parse_args()
    try:
        asyncio.run(serve(given.port, given.site))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
