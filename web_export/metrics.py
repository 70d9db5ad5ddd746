"""What /metrics counts: numbers only, never a name, an id or an address in a label (API-5)."""

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)


class Metrics:
    """One registry a site, with the process's own figures in it."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Counter(
            "moments_web_requests", "Answered requests", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "moments_web_request_seconds", "From request to last byte", ["route"], registry=self.registry
        )
        self.malformed = Counter("moments_web_malformed", "Requests that were not HTTP", registry=self.registry)
        self.closed = Counter(
            "moments_web_closed_connections", "Sockets closed on the client", ["why"], registry=self.registry
        )

    def text(self) -> bytes:
        """Everything, in the Prometheus text format."""
        return generate_latest(self.registry)


METRICS = web.AppKey("metrics", Metrics)
