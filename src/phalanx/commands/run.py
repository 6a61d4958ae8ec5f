"""`python run.py config=NAME`: check the data, train the folds, predict, combine, submit, report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from phalanx.commands import _experiment, _queue, _runs_table
from phalanx.commands._exit import guarded
from phalanx.commands._experiment import Experiment
from phalanx.commands._queue import Asked
from phalanx.core import config
from phalanx.mask import dialect

_USAGE = """Usage: python run.py config=NAME[,NAME] [seed=0,1] [fold=all|0,2] [key=value ...] [--print|--preview|--help]

The main job: checks the data, trains the folds, predicts the held-out (OOF) and the test cases, writes submission,
scores and report to runs/NAME. Run it again and it goes on where it stopped.

Several configurations or seeds, divided by commas, are queued: one run after the other, each in a folder of its own
(NAME_seed0, NAME_seed1 ...), one table at the end. fold= says which folds to train. phalanx runs lists all runs.

  --print     show the resolved configuration and stop
  --preview   write runs/NAME/preview.png, some training images as the network will see them, and stop

Examples:
  python run.py config=phantom
  python run.py config=unetpp_hrnet data.dataset.root=/data/hands train.batch_size=4
  python run.py config=phantom run=quick data.limit=6 train.epochs=2 fold=0
  python run.py config=unetpp_hrnet,unetpp_densenet seed=0,1,2

Configurations (configs/NAME.yaml):"""

_FLAGS = {"--print", "--preview"}


def main(arguments: Sequence[str], configs: Path) -> int:
    """Run the command line; returns the exit status (0 done, 1 input at fault, 2 wrong usage)."""
    if "--help" in arguments or "-h" in arguments or not arguments:
        print(_USAGE)
        for name, line in config.available(configs).items():
            print(f"  {name:18} {line}")
        return 0 if arguments else 2
    flags = [text for text in arguments if text.startswith("-")]
    try:
        wrong = next((flag for flag in flags if flag not in _FLAGS), None)
        if wrong:
            raise _queue.UsageError(f"unknown option {wrong}")
        asked = _queue.understand([text for text in arguments if not text.startswith("-")])
    except _queue.UsageError as error:
        print(f"run.py: {error}; see python run.py --help", file=sys.stderr)
        return 2
    return guarded(lambda: _start(configs, asked, set(flags)))


def _start(configs: Path, asked: Asked, flags: set[str]) -> None:
    queue = _queue.jobs(configs, asked)
    if "--print" in flags:
        for job in queue:
            print(f"# {job.folder}\n" * asked.several + config.to_yaml(job.experiment), end="")
        return
    if "--preview" in flags:
        from phalanx.commands import _preview

        for job in queue:
            _preview.write(job.experiment)
        return
    if not asked.several:
        work(queue[0].experiment, [f"config={queue[0].config}", *queue[0].overrides])
        return
    ended = _queue.work(configs, queue)
    _runs_table.show_queue(ended)
    _queue.refuse(ended)


def work(experiment: Experiment, command: Sequence[str]) -> None:
    """The whole job of one experiment, or what of it is still to do.

    Args:
        experiment: its configuration.
        command: what was typed after `python run.py`, for the record.
    """
    dialect.named(experiment.submit.dialect)
    from phalanx.commands import _cases, _environment, _memory_plan, _outcome, _report_page
    from phalanx.commands._member import Member
    from phalanx.commands._run_folder import LOG, RunFolder

    folder = RunFolder(experiment.runs / experiment.run, experiment.model_dump(mode="json"))
    try:
        LOG.info("Run folder %s", folder.path)
        _environment.record(folder.path, command)
        with folder.timed("check"):
            cases = _cases.prepare(experiment, folder)
        chosen = [Member(name, member, cases, folder) for name, member in _experiment.members(experiment).items()]
        with folder.timed("memory plan"):
            _memory_plan.tell(chosen)
        for member in chosen:
            member.work()
        with folder.timed("combine"):
            scores = _outcome.conclude(experiment, cases, folder)
        with folder.timed("report"):
            page = _report_page.write(experiment, cases, folder.path)
        for entry in scores:
            low, high = entry["interval"]
            LOG.info(
                "%-28s %-5s %.4f [%.4f, %.4f] on %d cases",
                entry["of"],
                entry["metric"],
                entry["mean"],
                low,
                high,
                entry["cases"],
            )
        LOG.info("Look at %s", page)
    finally:
        folder.close()
