"""What records of retrieval keep of an evaluation."""

from recsys.retrieval.evaluation import Evaluation


def metrics_of(found: Evaluation) -> dict[str, float]:
    """All means, the interval of R@20, and R@20 of cold users apart where there are any."""
    low, high = found.interval("recall@20")
    metrics = found.metrics | {"recall@20_low": low, "recall@20_high": high}
    if found.is_cold.any():
        cold, others = (found.of(users)["recall@20"] for users in (found.is_cold, ~found.is_cold))
        metrics |= {"recall@20_cold": cold, "recall@20_known": others}
    return {name: round(float(value), 5) for name, value in metrics.items()}
