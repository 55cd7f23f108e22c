"""The PyTorch peers: `Embedding(sparse=True)` with Adagrad, and FBGEMM's fused table on a CPU.

Both run the same network on the same ids. Each gets its ids in the type and order that it likes
best, outside the timed region, and as many threads as there are cores.
"""

import abc
import importlib
import itertools
import os
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.benchmarks.batches import Batch

if TYPE_CHECKING:
    import torch  # pyright: ignore[reportMissingImports]  # an extra that checks do without


def imported(module: str) -> Any:
    """A module of an extra, or a word on how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"The peers need {module.partition('.')[0]}, which is not installed: "
            "run `pip install .[bench]`, or leave them out with --contenders."
        ) from error


class _Peer(abc.ABC):
    """A network over the vectors of all features, trained by plain SGD."""

    def __init__(
        self, *, dim: int, features: int, batches: list[Batch], hidden: tuple[int, ...], rate: float
    ) -> None:
        self.torch = imported("torch")
        self.torch.set_num_threads(os.cpu_count() or 1)
        self.torch.manual_seed(0)
        nn = self.torch.nn
        widths = (features * dim, *hidden, 1)
        layers = []
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            layers += [nn.ReLU()] if i else []
            layers += [nn.Linear(inputs, outputs)]
        self.network = nn.Sequential(*layers)
        self.dense = self.torch.optim.SGD(self.network.parameters(), lr=rate)
        self.loss = nn.functional.binary_cross_entropy_with_logits
        self.labels = [self.torch.from_numpy(labels) for _, labels in batches]
        self.ids = [self.torch.from_numpy(self.arrange(ids)) for ids, _ in batches]
        self.upstream = self.torch.randn(len(batches[0][1]), features * dim)

    def arrange(self, ids: np.ndarray) -> np.ndarray:
        """The ids in the order that the table reads them."""
        return ids

    @abc.abstractmethod
    def look_up(self, i: int) -> "torch.Tensor":
        """The vectors of a batch, joined by example."""

    def update(self) -> None:  # noqa: B027 - FBGEMM's backward pass does
        """Applies the table's gradient, where the backward pass has not done so."""

    def step(self, i: int) -> None:
        """One whole train step."""
        logit = self.network(self.look_up(i))[:, 0]
        loss = self.loss(logit, self.labels[i % len(self.labels)])
        self.dense.zero_grad()
        loss.backward()
        self.dense.step()
        self.update()

    def embedding(self, i: int) -> None:
        """Only the lookup, and the update by a given gradient."""
        self.look_up(i).backward(self.upstream)
        self.update()


class TorchEmbedding(_Peer):
    """`torch.nn.Embedding(sparse=True)`, whose gradient torch sorts and sums, and Adagrad."""

    recipe = "Adagrad"

    def __init__(
        self,
        *,
        rows: int,
        dim: int,
        features: int,
        batches: list[Batch],
        hidden: tuple[int, ...] = (256, 128),
        learning_rate: float = 0.01,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(
            dim=dim, features=features, batches=batches, hidden=hidden, rate=learning_rate
        )
        self.name = f"PyTorch {metadata.version('torch').partition('+')[0]}"
        self.table = self.torch.nn.Embedding(rows, dim, sparse=True)
        self.torch.nn.init.uniform_(self.table.weight, -0.01, 0.01)
        self.sparse = self.torch.optim.Adagrad(
            self.table.parameters(), lr=learning_rate, eps=epsilon
        )

    def look_up(self, i: int) -> "torch.Tensor":
        return self.table(self.ids[i % len(self.ids)]).flatten(1)

    def update(self) -> None:
        self.sparse.step()
        self.sparse.zero_grad()


class FBGEMM(_Peer):
    """FBGEMM's table on the host: all features read one table, updated inside the backward pass."""

    recipe = "row-wise Adagrad"

    def __init__(
        self,
        *,
        rows: int,
        dim: int,
        features: int,
        batches: list[Batch],
        hidden: tuple[int, ...] = (256, 128),
        learning_rate: float = 0.01,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(
            dim=dim, features=features, batches=batches, hidden=hidden, rate=learning_rate
        )
        ops = imported("fbgemm_gpu.split_table_batched_embeddings_ops_training")
        common = imported("fbgemm_gpu.split_table_batched_embeddings_ops_common")
        configs = imported("fbgemm_gpu.split_embedding_configs")
        self.name = f"FBGEMM {metadata.version('fbgemm-gpu-cpu')}"
        self.table = ops.SplitTableBatchedEmbeddingBagsCodegen(
            [(rows, dim, ops.EmbeddingLocation.HOST, ops.ComputeDevice.CPU)],
            feature_table_map=[0] * features,
            optimizer=configs.EmbOptimType.EXACT_ROWWISE_ADAGRAD,
            learning_rate=learning_rate,
            eps=epsilon,
            pooling_mode=common.PoolingMode.SUM,
            bounds_check_mode=common.BoundsCheckMode.NONE,
        )
        self.table.init_embedding_weights_uniform(-0.01, 0.01)
        places = batches[0][0].size
        self.offsets = self.torch.arange(places + 1, dtype=self.torch.int64)  # bags of one id

    def arrange(self, ids: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(ids.T).reshape(-1)  # feature by feature

    def look_up(self, i: int) -> "torch.Tensor":
        return self.table(self.ids[i % len(self.ids)], self.offsets)
