"""Export: a trained model to a release, which a server opens without any of this."""

from recsys.export.draft import Draft
from recsys.export.rebuilding import rebuild
from recsys.export.runs import draft_of
from recsys.export.tasks import TASKS
from recsys.export.writing import write

__all__ = ["TASKS", "Draft", "draft_of", "rebuild", "write"]
