"""The site put together, and the socket it listens on."""

import asyncio
import errno
import socket
from typing import cast
from urllib.parse import urlsplit

from aiohttp import web

from commands.services import Services
from moments.errors import MomentsError
from web_export import (
    api,
    choosing,
    clients,
    connect,
    csrf,
    downloads,
    health,
    join,
    legal,
    linking,
    links,
    login,
    me,
    moderating,
    moment_page,
    own_moments,
    track_page,
)
from web_export.finishing import add_finishing
from web_export.hardening import Connection, Door, Patience
from web_export.keys import CONFIG, SERVICES, SiteConfig
from web_export.limits import Limits
from web_export.metrics import METRICS, Metrics
from web_export.middleware import HOSTS, HTTPS, LARGEST_BODY, LIMITS, MIDDLEWARES, finish_headers, hosts
from web_export.pages import add_pages
from web_export.picture import add_pictures
from web_export.recorded_api import add_recorded

CLOSING_SECONDS = 1.0
"""How long answers under way may take to end by themselves; after as long again they are cut."""


def make_app(
    services: Services,
    config: SiteConfig,
    *,
    limits: Limits | None = None,
    metrics: Metrics | None = None,
) -> web.Application:
    """The site as an application, not yet listening."""
    app = web.Application(middlewares=MIDDLEWARES, client_max_size=LARGEST_BODY)
    app[SERVICES] = services
    app[CONFIG] = config
    app[METRICS] = metrics or Metrics()
    app[METRICS].show_store(lambda: services.store.stats)
    app[LIMITS] = limits or Limits()
    app[clients.TRUSTED] = clients.networks(config.trusted_proxies)
    public = urlsplit(services.public_url)
    app[HOSTS] = hosts(public.hostname, config.host)
    app[HTTPS] = public.scheme == "https"
    app.on_response_prepare.append(finish_headers)
    add_finishing(app)
    add_pages(app)
    add_recorded(app)
    app.add_routes([*downloads.routes, *api.routes, *health.routes])
    app.add_routes([*login.routes, *connect.routes, *me.routes, *linking.routes, *csrf.routes])
    app.add_routes([*links.routes, *moderating.routes, *choosing.routes, *join.routes, *legal.routes])
    app.add_routes([*moment_page.routes, *track_page.routes, *own_moments.routes])
    add_pictures(app)
    return app


class Site:
    """Listens on config.host:config.port from start() to close(). Port 0 takes any free one; `port` says which."""

    def __init__(
        self,
        services: Services,
        config: SiteConfig,
        *,
        app: web.Application | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.config = config
        self.app = app or make_app(services, config)
        self.patience = patience or Patience()
        self.port = config.port
        self._runner = web.AppRunner(
            self.app, handle_signals=False, shutdown_timeout=CLOSING_SECONDS, handler_cancellation=True
        )
        self._listener: asyncio.Server | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def metrics(self) -> Metrics:
        """What /metrics shows."""
        return self.app[METRICS]

    async def start(self) -> asyncio.Task[None]:
        """Listen; requests are answered from here on. Raises MomentsError when the address cannot be had.

        The task ends only when the site does, or fails.
        """
        await self._runner.setup()
        server = cast("web.Server", self._runner.server)
        door = Door(self.patience, self.app[clients.TRUSTED], self.metrics, https=self.app[HTTPS])
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                lambda: Connection(server, door), self.config.host, self.config.port
            )
        except OSError as error:
            await self._runner.cleanup()
            raise _unlistenable(error, self.config) from error
        self.port = self._listener.sockets[0].getsockname()[1]
        self._keeper = asyncio.create_task(door.keep(), name="site sweeper")
        return self._keeper

    async def close(self) -> None:
        """Stop listening, end what is open, within two seconds or so."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            await self._runner.cleanup()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None


def _unlistenable(error: OSError, config: SiteConfig) -> MomentsError:
    host, port = config.host, config.port
    if error.errno == errno.EADDRINUSE:
        return MomentsError(f"Port {port} is in use. Stop the other program or set MOMENTS_WEB_PORT.")
    if error.errno == errno.EACCES:
        return MomentsError(f"Port {port} needs an administrator's rights. Set MOMENTS_WEB_PORT to 1024 or more.")
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return MomentsError(
            f"This machine has no address {host}. Set MOMENTS_WEB_HOST to 127.0.0.1, or to 0.0.0.0 for all of its own."
        )
    return MomentsError(f"The site cannot listen on {host}, port {port}: {error.strerror}.")
