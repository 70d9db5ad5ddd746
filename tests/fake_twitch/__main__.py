"""`python -m tests.fake_twitch`: a Twitch to try the whole thing against, by hand, in a browser."""

import argparse
import asyncio

from tests.fake_twitch.server import FakeTwitch

CALLBACKS = ("/twitch/connect/callback", "/login/twitch/callback", "/me/link/twitch/callback")


def settings(twitch: FakeTwitch, bot_id: str) -> list[str]:
    """The lines for moments' environment or its .env."""
    values = {
        "CLIENT_ID": twitch.client_id,
        "CLIENT_SECRET": twitch.client_secret,
        "BOT_ID": bot_id,
        "API_URL": twitch.api_url,
        "AUTH_URL": twitch.auth_url,
        "EVENTSUB_URL": twitch.eventsub_url,
    }
    return [f"MOMENTS_TWITCH_{name}={value}" for name, value in values.items()]


async def serve(port: int, site: str) -> None:
    """Until interrupted."""
    twitch = FakeTwitch(port=port)
    bot = twitch.user("moments_bot")
    for login in ("streamer", "viewer"):
        twitch.user(login)
    twitch.redirect_uris.update(f"{site.rstrip('/')}{path}" for path in CALLBACKS)
    async with twitch:
        print(*settings(twitch, bot.id), sep="\n", flush=True)  # noqa: T201 - what it is for
        print(f"# the control page: {twitch.api_url}/", flush=True)  # noqa: T201
        await asyncio.Event().wait()


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m tests.fake_twitch", description=__doc__)
    words.add_argument("--port", type=int, default=9100, help="where to listen, on 127.0.0.1 (default 9100; 0: any)")
    words.add_argument("--site", default="http://localhost:8080", help="moments' own address, for its redirect URIs")
    given = words.parse_args()
    try:
        asyncio.run(serve(given.port, given.site))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
