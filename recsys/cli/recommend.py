"""`recsys recommend`: what a trained run would show to users."""

import dataclasses
from typing import Annotated

from tyro.conf import arg

from recsys.cli.answers import told
from recsys.cli.names import RunPath
from recsys.retrieval.answers import Recommender
from recsys.retrieval.run import open_towers

K = Annotated[int, arg(aliases=["-k"])]


@dataclasses.dataclass(frozen=True)
class Recommend:
    """Recommends items to users, each asked for once.

    A user never seen is shown what most users liked, which is said; `--liked` tells what it likes.
    """

    run_directory: RunPath  # that `train --task retrieval` wrote
    user: tuple[str, ...] = ()  # as the log spells them; none is somebody new
    k: K = 10  # items; fewer where fewer are left
    exclude_seen: bool = True  # leaves out what the user met, liked or not
    liked: tuple[str, ...] = ()  # items that users like besides: names or titles

    def run(self) -> int:
        """Answers user by user."""
        recommender = Recommender(open_towers(self.run_directory))
        for user in dict.fromkeys(self.user) or (None,):
            answer = recommender.recommend(
                user, k=self.k, exclude_seen=self.exclude_seen, also_liked=self.liked
            )
            print(told(answer, "For somebody new" if user is None else f"For user {user}"))
        return 0
