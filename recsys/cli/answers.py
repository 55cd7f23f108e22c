"""Answers of a run as a person reads them: a list, and the defaults that were used."""

from recsys.client import Ranked
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


def shown(answer: Ranked, title: str) -> str:
    """The same of a server's answer."""
    has_titles = any("title" in item.columns for item in answer.items)
    heads = ("rank", "item", *(("title",) if has_titles else ()), "score")
    rows = [
        (rank, item.id, *((item.columns.get("title") or "",) if has_titles else ()), item.score)
        for rank, item in enumerate(answer.items, start=1)
    ]
    notes = [] if answer.is_known else ["Nothing is known of this user: this is what is popular."]
    notes += [f"Never seen in training: {', '.join(answer.unknown)}."] if answer.unknown else []
    lines = [str(Table(title, heads, rows))] if rows else [title]
    return "\n".join([*lines, *notes, f"Release {answer.release}", ""])
