"""What every handler of the site may read from its application."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import SecretStr

from commands.services import Services


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """Where the site listens and whom it trusts."""

    host: str = "127.0.0.1"
    port: int = 8080
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose X-Forwarded-For is believed (MOMENTS_TRUSTED_PROXIES)."""
    metrics_token: SecretStr | None = None
    platforms: Callable[[], Mapping[str, Mapping[str, str]]] = field(default=dict)
    """Each running platform's state and since when, as /readyz shows it."""
    contact: str = ""
    """How people reach whoever runs this Moments (MOMENTS_CONTACT)."""


SERVICES = web.AppKey("services", Services)
CONFIG = web.AppKey("config", SiteConfig)
