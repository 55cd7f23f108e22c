"""Ranks that a log holds already, as numbers or as their text: integers from 0 below `values`."""

from collections.abc import Container

import numpy as np

from recsys.data.passes import Columns
from recsys.features import Schema
from recsys.features.columns import refuse
from recsys.features.encoding import measured


def ranked(columns: Columns, schema: Schema, vocabularies: Container[str]) -> Columns:
    """The columns, with integers for those of features that want ranks.

    Args:
        columns: Of a log.
        schema: What is made of it.
        vocabularies: The features whose ranks come out of one.

    Raises:
        BadCellsError: some cell holds no such rank.
    """
    typed = dict(columns)
    for feature in schema.features:
        if feature.kind != "categorical" or feature.cross or feature.values is None:
            continue
        if feature.name in vocabularies:
            continue
        ranks = measured(feature, columns)
        is_rank = (ranks >= 0) & (ranks < feature.values) & (ranks == np.floor(ranks))
        wanted = f"ranks from 0 to {feature.values - 1}, as it has no vocabulary,"
        refuse(~is_rank, columns[feature.name], feature.name, wanted)
        typed[feature.name] = ranks.astype(np.int64)
    return typed
