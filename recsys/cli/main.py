"""The command `recsys`: its subcommands, and what it says when something is wrong."""

import errno
import itertools
import logging
import os
import sys
from collections.abc import Sequence

from tyro.extras import SubcommandApp

from recsys.cli.compress import Compress
from recsys.cli.describe import Describe
from recsys.cli.evaluate import Evaluate
from recsys.cli.explain import Explain
from recsys.cli.export import Export
from recsys.cli.importing import Import
from recsys.cli.inspect import Inspect
from recsys.cli.methods import Methods
from recsys.cli.predict import Predict
from recsys.cli.recommend import Recommend
from recsys.cli.serve import Serve
from recsys.cli.similar import Similar
from recsys.cli.skills import Skills
from recsys.cli.train import Train
from recsys.cli.train_explicit import TrainExplicit
from recsys.cli.train_towers import TrainTowers

ABOUT = """From a table of events to a trained, evaluated model.

    recsys data describe events.csv
    recsys data import events.csv
    recsys train events.store
"""
TASKS = {"clicks": Train, "retrieval": TrainTowers, "explicit": TrainExplicit}
WRONG, INTERRUPTED, NOBODY_READS = 2, 130, 141  # exit status


def app(arguments: Sequence[str] = ()) -> SubcommandApp:
    """Every subcommand: one line each. The task decides what `train` can be told."""
    data, commands = SubcommandApp(), SubcommandApp()
    data.command(name="describe")(Describe)
    data.command(name="import")(Import)
    commands.command(data, name="data", help="Raw files to examples on disk.")
    commands.command(name="train")(TASKS.get(_task(arguments), Train))
    commands.command(name="evaluate")(Evaluate)
    commands.command(name="predict")(Predict)
    commands.command(name="inspect")(Inspect)
    commands.command(name="export")(Export)
    commands.command(name="serve")(Serve)
    commands.command(name="recommend")(Recommend)
    commands.command(name="similar")(Similar)
    commands.command(name="explain")(Explain)
    commands.command(name="skills")(Skills)
    commands.command(name="compress")(Compress)
    commands.command(name="methods")(Methods)
    return commands


def _task(arguments: Sequence[str]) -> str:
    """The word behind `--task`, if there is one."""
    for word, following in itertools.pairwise([*arguments, ""]):
        if word.startswith("--task"):
            return word.partition("=")[2] or following
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit status.

    What is wrong with the input is one sentence; `python -X dev -m recsys` also shows where in the
    code it was found.
    """
    if not sys.flags.dev_mode:
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # what Orbax logs is raised as well
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return app(arguments).cli(prog="recsys", description=ABOUT, args=arguments).run()
    except KeyboardInterrupt:
        print("Interrupted: the same command begins again or goes on.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
        return NOBODY_READS
    except (ValueError, OSError) as error:
        if sys.flags.dev_mode:
            raise
        print(f"recsys: {sentence(error)}", file=sys.stderr)
        return WRONG


def sentence(error: Exception) -> str:
    """What is wrong, on one line; errors of the system name their file."""
    if isinstance(error, OSError) and error.strerror:
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return f"{what}: make room, and give the same command again." if is_full else f"{what}."
    return " ".join(str(error).split())
