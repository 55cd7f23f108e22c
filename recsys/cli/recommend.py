"""`recsys recommend`: what a trained run, or a server, would show to users."""

import dataclasses
from typing import Annotated

from tyro.conf import arg

from recsys.cli.answers import shown, told
from recsys.cli.names import MaybeRunPath
from recsys.client import Client, RequestError
from recsys.retrieval.answers import Recommender
from recsys.retrieval.run import open_towers

K = Annotated[int, arg(aliases=["-k"])]


@dataclasses.dataclass(frozen=True)
class Recommend:
    """Recommends items to users, each asked for once; with --url, asks a server.

    A user never seen is shown what most users liked, which is said; `--liked` tells what it likes.
    """

    run_directory: MaybeRunPath = None  # that `train --task retrieval` wrote
    url: str | None = None  # of a server in place of a run, as http://127.0.0.1:8000
    key: str | None = None  # that the server wants
    user: tuple[str, ...] = ()  # as the log spells them; none is somebody new
    k: K = 10  # items; fewer where fewer are left
    exclude_seen: bool = True  # leaves out what the user met, liked or not
    liked: tuple[str, ...] = ()  # items that users like besides: names or titles

    def run(self) -> int:
        """Answers user by user."""
        if (self.run_directory is None) == (self.url is None):
            raise ValueError(
                f"Recommendations come from a run or from a server, got {self.run_directory} and "
                f"{self.url}: give one of them."
            )
        if self.url is not None:
            return self._ask(self.url)
        assert self.run_directory is not None
        recommender = Recommender(open_towers(self.run_directory))
        for user in dict.fromkeys(self.user) or (None,):
            answer = recommender.recommend(
                user, k=self.k, exclude_seen=self.exclude_seen, also_liked=self.liked
            )
            print(told(answer, "For somebody new" if user is None else f"For user {user}"))
        return 0

    def _ask(self, url: str) -> int:
        """Asks a server, user by user."""
        with Client(url, key=self.key) as client:
            for user in dict.fromkeys(self.user) or (None,):
                try:
                    found = client.recommend(
                        user,
                        history=self.liked or None,
                        k=self.k,
                        exclude_seen=self.exclude_seen,
                    )
                except RequestError as error:
                    raise ValueError(str(error)) from error
                print(shown(found, "For somebody new" if user is None else f"For user {user}"))
        return 0
