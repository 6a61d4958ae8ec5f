"""The main job: what it leaves behind, how it goes on, and what it says to a newcomer's mistakes."""

import csv
import errno
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from phalanx.commands import run
from phalanx.core import files

REPOSITORY = Path(__file__).parents[2]


def start(configs: Path, *arguments: str) -> int:
    return run.main(["config=tiny", *arguments], configs)


def ended(configs: Path) -> NoReturn:
    """The main job as a process of its own: what it returns is how the process exits."""
    sys.exit(start(configs))


def test_a_run_leaves_a_checked_submission(configs: Path, tmp_path: Path, phantom: Path) -> None:
    assert start(configs) == 0
    folder = tmp_path / "runs" / "tiny"
    for name in ("config.yaml", "oof.csv", "submission.csv", "scores.json", "scores.csv", "report.html", "run.log"):
        assert (folder / name).stat().st_size > 0, name
    with (folder / "submission.csv").open() as file, (phantom / "sample_submission.csv").open() as sample:
        rows, expected = list(csv.DictReader(file)), list(csv.DictReader(sample))
    assert [(row["image_name"], row["class"]) for row in rows] == [
        (row["image_name"], row["class"]) for row in expected
    ]
    scores = json.loads((folder / "scores.json").read_text())
    assert [(entry["of"], entry["metric"], entry["cases"]) for entry in scores] == [
        ("out-of-fold", "dice", 8), ("out-of-fold", "iou", 8), ("test", "dice", 4), ("test", "iou", 4),
    ]  # fmt: skip
    low, high = scores[0]["interval"]
    assert low <= scores[0]["mean"] <= high
    assert np.mean(list(scores[0]["per_class"].values())) == pytest.approx(scores[0]["mean"])
    check_details(folder, phantom)
    # Run again: nothing is done twice.
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("weights.safetensors")}
    assert start(configs) == 0
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("weights.safetensors")}


def check_details(folder: Path, phantom: Path) -> None:
    """Facts of the cases against the data set itself, confusion and peaks against each other."""
    from phalanx.commands import _run_details
    from phalanx.core import catalogue
    from phalanx.mask import polygon, runs

    facts, areas = _run_details.cases(folder), _run_details.areas(folder)
    config = catalogue.entry("datasets", "handbone").Config(root=phantom)
    hands = catalogue.build("datasets", config).read()
    folds = json.loads((folder / "cases.json").read_text())["folds"]
    assert {case: (fact.group, fact.fold) for case, fact in facts.items() if fact.part == "train"} == {
        case.id: (case.group, str(folds[case.id])) for case in hands.train
    }
    assert {case for case, fact in facts.items() if fact.part == "test"} == {case.id for case in hands.test}
    assert {(fact.size, fact.masks) for fact in facts.values()} == {((128, 128), "truth")}
    hand = hands.train[3]
    radius = polygon.to_runs(hand.labels.rings["Radius"], (128, 128), "opencv")
    assert areas.loc[hand.id, "Radius"] == runs.area(radius)
    # Bent or not, every phantom has a wrist.
    assert all(-75 < fact.bend < 75 for fact in facts.values())
    lost = _run_details.confusion(folder)
    scored = [case for case, fact in facts.items() if fact.part == "train"]
    found = [lost.loc[name, name] + lost.loc[name, "missed"] for name in lost.index]
    assert found == areas.loc[scored].sum().tolist()
    stages = json.loads((folder / "memory.json").read_text())
    assert stages.keys() == json.loads((folder / "timings.json").read_text()).keys()
    assert all(50e6 < peak["host"] < 50e9 for peak in stages.values())


def appears(path: Path, pattern: str) -> Callable[[], bool]:
    return lambda: any(path.glob(pattern))


def test_kill_9_at_any_moment_changes_nothing(process, configs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "tiny"
    # In the middle of the first fold, between folds, while the held-out and while the test cases are predicted.
    moments = [
        appears(folder, "fold0/last.ckpt"),
        appears(folder, "fold1/tensorboard/*"),
        appears(folder, "oof.zarr.partial/case-*"),
        appears(folder, "test.zarr.partial/case-*"),
    ]
    kills = 0
    for moment in moments:
        running = process(ended, configs)
        while running.is_alive() and not moment():
            time.sleep(0.002)
        running.kill()
        running.join()
        kills += running.exitcode == -signal.SIGKILL
    assert kills >= 3
    assert not (folder / "submission.csv").exists()
    assert start(configs) == 0
    shutil.move(folder, tmp_path / "killed")
    assert start(configs) == 0
    for name in (
        "submission.csv",
        "oof.csv",
        "scores.json",
        "scores.csv",
        "cases.csv",
        "confusion.csv",
        "fold1/metrics.csv",
        "oof.zarr/manifest.json",
    ):
        assert (folder / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name
    left = [path for path in tmp_path.rglob("*partial*") if "killed" not in path.parts]
    assert left == []


def refused(capsys: pytest.CaptureFixture[str], status: int) -> str:
    """The one line that a refused command says."""
    assert status == 1
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    return lines[0]


@pytest.fixture
def hands(tmp_path: Path, phantom: Path) -> Path:
    """A copy of the phantom that a test may break."""
    shutil.copytree(phantom, tmp_path / "hands")
    return tmp_path / "hands"


def handbone(configs: Path, root: Path) -> int:
    text = (configs / "tiny.yaml").read_text().splitlines()
    text = [f"  dataset: {{name: handbone, root: {root}}}" if "name: phantom" in line else line for line in text]
    (configs / "tiny.yaml").write_text("\n".join(text))
    return start(configs)


def test_wrong_path(configs: Path, tmp_path: Path, capsys) -> None:
    line = refused(capsys, handbone(configs, tmp_path / "hnads"))
    assert "hnads" in line


def test_empty_folder(configs: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "nothing").mkdir()
    line = refused(capsys, handbone(configs, tmp_path / "nothing"))
    assert "nothing" in line


def test_misspelt_key(configs: Path, capsys) -> None:
    started = time.process_time()
    line = refused(capsys, start(configs, "train.epocs=3"))
    assert line == "error: unknown key: train.epocs=3. Did you mean epochs?"
    assert time.process_time() - started < 1


def test_misspelt_configuration(configs: Path, capsys) -> None:
    line = refused(capsys, run.main(["config=tinny"], configs))
    assert "Did you mean tiny?" in line


def test_wrong_usage(configs: Path, capsys) -> None:
    assert run.main(["train.epochs=3"], configs) == 2
    assert "config=NAME is needed" in capsys.readouterr().err
    assert run.main(["config=tiny", "--fast"], configs) == 2
    assert "unknown option --fast" in capsys.readouterr().err


def annotation(hands: Path) -> Path:
    return sorted(hands.glob("train/outputs_json/*/*.json"))[0]


def test_unknown_class(configs: Path, hands: Path, capsys) -> None:
    file = annotation(hands)
    file.write_text(file.read_text().replace('"Pisiform"', '"Pissiform"'))
    line = refused(capsys, handbone(configs, hands))
    assert "Pissiform" in line
    assert "Pisiform" in line.replace("Pissiform", "")


def test_missing_class(configs: Path, hands: Path, capsys) -> None:
    file = annotation(hands)
    values = json.loads(file.read_text())
    values["annotations"] = [item for item in values["annotations"] if item["label"] != "Lunate"]
    file.write_text(json.dumps(values))
    text = (configs / "tiny.yaml").read_text()
    named = f"{{name: handbone, missing_class: error, root: {hands}}}"
    lines = [f"  dataset: {named}" if "name: phantom" in line else line for line in text.splitlines()]
    (configs / "tiny.yaml").write_text("\n".join(lines))
    line = refused(capsys, start(configs))
    assert "Lunate" in line


def test_image_and_json_of_different_sizes(configs: Path, hands: Path, capsys) -> None:
    import cv2

    image = next(hands.glob(f"train/DCM/*/{annotation(hands).stem}.png"))
    cv2.imwrite(str(image), cv2.resize(cv2.imread(str(image)), (40, 50)))
    line = refused(capsys, handbone(configs, hands))
    assert image.stem in line
    assert "50" in line
    assert "40" in line


@pytest.mark.parametrize("keep", [0, 900])
def test_unreadable_and_truncated_image(configs: Path, hands: Path, capsys, keep: int) -> None:
    image = sorted(hands.glob("train/DCM/*/*.png"))[1]
    image.write_bytes(image.read_bytes()[:keep])
    line = refused(capsys, handbone(configs, hands))
    assert image.name in line


def test_full_disk(configs: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    line = refused(capsys, start(configs))
    assert line.startswith("error: the disk is full")
    left = [path for path in (tmp_path / "runs").rglob("*") if path.is_file() and path.name not in (".lock", "run.log")]
    assert left == []


def test_read_only_disk(configs: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = Path.mkdir

    def read_only(self: Path, *arguments, **keywords) -> None:
        if tmp_path / "runs" in (self, *self.parents):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        mkdir(self, *arguments, **keywords)

    monkeypatch.setattr(Path, "mkdir", read_only)
    line = refused(capsys, start(configs))
    assert "read-only" in line
    assert str(tmp_path / "runs" / "tiny") in line


def test_a_file_where_the_runs_should_lie(configs: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "runs").write_text("not a folder")
    line = refused(capsys, start(configs))
    assert str(tmp_path / "runs") in line


def test_other_settings_in_the_same_folder(configs: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    from phalanx.commands import _cases

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_cases, "prepare", stop)
        assert start(configs) == 130
    line = refused(capsys, start(configs, "train.batch_size=4"))
    assert "holds a run with other settings: train.batch_size was 2, now 4" in line


def test_two_processes_do_not_share_a_folder(configs: Path, tmp_path: Path, capsys) -> None:
    from phalanx.commands import _run_folder

    (tmp_path / "runs" / "tiny").mkdir(parents=True)
    lock = _run_folder._lock(tmp_path / "runs" / "tiny" / ".lock")
    try:
        assert "another process" in refused(capsys, start(configs))
    finally:
        os.close(lock)


def test_a_fold_that_does_not_exist(configs: Path, capsys) -> None:
    assert "use 0 to 1" in refused(capsys, start(configs, "data.folds.train=[5]")).lower()


def test_help_names_every_configuration(capsys) -> None:
    assert run.main(["--help"], REPOSITORY / "configs") == 0
    said = capsys.readouterr().out
    for name in ("phantom", "unetpp_hrnet", "unetpp_densenet", "nuclei", "hand_fracture"):
        assert name in said


def test_a_patch_is_recorded_and_another_one_is_refused(configs: Path, tmp_path: Path, phantom: Path) -> None:
    from phalanx.commands import _cases, _experiment
    from phalanx.commands._run_folder import RunFolder
    from phalanx.core.errors import DataError, RunError
    from phalanx.data import patch

    image, file = sorted(phantom.glob("train/DCM/*/*.png"))[0].name, tmp_path / "fixes.yaml"

    def prepared(text: str, *overrides: str) -> tuple[dict, _cases.Cases]:
        file.write_text(f"format: phalanx-patch/1\ncases:\n  {text}\n")
        experiment = _experiment.load(configs, "tiny", [*overrides])
        folder = RunFolder(tmp_path / "runs" / experiment.run, experiment.model_dump(mode="json"))
        try:
            cases = _cases.prepare(experiment, folder)
            return json.loads((folder.path / "cases.json").read_text()), cases
        finally:
            folder.close()

    entry = "{expect: {classes: 29}, fixes: [{swap: [finger-9, finger-10]}]}"
    record, sound = prepared(f"{image}: {entry}", "run=plain")
    with_patch = ("run=patched", f"data.patch={file}")
    patched_record, patched = prepared(f"{image}: {entry}", *with_patch)
    assert patched_record == {**record, "patch": patch.load(file).digest}
    before, after = (cases.train[image].labels.rings for cases in (sound, patched))  # type: ignore[union-attr]
    assert np.array_equal(after["finger-9"][0], before["finger-10"][0])
    assert any("finger-9" in item.classes for item in patched.findings)
    # The same run goes on; another patch is another data set.
    again_record, again = prepared(f"{image}: {entry}", *with_patch)
    assert again_record == patched_record
    # Kept with all they know, classes, evidence and remedies.
    assert again.findings == patched.findings and any(item.remedy for item in again.findings)
    with pytest.raises(RunError, match="not the one this run was begun with"):
        prepared(f"{image}: {entry.replace('finger-10', 'finger-8')}", *with_patch)
    with pytest.raises(DataError, match=r"there is no case gone\.png"):
        prepared(f"gone.png: {entry}", *with_patch)
