"""How often an item is expected in a batch, estimated from a stream of batches.

For logs whose counts are not known beforehand or drift. Yi et al. (RecSys 2019, algorithm 2)
average the steps between two sightings, which says nothing of an item that comes several times in
one batch; here the counts themselves are averaged, so that such an item is right as well.
"""

import numpy as np
from jaxtyping import Float, UInt64


class StreamingCounts:
    """Moving averages of counts a batch, in a fixed number of slots.

    Items that share a slot share their count, so that neither is ever underestimated for it. An
    item is only touched when it comes: its average decays for the steps in between.
    """

    def __init__(self, *, slots: int = 1 << 20, decay: float = 0.999):
        """Starts with nothing seen.

        Args:
            slots: of the averages, 12 bytes each; a few times the catalogue.
            decay: of an average at each batch, in [0, 1); 1 / (1 - decay) batches are remembered.
        """
        if slots < 1 or not 0 <= decay < 1:
            raise ValueError(
                "StreamingCounts wants slots of at least 1 and a decay in [0, 1), got "
                f"slots={slots} and decay={decay}."
            )
        self.slots, self.decay, self.batches = slots, decay, 0
        self._average = np.zeros(slots, np.float64)
        self._last = np.zeros(slots, np.int32)  # the batch that each average is of

    def add(self, items: UInt64[np.ndarray, " items"]) -> None:
        """Takes note of the items of one batch, an item as often as it comes."""
        self.batches += 1
        slots, counts = np.unique(items % np.uint64(self.slots), return_counts=True)
        kept = self.decay ** (self.batches - self._last[slots])
        self._average[slots] = kept * self._average[slots] + (1 - self.decay) * counts
        self._last[slots] = self.batches

    def log_count(self, items: UInt64[np.ndarray, " items"]) -> Float[np.ndarray, " items"]:
        """The log of how often each is expected in a batch; of what never came, as if it had come
        once in the batches remembered.
        """
        slots = items % np.uint64(self.slots)
        decayed = self._average[slots] * self.decay ** (self.batches - self._last[slots])
        seen = 1 - self.decay**self.batches  # an average that started at nothing is too small
        return np.log(np.maximum(decayed / max(seen, 1e-12), 1 - self.decay)).astype(np.float32)
