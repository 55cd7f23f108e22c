"""`recsys similar`: the items nearest to others."""

import dataclasses

from recsys.cli.answers import told
from recsys.cli.names import RunPath
from recsys.cli.recommend import K
from recsys.retrieval.answers import Recommender
from recsys.retrieval.run import open_towers


@dataclasses.dataclass(frozen=True)
class Similar:
    """Shows the items nearest to others, each asked for once."""

    run_directory: RunPath  # that `train --task retrieval` wrote
    item: tuple[str, ...]  # names as the log spells them, or titles
    k: K = 10  # items; fewer where there are fewer

    def run(self) -> int:
        """Answers item by item."""
        recommender = Recommender(open_towers(self.run_directory))
        for item in dict.fromkeys(self.item):
            print(told(recommender.similar(item, k=self.k), f"Like {item}"))
        return 0
