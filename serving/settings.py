"""What an operator can choose: addresses, limits, and how requests are put together."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Settings:
    """A server."""

    releases: Path  # one release, or a folder of them, of which the newest is served
    host: str = "127.0.0.1"  # others than this machine need keys
    port: int = 8000  # 0 takes a free one
    admin_port: int | None = None  # where releases are listed and changed; None: on the same port
    keys: Path | None = None  # file of keys; None: whoever reaches the server may ask
    kept: Path | None = None  # folder of changed items; None: .kept beside the releases
    most_body_bytes: int = 1 << 20
    most_k: int = 1_000  # items of an answer
    most_rows: int = 1_024  # of a request
    most_excluded: int = 10_000  # items that a request leaves out by name
    most_waiting: int = 512  # requests in the queue; more are told to come back
    most_together: int = 64  # requests that are answered in one call of a tower; a power of two
    deadline_ms: int = 1_000  # until which a request may wait, if it names no other
    probe_s: float = 30.0  # between measurements of the index with users of late
    logs_requests: bool = False  # a line for each, not only for those that fail

    def __post_init__(self) -> None:
        """Refuses limits that let nothing through."""
        sizes = {
            name: getattr(self, name)
            for name in ("most_body_bytes", "most_k", "most_rows", "most_waiting", "deadline_ms")
        }
        wrong = {name: size for name, size in sizes.items() if size < 1}
        if wrong:
            raise ValueError(f"A server wants limits of at least 1, got {wrong}: raise them.")
        if self.most_together < 1 or self.most_together & (self.most_together - 1):
            raise ValueError(
                f"most_together wants a power of two, got {self.most_together}: calls of a tower "
                "are padded to powers of two."
            )

    @property
    def folder(self) -> Path:
        """Where changed items are, and what a start leaves for the next."""
        is_one = (self.releases / "manifest.json").is_file()
        return self.kept or (self.releases.parent if is_one else self.releases) / ".kept"

    @property
    def buckets(self) -> tuple[int, ...]:
        """Sizes of calls that are compiled before a release is served."""
        return tuple(1 << power for power in range(self.most_together.bit_length()))
