"""What /metrics counts: numbers only, never a name, an id or an address in a label (API-5)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

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
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from storage import WriterStats


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

        self._left_out = _LeftOut()
        self.registry.register(self._left_out)
        self._children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def count(self, route: str, status: int, seconds: float) -> None:
        """One more answered request; routes are templates, so there are few."""
        children = self._children.get((route, status))
        if children is None:  # finding a child by its labels takes longer than counting does
            children = self.requests.labels(route, status), self.seconds.labels(route)
            self._children[route, status] = children
        children[0].inc()
        children[1].observe(seconds)

    def show_store(self, stats: Callable[[], WriterStats]) -> None:
        """Show what the store has written since it was opened, as it is whenever somebody asks."""
        self.registry.register(_Written(stats))

    def show_chat(self, stats: Callable[[], "ChatStats"]) -> None:
        """Show what became of the replies to a chat, as it is whenever somebody asks."""
        self.registry.register(_Said(stats))

    def show_left_out(self, platform: str, counts: Mapping[str, int]) -> None:
        """Show how many of a platform's events could not be read, all kinds together, as it is whenever asked."""
        self._left_out.of[platform] = counts

    def text(self) -> bytes:
        """Everything, in the Prometheus text format."""
        return generate_latest(self.registry)


class _Written(Collector):
    def __init__(self, stats: Callable[[], WriterStats]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Counters the store keeps itself."""
        stats = self._stats()
        yield CounterMetricFamily("moments_marks", "Marks kept", stats.marks)
        yield CounterMetricFamily("moments_commits", "Transactions committed", stats.commits)
        yield CounterMetricFamily("moments_failed_batches", "Batches of which nothing could be kept", stats.failures)


class ChatStats(Protocol):
    """What a platform's outbox counts."""

    waiting: int
    sent: int
    dropped: int
    summed_up: int
    refused: int


class _Said(Collector):
    def __init__(self, stats: Callable[[], ChatStats]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Counters the outbox keeps itself."""
        stats = self._stats()
        yield GaugeMetricFamily("moments_replies_waiting", "Replies that wait for their turn in chat", stats.waiting)
        yield CounterMetricFamily("moments_replies_sent", "Replies said in chat", stats.sent)
        yield CounterMetricFamily("moments_replies_dropped", "Replies given up; their marks are kept", stats.dropped)
        yield CounterMetricFamily("moments_replies_summed_up", "Marks answered together", stats.summed_up)
        yield CounterMetricFamily("moments_replies_refused", "Replies the platform did not show", stats.refused)


class _LeftOut(Collector):
    def __init__(self) -> None:
        self.of: dict[str, Mapping[str, int]] = {}

    def collect(self) -> Iterator[Metric]:
        """Counters the platforms keep themselves."""
        shown = CounterMetricFamily("moments_events_left_out", "Events that could not be read", labels=["platform"])
        for platform, counts in self.of.items():
            shown.add_metric([platform], sum(counts.values()))
        yield shown


METRICS = web.AppKey("metrics", Metrics)
