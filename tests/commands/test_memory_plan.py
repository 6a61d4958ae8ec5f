"""The memory plan of a run: what it says, when it warns, and the batch that `auto` finds and keeps."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from phalanx.commands import _memory_plan, run
from phalanx.commands._member import Member
from phalanx.core.errors import RunError
from phalanx.train import fit, machine
from phalanx.train.memory import Footprint, Line, Probe

GB = 10**9


def start(configs: Path, *arguments: str) -> int:
    return run.main(["config=tiny", *arguments], configs)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list:
    """Runs that end when the first fold would be trained; the batches that they would have taken."""
    batches = []

    def stop(method, train, *arguments, **keywords):
        batches.append(train.batch_size)
        raise RunError("stopped here")

    monkeypatch.setattr(fit, "fit", stop)
    return batches


def plan(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "runs" / "tiny" / "memory_plan.json").read_text())


def test_a_run_says_what_it_will_take(configs: Path, tmp_path: Path, untrained: list, capsys) -> None:
    assert start(configs) == 1
    said = capsys.readouterr().err
    # 64 px, batches of 2, three stages of a ResNet-18 and a small decoder.
    assert "Memory plan of tiny:" in said
    assert "2 x 64 x 64 px a step, 29 classes, 32-true" in said
    for part in ("weights, gradients and optimiser", "activations", "loader", "disk at most", "checkpoints", "stores"):
        assert part in said, part
    assert "warning:" not in said
    found = Footprint.from_dict(plan(tmp_path)["footprint"])
    assert found.optimiser == pytest.approx(8 * found.parameters, rel=0.01)
    # Once: the plan of a run that goes on is read.
    capsys.readouterr()
    before = plan(tmp_path)
    assert start(configs) == 1
    assert plan(tmp_path) == before


def test_what_does_not_fit_is_told_with_the_knob(
    configs: Path, tmp_path: Path, untrained: list, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(machine, "free_memory", lambda: 1000)
    monkeypatch.setattr(machine, "free_disk", lambda path: 1000)
    assert start(configs) == 1
    said = capsys.readouterr().err
    assert "warning: tiny: training takes about 0." in said
    assert "lower data.size, set train.checkpoint_activations=true, train.precision=bf16" in said
    assert "lower predict.batch_size" in said
    assert "the disk may fill up" in said


def test_training_is_not_held_up_by_a_network_that_cannot_be_measured(
    configs: Path, untrained: list, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def refuse(*arguments):
        raise RuntimeError("input of size 64 is not what I was made for")

    monkeypatch.setattr(Probe, "footprint", refuse)
    assert start(configs) == 1
    said = capsys.readouterr().err
    assert "no memory plan: one small training step failed (input of size 64" in said
    assert untrained == [2]
    assert start(configs, "train.batch_size=auto", "run=auto") == 1
    assert "error: train.batch_size=auto cannot measure this network: input of size" in capsys.readouterr().err
    assert untrained == [2]


def test_auto_finds_a_batch_and_keeps_it(
    configs: Path, tmp_path: Path, untrained: list, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    assert start(configs, "train.batch_size=auto") == 1
    found = Footprint.from_dict(plan(tmp_path)["footprint"])
    # Far more would fit than the four cases of a fold; an epoch is not cut down to a single step.
    assert plan(tmp_path)["batch_size"] == 2
    assert "train.batch_size=auto is 2" in capsys.readouterr().err
    # Room for one image, and not for two; the run that goes on keeps its two.
    room = (found.kept + found.training.at(64 * 64) * 1.5) / 0.6
    monkeypatch.setattr(machine, "free_memory", lambda: int(room))
    assert start(configs, "train.batch_size=auto") == 1
    said = capsys.readouterr().err
    assert "2 x 64 x 64 px a step" in said
    assert "auto is" not in said
    assert start(configs, "train.batch_size=auto", "run=small") == 1
    assert untrained == [2, 2, 1]
    monkeypatch.setattr(machine, "free_memory", lambda: int(found.kept))
    capsys.readouterr()
    assert start(configs, "train.batch_size=auto", "run=none") == 1
    assert "error: not even one image fits into memory: 64 x 64 px" in capsys.readouterr().err
    assert len(untrained) == 3


def test_auto_works_without_a_plan_before_it(configs: Path, tmp_path: Path, untrained: list, monkeypatch) -> None:
    # As in a search, where a trial is trained without further ado.
    monkeypatch.setattr(_memory_plan, "tell", lambda members: None)
    assert start(configs, "train.batch_size=auto") == 1
    assert untrained == [2] == [plan(tmp_path)["batch_size"]]


def test_on_an_accelerator_the_batch_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Footprint("cuda", 0, 0, 0, 0, 0, 0, Line(0, 1), Line(0, 1))
    tried = []

    def survives(size, batch: int) -> bool:
        tried.append(batch)
        return batch <= 40

    cases = SimpleNamespace(part=lambda fold, held: [None] * 600)
    member = SimpleNamespace(folds=(0, 1), cases=cases, title="a")
    sample = _memory_plan.Sample((10, 10), (10, 10), 1, 0, 0)
    monkeypatch.setattr(machine, "free_accelerator", lambda: 10_000)
    probe = SimpleNamespace(survives=survives)
    # 90 % of 10000 bytes hold 90 images, eight steps an epoch 75; 75 -> 60 -> 48 -> 38.
    assert _memory_plan._largest(member, sample, found, probe) == 38  # type: ignore[arg-type]
    assert tried == [75, 60, 48, 38]


def test_what_the_loader_and_the_disk_take_by_hand(configs: Path) -> None:
    train = SimpleNamespace(workers=3, top_k=2)
    experiment = SimpleNamespace(train=train, predict=SimpleNamespace(dtype="float16"))
    cases = SimpleNamespace(train=dict.fromkeys("abcde"), test=dict.fromkeys("xyz"), labels=range(7))
    member: Member = SimpleNamespace(experiment=experiment, cases=cases, folds=(0, 1))  # type: ignore[assignment]
    sample = _memory_plan.Sample((4, 6), (10, 12), 1, 100, 30)
    # Three processes and this one hold five cases each; seven batches of two samples are on their way.
    assert _memory_plan._loading(member, sample, 2) == 4 * 5 * 30 + 3 * 32 * 2**20 + 7 * 2 * 100
    found = Footprint("cpu", 0, 1000, 0, 2000, 500, 0, Line(0, 1), Line(0, 1))
    stored = _memory_plan._stored(member, sample, found)
    # The last checkpoint twice; three files of weights for each of two folds; eight cases; 7 classes of 2 bytes.
    assert stored == {"checkpoints": 2 * 3500 + 6000, "cache": 8 * 30, "stores": 8 * 7 * 120 * 2}


def test_the_plan_is_quick(configs: Path, untrained: list, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, kept = [], _memory_plan.tell

    def timed(members) -> None:
        started = time.process_time()
        kept(members)
        seconds.append(time.process_time() - started)

    monkeypatch.setattr(_memory_plan, "tell", timed)
    assert start(configs) == 1
    assert seconds[0] < 3
