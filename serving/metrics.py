"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """One server's counts; each server has a registry of its own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "recsys_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "recsys_request_seconds",
            "From the request's arrival to its answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.stage = Histogram(
            "recsys_stage_seconds",
            "Parts of a request: queue (a request), encode, tower and index (a batch).",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self.batch = Histogram(
            "recsys_batch_size", "Requests answered together.", buckets=SIZES, registry=registry
        )
        self.waiting = Gauge("recsys_waiting", "Requests in the queue.", registry=registry)
        self.release = Gauge(
            "recsys_release",
            "Share of the requests that a release answers.",
            ["id", "space_id"],
            registry=registry,
        )
        self.swaps = Counter(
            "recsys_swaps", "Changes of the release that is served.", ["how"], registry=registry
        )
        self.empty = Counter(
            "recsys_empty_results", "Answers with fewer items than asked.", registry=registry
        )
        self.unknown_users = Counter(
            "recsys_unknown_users", "Answers by popularity.", registry=registry
        )
        self.imputed = Counter(
            "recsys_imputed",
            "Requests without a feature, which got its default.",
            ["feature"],
            registry=registry,
        )
        self.recall = Gauge(
            "recsys_index_recall",
            "Share of the best items found for users of late.",
            registry=registry,
        )
        self.items = Gauge("recsys_items", "Items that can be found.", registry=registry)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
