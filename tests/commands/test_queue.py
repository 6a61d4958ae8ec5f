"""Many runs from one command line: which they are, what they are called, and that one failure stops nobody."""

import json
import os
from pathlib import Path

import pytest

from phalanx.commands import _queue, run
from phalanx.core.errors import ConfigError, RunError


def asked(text: str) -> _queue.Asked:
    return _queue.understand(text.split())


def test_one_run_is_what_it_was() -> None:
    found = asked("config=a train.epochs=2 data.folds.train=[0,1] seed=7")
    # A comma outside of config, seed and fold belongs to the value.
    assert found == _queue.Asked(("a",), ("7",), ("train.epochs=2", "data.folds.train=[0,1]"))
    assert not found.several


def test_lists_multiply() -> None:
    found = asked("config=a,b seed=0,1,2 fold=0,2 x=1,2")
    assert (found.configs, found.seeds) == (("a", "b"), ("0", "1", "2"))
    assert found.overrides == ("x=1,2", "data.folds.train=[0,2]")
    assert found.several
    assert asked("config=a fold=all").overrides == ("data.folds.train=[]",)
    assert asked("config=a fold=3").overrides == ("data.folds.train=[3]",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed=1", "config=NAME is needed"),
        ("config=a config=b", "config=NAME is needed, once"),
        ("config=a,", "config=a, has an empty item"),
        ("config=a seed=0,1,0", "seed=0,1,0 has a repeated item"),
        ("config=a fold=first", "fold=first must be all, or numbers such as 0,2"),
        ("config=a fold=0,", "fold=0, must be"),
    ],
)
def test_wrong_usage(text: str, said: str, configs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(_queue.UsageError) as raised:
        asked(text)
    assert said in str(raised.value)
    assert run.main(text.split(), configs) == 2
    assert said in capsys.readouterr().err


def names(configs: Path, text: str) -> list[str]:
    found = _queue.jobs(configs, asked(text))
    assert [f"run={job.folder.name}" in job.overrides for job in found] == [len(found) > 1] * len(found)
    return [job.folder.name for job in found]


@pytest.fixture
def two(configs: Path) -> Path:
    """A second configuration beside `tiny`."""
    (configs / "small.yaml").write_text("# Small\nbase: tiny\ntrain: {epochs: 1}\n")
    return configs


def test_names(two: Path) -> None:
    assert names(two, "config=tiny") == ["tiny"]
    assert names(two, "config=tiny seed=5") == ["tiny"]
    assert names(two, "config=tiny seed=5,6") == ["tiny_seed5", "tiny_seed6"]
    assert names(two, "config=tiny,small") == ["tiny", "small"]
    assert names(two, "config=tiny,small seed=1,2") == ["tiny_seed1", "tiny_seed2", "small_seed1", "small_seed2"]
    assert names(two, "config=tiny seed=1,2 run=try") == ["try_seed1", "try_seed2"]
    assert names(two, "config=tiny,small seed=4 run=try") == ["try_tiny", "try_small"]


def test_what_the_jobs_are(two: Path) -> None:
    found = _queue.jobs(two, asked("config=tiny,small seed=1,2 fold=1 train.batch_size=3"))
    assert [(job.experiment.seed, job.experiment.train.epochs) for job in found] == [(1, 4), (2, 4), (1, 1), (2, 1)]
    assert {job.experiment.data.folds.train for job in found} == {(1,)}
    assert {job.experiment.train.batch_size for job in found} == {3}


def test_all_are_validated_before_the_first_begins(two: Path, tmp_path: Path, capsys) -> None:
    (two / "broken.yaml").write_text("# Broken\nbase: tiny\ntrain: {epocs: 1}\n")
    assert run.main(["config=tiny,broken"], two) == 1
    assert "unknown key: train.epocs=1" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_two_runs_do_not_share_a_folder(two: Path) -> None:
    for name in ("one", "other"):
        (two / f"{name}.yaml").write_text("# Same\nbase: tiny\nrun: same\n")
    with pytest.raises(ConfigError, match="would share a folder: same"):
        _queue.jobs(two, asked("config=one,other"))


def test_a_failure_stops_nobody(two: Path, capsys) -> None:
    queue = _queue.jobs(two, asked("config=tiny,small seed=1,2"))
    begun = []

    def start(configs: Path, job: _queue.Job) -> str:
        begun.append(job.folder.name)
        return "the disk is full" if len(begun) in (1, 3) else ""

    ended = _queue.work(two, queue, start)
    assert begun == ["tiny_seed1", "tiny_seed2", "small_seed1", "small_seed2"]
    assert "[3/4]" in capsys.readouterr().err
    with pytest.raises(RunError) as raised:
        _queue.refuse(ended)
    assert "2 of 4 runs failed: tiny_seed1 (the disk is full); small_seed1 (the disk is full)" in str(raised.value)
    _queue.refuse([end for end in ended if not end.failure])


def test_print_shows_every_run(two: Path, capsys) -> None:
    assert run.main(["config=tiny,small", "seed=1,2", "--print"], two) == 0
    said = capsys.readouterr().out
    assert [line.rsplit("/")[-1] for line in said.splitlines() if line.startswith("# ")] == names(
        two, "config=tiny,small seed=1,2"
    )


def test_a_queue_for_real(configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    """Two seeds in processes of their own: one is refused its folder, the other is done."""
    from phalanx.commands import _run_folder

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "runs" / "tiny_seed1").mkdir(parents=True)
    lock = _run_folder._lock(tmp_path / "runs" / "tiny_seed1" / ".lock")
    try:
        arguments = ["config=tiny", "seed=1,2", "fold=0", "train.epochs=1", "train.validate_every=1"]
        assert run.main(arguments, configs) == 1
    finally:
        os.close(lock)
    said = capfd.readouterr()
    assert "error: 1 of 2 runs failed: tiny_seed1 (another process works in this run folder:" in said.err
    heading, first, second = said.out.splitlines()[-3:]
    assert heading.split() == ["run", "state", "OOF", "Dice", "95", "%", "minutes", "memory"]
    assert first.split() == ["tiny_seed1", "failed"]
    folder = tmp_path / "runs" / "tiny_seed2"
    dice = json.loads((folder / "scores.json").read_text())[0]
    assert second.split()[:3] == ["tiny_seed2", "done", f"{dice['mean']:.4f}"]
    assert dice["cases"] == 4
    noted = json.loads((folder / "environment.json").read_text())
    assert noted[0]["command"].split() == [
        "config=tiny", "train.epochs=1", "train.validate_every=1", "data.folds.train=[0]", "seed=2", "run=tiny_seed2",
    ]  # fmt: skip
