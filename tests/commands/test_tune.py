"""Tuning: it searches by the code of run.py, says no before trial 0, prunes, survives, and never doubles a trial."""

import functools
import json
import multiprocessing
import os
import signal
import subprocess
import time
from collections import Counter
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml

from phalanx.commands import (
    _study,
    _study_methods,
    _study_outcome,
    _study_storage,
    _study_trials,
    run,
    tune,
)
from phalanx.commands._experiment import Experiment
from phalanx.commands._study import Axis, StudyConfig
from phalanx.commands._study_space import Space
from phalanx.core.errors import ConfigError
from phalanx.view import _html

REPOSITORY = Path(__file__).parents[2]
RATE = {"train.optimiser.lr": {"low": 1e-3, "high": 1e-1, "log": True}}
QUICK = ("train.epochs=1", "train.validate_every=1")


def put(configs: Path, name: str = "rate", **changes: Any) -> None:
    """Write a study."""
    values = {"space": RATE, "repeats": 0, "sampler": "random", "pruner": "none", **changes}
    (configs / "study").mkdir(exist_ok=True)
    (configs / "study" / f"{name}.yaml").write_text(f"# A study\n{yaml.safe_dump(values)}")


def start(configs: Path, *arguments: str, n_trials: int = 2, study: str = "rate") -> int:
    return tune.main(["config=tiny", f"study={study}", f"n_trials={n_trials}", *arguments], configs)


def report(tmp_path: Path, name: str = "rate-tiny") -> dict[str, Any]:
    return json.loads((tmp_path / "runs" / "tune" / name / "summary.json").read_text())


@pytest.fixture(autouse=True)
def _packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plotly's script takes most of a second to compress, for every page anew."""
    monkeypatch.setattr(_html, "plotly", plotly)


plotly = functools.cache(_html.plotly)


@pytest.fixture(autouse=True, scope="module")
def _forkserver() -> None:
    """A process that imports everything while the first tests run, and from which workers are forked."""
    ours = [
        "commands._study_training",
        "commands._study_outcome",
        "models._smp",
        "datasets.phantom",
        "methods.supervised",
    ]
    others = ["albumentations", "segmentation_models_pytorch", "torch.utils.tensorboard", "plotly.graph_objects"]
    multiprocessing.set_forkserver_preload([*(f"phalanx.{name}" for name in ours), *others])
    forkserver.ensure_running()


def process(configs: Path, *arguments: str, n_trials: int) -> multiprocessing.process.BaseProcess:
    """A worker on its own."""
    told = ["config=tiny", "study=rate", f"n_trials={n_trials}", *arguments]
    worker = multiprocessing.get_context("forkserver").Process(target=tune.main, args=(told, configs))
    worker.start()
    return worker


def trials(storage: str, name: str = "rate-tiny") -> list[optuna.trial.FrozenTrial]:
    with _study_storage.calm():
        opened = _study_storage.opened(storage, lambda study, trial: None)
        study = optuna.load_study(study_name=name, storage=opened)
        found = study.get_trials(deepcopy=False)
        _study_storage.close(study)
        return found


def refused(capsys: pytest.CaptureFixture[str], status: int) -> str:
    assert status == 1
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    return lines[0]


def test_a_study_ends_with_the_noise_floor_and_a_configuration_for_run(configs, tmp_path, capsys) -> None:
    put(configs, repeats=2)
    assert start(configs, *QUICK) == 0
    said = capsys.readouterr()
    folder = tmp_path / "runs" / "tune" / "rate-tiny"
    found = report(tmp_path)
    assert [trial["number"] for trial in found["trials"]] == [0, 1]
    assert [entry["repeat"] for entry in found["default"]] == [0, 1]
    dice = [entry["dice"] for entry in found["default"]]
    assert found["noise"]["deviation"] == pytest.approx(np.std(dice, ddof=1))
    best = max(found["trials"], key=lambda trial: trial["dice"])
    assert found["gain"] == pytest.approx(best["dice"] - np.mean(dice))
    assert "Noise floor: 2 seeds" in said.out
    assert "not applied" in said.out
    assert f"optuna-dashboard {folder / 'journal.log'}" in said.out
    # Seeds differ in the repeats and nowhere else.
    seeds = {path.parent.name: yaml.safe_load(path.read_text())["seed"] for path in folder.glob("*[0-9]/config.yaml")}
    assert seeds == {"default0": 3, "default1": 4, "trial0000": 3, "trial0001": 3}
    # The best values are a configuration that run.py takes.
    (configs / "best.yaml").write_text((folder / "best.yaml").read_text())
    assert run.main(["config=best", "--print"], configs) == 0
    taken = yaml.safe_load(capsys.readouterr().out)
    assert taken["train"]["optimiser"]["lr"] == best["labels"]["train.optimiser.lr"]
    assert taken["data"]["folds"]["train"] == []
    assert taken["run"] == "best"
    page = (folder / "study.html").read_text()
    assert all(f'id="chart-{name}"' in page for name in ("history", "parallel", "slices"))
    assert "http://" not in page.split("<script>")[0]
    # Again: nothing is done twice.
    assert start(configs, *QUICK) == 0
    assert report(tmp_path) == found


def test_the_unchanged_configuration_scores_as_in_run(configs, tmp_path) -> None:
    put(configs, repeats=1, validations=0, folds=[1])
    told = ("train.epochs=2", "train.validate_every=1")
    assert start(configs, *told, n_trials=1) == 0
    assert run.main(["config=tiny", "data.folds.train=[1]", *told], configs) == 0
    fold = json.loads((tmp_path / "runs" / "tiny" / "fold1" / "fold.json").read_text())
    assert report(tmp_path)["default"][0]["dice"] == fold["val_dice"]
    rows = [
        (tmp_path / "runs" / place / "fold1" / "metrics.csv").read_text()
        for place in ("tiny", "tune/rate-tiny/default0")
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"train.optimiser.lrr": {"low": 1e-4, "high": 1e-2}}, "Did you mean lr"),
        ({"train.optimizer.lr": {"low": 1e-4, "high": 1e-2}}, "Did you mean optimiser"),
        ({"train.optimiser.lr": {"low": -1e-4, "high": 1e-2}}, "train.optimiser.lr=-0.0001"),
        ({"train.schedule.name": {"choices": ["one_cycle", "cosine_restart"]}}, "cosine_restart"),
        ({"train.optimiser.lr": {"low": 1e-4, "hihg": 1e-2}}, "Did you mean high"),
        ({"views.train.0.pp": {"low": 0.1, "high": 0.9}}, "has no argument of this name: pp"),
        ({"views.train.4.p": {"low": 0.1, "high": 0.9}}, "no such place in a list"),
        ({"seed": {"low": 0, "high": 9}}, "a seed is no parameter"),
        ({"data.folds.count": {"choices": [2, 3]}}, "what trials are measured on"),
        ({**RATE, "train.clip_norm": {"low": 0.0, "high": 1.0, "when": {"train.optimiser.nmae": "sgd"}}}, "nmae"),
    ],
)
def test_a_mistake_stops_before_trial_0(configs, tmp_path, capsys, space, said) -> None:
    put(configs, space=space)
    begun = time.monotonic()
    assert said in refused(capsys, start(configs))
    assert time.monotonic() - begun < 5
    assert not (tmp_path / "runs").exists()


def test_wrong_usage_and_help(configs, capsys) -> None:
    put(configs)
    assert tune.main(["config=tiny", "study=rate"], configs) == 2
    assert "n_trials=30 is needed" in capsys.readouterr().err
    assert start(configs, "--fast") == 2
    assert start(configs, n_trials=0) == 2
    assert "Did you mean rate?" in refused(capsys, start(configs, study="raet"))
    assert tune.main(["--help"], REPOSITORY / "configs") == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("phantom", "schedule", "optimiser", "postprocess"))
    assert start(configs, "--print") == 0
    assert "0.001 to 0.1, log" in capsys.readouterr().out


def test_shipped_studies_fit_the_demo(capsys) -> None:
    names = sorted(path.stem for path in (REPOSITORY / "configs" / "study").glob("*.yaml"))
    assert names == ["architecture", "augmentation", "loss", "optimiser", "postprocess", "schedule"]
    for name in names:
        assert tune.main(["config=phantom", f"study={name}", "--print"], REPOSITORY / "configs") == 0
    assert "seed" not in capsys.readouterr().out


def test_pruning_prunes_and_saves_epochs(configs, tmp_path) -> None:
    # A rate of next to nothing learns nothing; with this seed the grid comes to it last.
    space = {"train.optimiser.lr": {"choices": [2e-2, 1e-2, 1e-9]}}
    put(configs, space=space, sampler="grid", pruner={"name": "median", "startup_trials": 1}, validations=4)
    assert start(configs, "train.epochs=4", "train.schedule={name: constant}", n_trials=9) == 0
    found = report(tmp_path)
    assert [trial["labels"]["train.optimiser.lr"] for trial in found["trials"]][2:] == [1e-9]
    early = [trial for trial in found["trials"] if trial["state"] == "ended early"]
    assert early
    for trial in early:
        assert trial["epochs"][0] < trial["epochs"][1] == 4
        assert len(trial["curve"]) == trial["epochs"][0]
    saved = sum(4 - trial["epochs"][0] for trial in early)
    assert found["saved"] == {"epochs": saved, "planned": 12, "share": saved / 12}
    left = [path for path in (tmp_path / "runs").rglob("*") if path.suffix in (".ckpt", ".safetensors")]
    assert left == []


def test_a_failed_trial_is_recorded_and_the_study_goes_on(configs, tmp_path) -> None:
    # A rate without end makes NaN; a batch of nine finds no nine cases.
    put(configs, space={"train.optimiser.lr": {"choices": [1e-2, 1e30]}}, sampler="grid")
    assert start(configs, "train.epochs=2", "train.clip_norm=0", "train.batch_size=1") == 0
    found = report(tmp_path)
    states = {trial["labels"]["train.optimiser.lr"]: trial for trial in found["trials"]}
    assert states[1e30]["state"] == "failed"
    assert "training diverged" in states[1e30]["reason"]
    assert states[1e-2]["state"] == "done"


def test_a_trial_without_memory_is_recorded(configs, tmp_path, monkeypatch) -> None:
    from phalanx.train import fit

    kept, calls = fit.fit, []

    def hungry(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 GB")
        return kept(*arguments, **keywords)

    monkeypatch.setattr(fit, "fit", hungry)
    put(configs)
    assert start(configs, *QUICK) == 0
    assert [trial["state"] for trial in report(tmp_path)["trials"]] == ["failed", "done"]
    assert "out of memory" in report(tmp_path)["trials"][0]["reason"]


def test_ctrl_c_ends_cleanly_and_the_trial_is_done_next_time(configs, tmp_path, monkeypatch, capsys, request) -> None:
    from phalanx.commands import _study_training

    put(configs)
    # A shell that starts the tests in the background lets them ignore Ctrl-C.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, inherited))
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        # A real signal, through all of Lightning.
        patched.setattr(_study_training._Watch, "__call__", lambda *_: os.kill(os.getpid(), signal.SIGINT))
        assert start(configs, *QUICK) == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert "run the same command again" in capsys.readouterr().err
    assert start(configs, *QUICK) == 0
    found = report(tmp_path)
    # Number 1 is the second attempt at trial 0.
    assert [(trial["number"], trial["state"]) for trial in found["trials"]] == [(0, "done"), (2, "done")]
    assert [trial["retries"] for trial in found["trials"]] == [1, 0]


def test_other_settings_are_refused(configs, capsys) -> None:
    put(configs)
    assert start(configs, *QUICK, n_trials=1) == 0
    capsys.readouterr()
    assert "train.batch_size was 2, now 1" in refused(capsys, start(configs, *QUICK, "train.batch_size=1"))
    assert "sampler.name was 'random', now 'tpe'" in refused(capsys, start(configs, *QUICK, "study.sampler=tpe"))


def once(found: list[optuna.trial.FrozenTrial]) -> list[float]:
    """Rates of the trials that are over, each number once; whatever was queued again is over exactly once."""
    over = _study_trials.finished(found, 3)
    numbers = Counter(trial.user_attrs.get("first", trial.number) for trial in over)
    assert max(numbers.values()) == 1
    waiting = [trial for trial in found if not trial.state.is_finished()]
    assert waiting == []
    assert not _study_trials.lost(found)
    return [trial.params["train.optimiser.lr"] for trial in over]


def kill_in_mid_trial(configs: Path, tmp_path: Path, *arguments: str) -> None:
    """Two workers; one is killed without warning while it trains, the other one goes on alone."""
    put(configs)
    told = ("train.epochs=3", "train.validate_every=1", "study.validations=0", *arguments)
    folder = tmp_path / "runs" / "tune" / "rate-tiny"
    first = process(configs, *told, n_trials=2)
    while first.is_alive() and not any(folder.glob("trial0000/fold0/last.ckpt")):
        time.sleep(0.01)
    # Held in the middle of its trial until the second one has a trial too.
    os.kill(first.pid or 0, signal.SIGSTOP)
    second = process(configs, *told, n_trials=2)
    while second.is_alive() and not any(folder.glob("trial0001/fold0")):
        time.sleep(0.01)
    first.kill()
    first.join()
    second.join(120)
    assert (first.exitcode, second.exitcode) == (-signal.SIGKILL, 0)


def test_kill_9_of_one_of_two_workers(configs, tmp_path) -> None:
    kill_in_mid_trial(configs, tmp_path)
    storage = str(tmp_path / "runs" / "tune" / "rate-tiny" / "journal.log")
    found = trials(storage)
    rates = once(found)
    assert len(rates) == len(set(rates)) == 2
    again = [trial for trial in found if trial.user_attrs.get("retried")]
    assert len(again) == 1
    dead = found[again[0].user_attrs["first"]]
    assert dead.state == optuna.trial.TrialState.FAIL
    assert again[0].params == dead.params
    # It went on in its folder: epochs that were reported before the kill are still there, none twice.
    assert set(dead.intermediate_values.items()) <= set(again[0].intermediate_values.items())
    assert sorted(again[0].intermediate_values) == [1, 2, 3]
    assert len(list((tmp_path / "runs" / "tune" / "rate-tiny").glob("trial*"))) == 2


def test_a_torn_last_line_of_the_journal_is_cut_off(tmp_path) -> None:
    path = tmp_path / "journal.log"
    for place in range(3):
        study = optuna.create_study(
            study_name="same", load_if_exists=True, storage=_study_storage.opened(str(path), lambda study, trial: None)
        )
        study.tell(study.ask(), place)
        with path.open("ab") as file:
            file.write(b'{"op_code":5,"worker_' if place else b"")
    assert [trial.value for trial in trials(str(path), "same")] == [0, 1, 2]


def test_a_trial_of_another_machine_is_left_alone_until_it_is_silent(configs, tmp_path, monkeypatch) -> None:
    storage = _study_storage.opened(str(tmp_path / "journal.log"), lambda study, trial: None)
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    trial.set_user_attr("host", "elsewhere:/runs")
    trial.set_user_attr("alive", time.time() - 100)
    config = StudyConfig.model_validate({"space": RATE})
    worker = _study_trials.Worker(config, None, None, tmp_path, seed=0, beats=True)  # type: ignore[arg-type]
    worker.recover(study)
    assert [one.state.name for one in study.trials] == ["RUNNING"]
    monkeypatch.setattr(_study_storage, "GRACE", 50)
    worker.recover(study)
    # Failed, but not queued: the other machine may be about to do so itself.
    assert [one.state.name for one in study.trials] == ["FAIL"]
    monkeypatch.setattr(_study_storage, "GRACE", -1)
    worker.recover(study)
    worker.recover(study)
    assert [one.state.name for one in study.trials] == ["FAIL", "WAITING"]


def test_a_trial_that_kills_its_workers_is_given_up(tmp_path) -> None:
    study = optuna.create_study()
    for _ in range(4):
        study.tell(study.ask().number, state=optuna.trial.TrialState.FAIL)
        for trial in _study_trials.lost(study.trials):
            _study_trials.requeue(study, trial, 3)
    assert len(study.trials) == 4
    assert [trial.number for trial in _study_trials.finished(study.trials, 3)] == [3]
    assert not _study_trials.may_start(study, 1, 3)


def space(axes: dict[str, Any], configs: Path) -> Space:
    from phalanx.commands import _experiment

    start = _experiment.load(configs, "tiny", []).model_dump(mode="json")
    return Space(StudyConfig.model_validate({"space": axes}), Experiment, start)


def test_values_are_laid_over_the_experiment(configs) -> None:
    found = space(
        {
            "train.optimiser.momentum": {"low": 0.5, "high": 0.9, "when": {"train.optimiser.name": "sgd"}},
            "train.optimiser.name": {"choices": ["adamw", "sgd"]},
            "model": {"choices": {"small": {"decoder_channels": [8, 8, 8]}, "same": {}}},
            "model.name": {"choices": ["unet", "unetplusplus"]},
            "views.train.0.p": {"low": 0.0, "high": 1.0},
        },
        configs,
    )
    found.check()
    assert found.order.index("train.optimiser.name") < found.order.index("train.optimiser.momentum")
    assert not found.active("train.optimiser.momentum", {"train.optimiser.name": "adamw"})
    labels = {
        "train.optimiser.name": "sgd", "train.optimiser.momentum": 0.7, "model": "small", "model.name": "unetplusplus",
        "views.train.0.p": 0.25,
    }  # fmt: skip
    values = found.values(labels)
    # A changed name keeps what both know (lr, weight_decay ...) and forgets the rest (betas).
    kept = {"lr": 5e-3, "weight_decay": 1e-2, "backbone_lr_factor": 1.0}
    assert values["train"]["optimiser"] == {"name": "sgd", "momentum": 0.7, **kept}
    assert values["model"]["decoder_channels"] == [8, 8, 8]
    assert (values["model"]["name"], values["model"]["encoder"]) == ("unetplusplus", "resnet18")
    assert values["views"]["train"][0] == {"name": "HorizontalFlip", "p": 0.25}
    assert found.start["views"]["train"][0]["p"] == 0.5
    text = _study_outcome.changes(found, labels)
    assert yaml.safe_load(text)["views"] == {"train": [{"name": "HorizontalFlip", "p": 0.25}]}


def test_keys_that_wait_for_each_other_are_refused(configs) -> None:
    axes = {
        "train.epochs": {"low": 1, "high": 2, "when": {"train.batch_size": 1}},
        "train.batch_size": {"low": 1, "high": 2, "when": {"train.epochs": 1}},
    }
    with pytest.raises(ConfigError, match="wait for each other"):
        space(axes, configs)


@pytest.mark.parametrize(
    "axis",
    [{}, {"low": 1}, {"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"low": 1, "high": 2, "choices": [1]}],
)
def test_an_axis_is_one_thing(axis) -> None:
    with pytest.raises(ValueError, match="low|choices"):
        Axis.model_validate(axis)


def test_studies_that_cannot_work_are_refused() -> None:
    for changes in (
        {"objectives": ["dice", "seconds"], "pruner": "median"},
        {"objectives": ["dice", "seconds"], "sampler": "cmaes"},
        {"objectives": ["seconds"]},
        {"pruner": "wilcoxon", "folds": [0, 1, 2, 3]},
        {"sampler": "grid"},
    ):
        with pytest.raises(ValueError, match="objective|wilcoxon|grid|postprocess"):
            StudyConfig.model_validate({"space": RATE, **changes})
    assert StudyConfig.model_validate({"space": RATE, "objectives": ["dice", "seconds"]}).pruner.name == "none"


@pytest.mark.parametrize("name", ["tpe", "cmaes", "gp", "random", "grid", "nsga2"])
def test_every_sampler_draws_what_its_place_says(name, configs) -> None:
    axes = {
        "train.optimiser.lr": {"low": 1e-3, "high": 1e-1, "step": 1e-3}
        if name == "grid"
        else RATE["train.optimiser.lr"],
        "train.epochs": {"low": 1, "high": 8},
        "train.clip_norm": {"choices": [0.0, 1.0]},
    }
    found = space(axes, configs)
    settings = _study.SamplerConfig.model_validate({"name": name, "startup_trials": 3})

    def drawn() -> list[dict[str, Any]]:
        with _study_storage.calm():
            study = optuna.create_study(direction="maximize")
            for place in range(6):
                study.sampler = _study_methods.sampler(settings, found, 5, place)
                trial = study.ask()
                labels = {key: _study_methods.suggest(trial, key, found.axes[key]) for key in found.order}
                study.tell(trial, -abs(labels["train.optimiser.lr"] - 0.01) - labels["train.epochs"])
            return [trial.params for trial in study.trials]

    first = drawn()
    assert first == drawn()
    assert len({str(labels) for labels in first}) == 6
    assert all(isinstance(labels["train.epochs"], int) for labels in first)


@pytest.mark.parametrize("name", ["median", "hyperband", "wilcoxon", "none"])
def test_every_pruner_ends_the_hopeless_and_spares_the_best(name) -> None:
    settings = _study.PrunerConfig.model_validate({"name": name, "startup_trials": 2})
    with _study_storage.calm():
        study = optuna.create_study(
            direction="maximize", pruner=_study_methods.pruner(settings, 9), study_name="same", sampler=None
        )

        def objective(trial: optuna.Trial) -> float:
            for step in range(1, 10):
                trial.report(step / 20 - 0.4 * (trial.number >= 6), step)
                if step < 9 and trial.should_prune():
                    raise optuna.TrialPruned
            return 0.45 - 0.4 * (trial.number >= 6)

        study.optimize(objective, n_trials=12)
    states = [trial.state.name for trial in study.trials]
    assert set(states[:6]) == {"COMPLETE"} or name == "hyperband"
    assert ("PRUNED" in states[6:]) == (name != "none")


def test_one_member_is_tuned_and_a_budget_of_minutes_ends_the_study(configs, tmp_path, capsys) -> None:
    put(configs)
    with (configs / "tiny.yaml").open("a") as file:
        file.write("members: {a: {train: {clip_norm: 0.5}}, b: {train: {clip_norm: 0.25}}}\n")
    assert "choose" in refused(capsys, start(configs, "member=xyz")).lower()
    assert start(configs, *QUICK, "member=b", "study.minutes=1e-9") == 0
    found = report(tmp_path, "rate-tiny-b")
    assert found["trials"] == []
    settings = optuna.load_study(
        study_name="rate-tiny-b",
        storage=_study_storage.opened(str(tmp_path / "runs/tune/rate-tiny-b/journal.log"), lambda study, trial: None),
    ).user_attrs["settings"]
    assert settings["experiment"]["train"]["clip_norm"] == 0.25


def test_luck_of_the_best_of_many() -> None:
    draws = np.random.default_rng(0).normal(size=(20_000, 30)).max(1).mean()
    assert _study_outcome.expected_best(30) == pytest.approx(draws, abs=0.02)


def test_validations_are_spread_and_end_at_the_end() -> None:
    from phalanx.commands import _study_training
    from phalanx.train.settings import TrainConfig

    for epochs, wanted, each in ((30, 5, 6), (50, 5, 10), (31, 5, 1), (8, 5, 2), (1, 5, 1), (30, 0, 8)):
        settings = TrainConfig(epochs=epochs, validate_every=8)
        assert _study_training.spacing(settings, wanted) == each


def test_dice_and_seconds(configs, tmp_path) -> None:
    put(configs, objectives=["dice", "seconds"], sampler="nsga2")
    assert start(configs, *QUICK, n_trials=1) == 0
    assert report(tmp_path)["front"] == [0]
    assert 'id="chart-front"' in (tmp_path / "runs" / "tune" / "rate-tiny" / "study.html").read_text()


def test_a_database_by_its_url(configs, tmp_path, capsys) -> None:
    put(configs)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    assert start(configs, *QUICK, f"storage={url}", n_trials=1) == 0
    assert start(configs, *QUICK, f"storage={url}", n_trials=1) == 0
    assert len(once(trials(url))) == 1
    capsys.readouterr()
    line = refused(capsys, start(configs, *QUICK, "storage=postgresql://me:secret@127.0.0.1:1/none", "run=other"))
    assert "secret" not in line
    assert "cannot be opened" in line


def test_postprocessing_needs_no_training(configs, tmp_path, capsys) -> None:
    axes = {
        "threshold": {"low": 0.2, "high": 0.8, "step": 0.01},
        "steps": {"choices": {"none": [], "small": [{"name": "remove_small", "smallest": 4}]}},
        "steps.0.smallest": {"low": 2, "high": 64, "log": True, "when": {"steps": "small"}},
    }
    (configs / "study").mkdir()
    (configs / "study" / "after.yaml").write_text(yaml.safe_dump({"of": "postprocess", "space": axes}))
    assert "oof.zarr" in refused(capsys, start(configs, study="after"))
    assert run.main(["config=tiny", *QUICK, "train.optimiser.lr=0.03"], configs) == 0
    capsys.readouterr()
    assert start(configs, *QUICK, study="after", n_trials=6) == 0
    said = capsys.readouterr().out
    assert "Paired over 4 groups of cases" in said
    found = report(tmp_path, "after-tiny")
    scores = json.loads((tmp_path / "runs" / "tiny" / "scores.json").read_text())
    # Logits are stored in steps of 1/16; the band scores the same pixels.
    assert found["default"][0]["dice"] == pytest.approx(scores[0]["mean"], abs=1e-3)
    recipe = yaml.safe_load((tmp_path / "runs" / "tune" / "after-tiny" / "best.yaml").read_text())
    assert recipe["kind"] == "soft"
    assert recipe["scores"][0]["mean"] == pytest.approx(found["best"]["dice"], abs=1e-5)


POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture
def postgres(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    """A PostgreSQL of this test alone, on a socket in a folder of its own."""
    import shutil
    import tempfile

    if not POSTGRES:
        pytest.skip("postgres: no programs under /usr/lib/postgresql (Debian: apt install postgresql)")
    programs = POSTGRES[-1]
    # The server refuses to run as root, and a socket's path must be short.
    home = Path(tempfile.mkdtemp(prefix="pg"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(home, user)
    arguments = {"user": user, "check": True, "capture_output": True, "cwd": home}
    data, log = home / "data", home / "log"
    begin = [programs / "pg_ctl", "-D", data, "-l", log, "-w", "-o"]
    try:
        subprocess.run([programs / "initdb", "-D", data, "-U", "me", "-A", "trust", "--no-sync"], **arguments)
        options = f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off"
        subprocess.run([*begin, options, "start"], **arguments)
    except (OSError, LookupError, subprocess.CalledProcessError) as error:
        shutil.rmtree(home, ignore_errors=True)
        pytest.skip(f"postgres: a server cannot be started here ({error})")
    yield f"postgresql://me@/postgres?host={home}"
    subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **arguments)
    shutil.rmtree(home)


@pytest.mark.postgres
def test_two_workers_on_postgresql_one_killed(configs, tmp_path, postgres) -> None:
    kill_in_mid_trial(configs, tmp_path, f"storage={postgres}")
    found = trials(postgres)
    rates = once(found)
    assert len(rates) == len(set(rates)) == 2
    again = [trial for trial in found if trial.user_attrs.get("retried")]
    assert len(again) == 1
    assert again[0].params == found[again[0].user_attrs["first"]].params
