"""The two towers of the step benchmark in PyTorch: sparse embeddings, SparseAdam, one process."""

import dataclasses
import os
from importlib import metadata
from typing import Any

import numpy as np

from experiments.benchmarks.torch_peers import imported
from recsys.features import Batch
from recsys.models import TwoTower


@dataclasses.dataclass(frozen=True)
class Stepped:
    """What a step says of itself."""

    loss: np.ndarray


class TorchTowers:
    """The same model on the same batches; ids are as torch likes them before the clock starts."""

    recipe = "SparseAdam"

    def __init__(
        self,
        spec: TwoTower,
        batches: list[Batch],
        users: np.ndarray,
        items: np.ndarray,
        *,
        rate: float,
    ):
        """Towers that start from these vectors of users and items."""
        self.torch = torch = imported("torch")
        torch.set_num_threads(os.cpu_count() or 1)
        self.name = f"PyTorch {metadata.version('torch').partition('+')[0]}"
        self.spec = spec
        self.users, self.items = (
            torch.nn.Embedding.from_pretrained(torch.tensor(own), freeze=False, sparse=True)
            for own in (users, items)
        )
        parameters = [*self.users.parameters(), *self.items.parameters()]
        self.optimizer = torch.optim.SparseAdam(parameters, lr=rate)
        self.batches = [self._arranged(batch) for batch in batches]
        self.place = torch.full((len(items),), -1)  # of an item among the candidates

    def step(self, i: int) -> Stepped:
        """One whole train step."""
        loss = self._loss(*self.batches[i % len(self.batches)])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return Stepped(loss.detach().numpy())

    def _arranged(self, batch: Batch) -> tuple[Any, ...]:
        """Ids and masks of a batch as tensors."""
        spec, targets = self.spec, self.spec.targets
        low, valid = (np.asarray(array) for array in (batch.low, batch.valid))
        cuts = [spec.packed.span(name) for name in ("user", "history", "item")]
        user, history, item = (low[:, cut].astype(np.int64) for cut in cuts)
        has_history, has_item = valid[:, cuts[1]], valid[:, cuts[2]]
        counts = np.asarray(batch.numbers)[:, targets:].reshape(-1)
        there = has_item[:, targets:].reshape(-1)
        arrays = (
            user[:, 0],
            history,
            has_history,
            item[:, :targets],
            has_item[:, :targets],
            item[:, targets:].reshape(-1)[there],
            counts[there],
            np.asarray(batch.weight),
        )
        return tuple(self.torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)

    def _loss(
        self, user, history, has_history, target, is_target, candidate, log_count, weight
    ) -> Any:
        torch, normal = self.torch, self.torch.nn.functional.normalize
        mask = has_history[:, :, None]
        mean = (self.items(history) * mask).sum(1) / mask.sum(1).clamp(min=1)
        vector = normal(self.users(user) + mean, dim=1)
        wanted = normal(self.items(target), dim=2)
        others = normal(self.items(candidate), dim=1)
        scores = torch.einsum("bd,btd->bt", vector, wanted) / self.spec.temperature
        logits = vector @ others.T / self.spec.temperature - log_count
        logits = logits.masked_fill(
            self._own(candidate, (history, has_history), (target, is_target)), -torch.inf
        )
        total = torch.logsumexp(logits, dim=1, keepdim=True)
        each = torch.nn.functional.softplus(total - scores)
        share = weight[:, None] * is_target
        return (each * share).sum() / share.sum()

    def _own(self, candidate, *known) -> Any:
        """Which candidates a user is known to have met: by a table of where each item stands."""
        torch = self.torch
        self.place[candidate] = torch.arange(len(candidate))
        met = torch.zeros((len(known[0][0]), len(candidate) + 1), dtype=torch.bool)
        for ids, valid in known:
            at = torch.where(valid, self.place[ids], -1)
            met.scatter_(1, torch.where(at < 0, len(candidate), at), True)
        self.place[candidate] = -1
        return met[:, :-1]
