"""The command line: from a raw log to a trained, evaluated model, without writing Python."""

from recsys.cli.main import main

__all__ = ["main"]
