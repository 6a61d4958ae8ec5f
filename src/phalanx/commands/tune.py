"""`python tune.py config=NAME study=STUDY n_trials=N`: Optuna search over the very training code of `run.py`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phalanx.commands import _experiment, _study, _study_space
from phalanx.commands._exit import guarded
from phalanx.commands._experiment import Experiment
from phalanx.commands._study import StudyConfig
from phalanx.commands._study_space import Space
from phalanx.core import catalogue, config
from phalanx.core.errors import ConfigError, RunError

if TYPE_CHECKING:
    from optuna.study import Study

    from phalanx.commands._study_trials import Work

_USAGE = """Usage: python tune.py config=NAME study=STUDY n_trials=N [key=value ...] [storage=PATH_or_URL] [--print]

Searches the values of a study (configs/study/STUDY.yaml) that score best on held-out cases, by the training code of
run.py, in runs/tune/STUDY-NAME. The configuration as it is, is trained with several seeds first: the noise floor that a
gain must exceed. Nothing is applied; best.yaml holds the best values as a configuration for run.py.

Run the same command again and it goes on where it stopped; run it in another shell, or on another machine with the same
storage, and that one helps. Look in with: optuna-dashboard runs/tune/STUDY-NAME/journal.log (or the URL).

  key=value        changes the experiment, as for run.py; run=OTHER begins another study
  study.key=value  changes the study: study.sampler=gp study.pruner=none study.folds=[0,1] study.minutes=30
  member=NAME      of a configuration with members, which one to tune; without it, what they share
  store=RUN        for postprocess: the run whose predictions are used; without it, that of the configuration
  storage=...      a journal file, or postgresql://..., mysql+pymysql://..., redis://...
  --print          show what is searched and stop

Examples:
  python tune.py config=phantom study=schedule n_trials=30
  python tune.py config=nuclei study=optimiser n_trials=40 study.folds=[0,1] study.pruner=hyperband
  python tune.py config=phantom study=postprocess n_trials=200
  python tune.py config=unetpp_hrnet study=augmentation n_trials=100 storage=postgresql://me@host/studies
"""

_OWN = ("config", "study", "n_trials", "storage", "member", "store")


@dataclass(frozen=True)
class Plan:
    """What the command line asks for.

    Args:
        told: config, study, n_trials, storage, member, store, as text.
        experiment: what is tuned, checked.
        study: its configuration.
        space: what is searched, checked.
    """

    told: dict[str, str]
    experiment: Experiment
    study: StudyConfig
    space: Space

    @property
    def name(self) -> str:
        """Of the study, its folder and its record."""
        member = f"-{self.told['member']}" if "member" in self.told else ""
        return f"{self.told['study']}-{self.experiment.run}{member}"

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.experiment.runs / "tune" / self.name

    @property
    def storage(self) -> str:
        """A path or a URL."""
        return self.told.get("storage") or str(self.folder / "journal.log")


def main(arguments: Sequence[str], configs: Path) -> int:
    """Run the command line; returns the exit status (0 done, 1 input at fault, 2 wrong usage)."""
    if "--help" in arguments or "-h" in arguments or not arguments:
        _help(configs)
        return 0 if arguments else 2
    flags = [text for text in arguments if text.startswith("-")]
    told: dict[str, str] = {}
    rest = []
    for text in arguments:
        key, equals, value = text.partition("=")
        if equals and key in _OWN:
            told[key] = value
        elif text not in flags:
            rest.append(text)
    wrong = _wrong_usage(flags, told)
    if wrong:
        print(f"tune.py: {wrong}; see python tune.py --help", file=sys.stderr)
        return 2
    return guarded(lambda: _start(configs, told, rest, show="--print" in flags))


def plan(configs: Path, told: dict[str, str], rest: Sequence[str]) -> Plan:
    """Everything checked before anything is begun.

    Raises:
        ConfigError: a key, a value or a name is wrong.
    """
    overrides = [text for text in rest if not text.startswith("study.")]
    experiment = _chosen(_experiment.load(configs, told["config"], overrides), told.get("member"))
    study = _study.load(configs, told["study"], _own_changes([text for text in rest if text.startswith("study.")]))
    beyond = [fold for fold in study.folds if fold >= experiment.data.folds.count]
    if study.of == "training" and beyond:
        fix = f"use 0 to {experiment.data.folds.count - 1}"
        raise ConfigError("the study trains a fold that does not exist", beyond[0], fix)
    if study.of == "training":
        space = Space(study, Experiment, experiment.model_dump(mode="json"))
    else:
        space = Space(study, _study.Postprocess, _study.Postprocess().model_dump(mode="json"))
    space.check()
    return Plan(told, experiment, study, space)


def work(asked: Plan) -> None:
    """The study, or what of it is still to do."""
    from phalanx.commands import _study_storage, _study_trials

    asked.folder.mkdir(parents=True, exist_ok=True)
    with _study_storage.calm():
        gate = _study_storage.Gate(asked.folder / ".gate")
        with gate:
            does = _work(asked)
            study, repeats, beats = _opened(asked)
        worker = _study_trials.Worker(
            asked.study, asked.space, does, asked.folder, seed=asked.experiment.seed, beats=beats
        )
        try:
            worker.repeats(repeats)
            worker.trials(study, int(asked.told["n_trials"]))
        except KeyboardInterrupt:
            _conclude(asked, study, repeats, does)
            raise
        else:
            _conclude(asked, study, repeats, does)
        finally:
            _study_storage.close(study)


def _start(configs: Path, told: dict[str, str], rest: Sequence[str], show: bool) -> None:
    asked = plan(configs, told, rest)
    if show:
        _show(asked)
        return
    work(asked)


def _wrong_usage(flags: Sequence[str], told: dict[str, str]) -> str:
    unknown = [flag for flag in flags if flag != "--print"]
    if unknown:
        return f"unknown option {unknown[0]}"
    for key, example in (("config", "config=NAME"), ("study", "study=STUDY"), ("n_trials", "n_trials=30")):
        if not told.get(key) and not (key == "n_trials" and "--print" in flags):
            return f"{example} is needed"
    if not told.get("n_trials", "1").isdigit() or int(told.get("n_trials", "1")) < 1:
        return f"n_trials must be a whole number from 1 on, is {told['n_trials']}"
    return ""


def _own_changes(texts: Sequence[str]) -> dict[str, Any]:
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(OmegaConf.from_dotlist(list(texts)))
    assert isinstance(values, dict)
    return values.get("study", {})


def _chosen(experiment: Experiment, member: str | None) -> Experiment:
    """The member that is tuned, or what all members share."""
    if member is None:
        return experiment.model_copy(update={"members": {}})
    built = _experiment.members(experiment)
    if member not in built or not member:
        hint = catalogue.nearest(member, list(filter(None, built))) if any(built) else "leave member= out"
        raise ConfigError("the configuration has no such member", member, hint)
    return built[member]


def _opened(asked: Plan) -> tuple[Study, Study, bool]:
    """The study, the one of the unchanged configuration, and whether workers must give signs of life themselves."""
    import optuna

    from phalanx.commands import _study_methods, _study_storage, _study_trials
    from phalanx.commands._run_folder import LOG

    storage = _study_storage.opened(
        asked.storage, lambda study, trial: _study_trials.requeue(study, trial, asked.study.retries)
    )
    steps = len(asked.study.folds) * max(asked.study.validations, 1)
    ways = optuna.study.StudyDirection
    directions = [ways.MAXIMIZE if name == "dice" else ways.MINIMIZE for name in asked.study.objectives]
    study = optuna.create_study(
        storage=storage, study_name=asked.name, directions=directions, load_if_exists=True,
        pruner=_study_methods.pruner(asked.study.pruner, steps),
    )  # fmt: skip
    repeats = optuna.create_study(
        storage=storage, study_name=f"{asked.name} unchanged", directions=directions, load_if_exists=True,
        pruner=optuna.pruners.NopPruner(), sampler=optuna.samplers.RandomSampler(0),
    )  # fmt: skip
    _settle(asked, study)
    LOG.info("Study %s in %s", asked.name, _study_storage.hidden(asked.storage))
    return study, repeats, "://" not in asked.storage or asked.storage.startswith("redis")


def _settle(asked: Plan, study: Study) -> None:
    """Keep the settings with the study, or refuse to go on with others."""
    free = {"runs": True, "members": True, "data": {"cache"}, "train": {"workers"}}
    now = {
        "experiment": asked.experiment.model_dump(mode="json", exclude=free),
        "study": asked.study.model_dump(mode="json", exclude={"minutes", "retries"}),
    }
    known = study.user_attrs.get("settings")
    fix = "choose another run=NAME, or delete the study"
    if known is None:
        if any(asked.folder.glob("trial*")):
            raise RunError("the folder holds trials of another study", asked.folder, fix)
        study.set_user_attr("settings", now)
    elif known != now:
        before, after = _flat(known), _flat(now)
        key = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))[0]
        seen = f"{key.partition('.')[2]} was {before.get(key)!r}, now {after.get(key)!r}"
        raise RunError(f"{asked.name} is a study with other settings", seen, fix)


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {prefix[:-1]: values}
    return {key: value for name, inner in values.items() for key, value in _flat(inner, f"{prefix}{name}.").items()}


def _work(asked: Plan) -> Work:
    if asked.study.of == "postprocess":
        from phalanx.commands._study_postprocess import Postprocessing

        run = asked.told.get("store")
        return Postprocessing(Path(run) if run else asked.experiment.runs / asked.experiment.run)
    from phalanx.commands import _cases
    from phalanx.commands._run_folder import RunFolder
    from phalanx.commands._study_training import Training

    folder = RunFolder(asked.folder / "data", asked.experiment.model_dump(mode="json"))
    try:
        return Training(asked.study, _cases.prepare(asked.experiment, folder))
    finally:
        folder.close()


def _conclude(asked: Plan, study: Study, repeats: Study, does: Any) -> None:
    """Write the page and the best configuration, and say what came out."""
    from phalanx.commands import _study_outcome, _study_storage
    from phalanx.core import files

    command = (
        f"python tune.py config={asked.told['config']} study={asked.told['study']} n_trials={asked.told['n_trials']}"
    )
    titles = {"title": f"study {asked.told['study']} of {asked.experiment.run}", "command": command}
    report = _study_outcome.summary(study, repeats, asked.space, asked.study, titles)
    best, path = report["best"], asked.folder / "best.yaml"
    if best is not None:
        name = f"{asked.name}".replace("-", "_")
        if asked.study.of == "postprocess":
            values = asked.space.values(best["labels"])
            report["verdict"] += does.sentences(values, asked.space.start)
            text = does.recipe(values, path)
        else:
            text = _study_outcome.experiment_text(asked.space, best["labels"], report, name, path)
        files.write_text(path, text)
    page = _study_outcome.write(report, asked.folder)
    for line in _study_outcome.sentences(report):
        print(line)
    if best is not None:
        print(f"\nBest values, not applied; the whole configuration is {path}:\n")
        print(_study_outcome.changes(asked.space, best["labels"]))
    print(f"Wrote {page}; live: optuna-dashboard {_study_storage.hidden(asked.storage)}")


def _show(asked: Plan) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("key", "values", "as it is", "only when", box=None, pad_edge=False)
    for row in _study_space.lines(asked.space):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140).print(table, highlight=False, markup=False)
    print("\n" + config.to_yaml(asked.study.model_dump(mode="json", exclude={"space"})), end="")


def _help(configs: Path) -> None:
    print(_USAGE)
    for title, folder in (
        ("Configurations (configs/NAME.yaml)", configs),
        ("Studies (configs/study/STUDY.yaml)", configs / "study"),
    ):
        print(f"{title}:")
        for name, line in config.available(folder).items():
            print(f"  {name:18} {line}")
        print()
