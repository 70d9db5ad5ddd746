"""A Discord with a guild, a channel, a person, and an application that is connected."""

from tests.fake_discord.application import CLIP, SAVE, Application
from tests.fake_discord.server import FakeDiscord


class Town:
    """Everything once."""

    def __init__(self, discord: FakeDiscord, app: Application) -> None:
        self.discord, self.app = discord, app
        self.guild = discord.guild("Night Owls")
        self.channel = discord.channel(self.guild, "clips")
        self.sable = discord.user("sable", global_name="Sable")
        self.rival = discord.user("rival")

    async def open(self) -> None:
        self.ear = await self.app.shard()
        assert (await self.app.sync(CLIP, SAVE)).status == 200
