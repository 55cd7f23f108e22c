"""Answers of a run as a person reads them: a list, and the defaults that were used."""

from recsys.report.text import Table
from recsys.retrieval.answers import Answer


def told(answer: Answer, title: str) -> str:
    """The list with titles, where the data has any, and below it what must be said of it."""
    has_titles = any(shown.title for shown in answer.items)
    heads = ("rank", "item", *(("title",) if has_titles else ()), "score")
    rows = [
        (rank, shown.name, *((shown.title or "",) if has_titles else ()), shown.score)
        for rank, shown in enumerate(answer.items, start=1)
    ]
    lines = [str(Table(title, heads, rows))] if rows else [title]
    return "\n".join([*lines, *answer.notes, ""])
