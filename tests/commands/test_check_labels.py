"""`phalanx check` on phantom hands with planted faults: what is found, mended, drawn, and held against a run."""

import json
import shutil
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from phalanx.commands import _practice
from phalanx.commands.check import check
from phalanx.core.errors import DataError, PhalanxError
from phalanx.data import patch, quality
from phalanx.datasets._phantom import faults, write
from phalanx.datasets.handbone import HandBone

APP = typer.Typer()
APP.command()(check)
# Kinds that a patch can mend, as the suggestion makes it.
MENDED = {"unknown class", "labels mirrored", "forearm swapped", "finger order", "fingers swapped", "carpals swapped"}


def run(*arguments):
    outcome = CliRunner().invoke(APP, [str(word) for word in arguments])
    if outcome.exception and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome.exit_code, outcome.output


def spoilt(folder, people, count, seed):
    write.write(folder, people, 1, 96, seed, workers=1)
    faults.plant(folder, count, seed)
    return folder


@pytest.fixture(scope="module")
def hands(tmp_path_factory) -> Path:
    """35 people with one fault of each kind among them."""
    return spoilt(tmp_path_factory.mktemp("spoilt") / "hands", 36, len(faults.KINDS), 4)


def found_and_false(folder):
    """Share of the planted faults that were found, share of the sound cases with a finding; and what was missed."""
    dataset = HandBone(HandBone.Config(root=folder)).read()
    findings = quality.examine(dataset, "opencv").findings
    told = {key for item in findings for key in (item.case, *item.others) if key}
    planted = json.loads((folder / faults.LIST).read_text())
    spoilt_cases = {item["case"] for item in planted} | {key for item in planted for key in item["other"]}
    missed = [(item["kind"], item["classes"]) for item in planted if item["case"] not in told]
    sound = {case.id for case in (*dataset.train, *dataset.test)} - spoilt_cases
    return 1 - len(missed) / len(planted), len(sound & told) / len(sound), missed


def test_every_kind_is_found_and_sound_cases_are_left_alone(hands):
    found, false, missed = found_and_false(hands)
    assert found >= 0.95, missed
    assert false <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_several_of_each_kind_in_more_people(tmp_path, seed):
    found, false, missed = found_and_false(spoilt(tmp_path / "hands", 72, 2 * len(faults.KINDS), seed))
    assert found >= 0.95, missed
    assert false <= 0.02


def test_page_and_patch(hands, tmp_path):
    page, suggested = tmp_path / "page.html", tmp_path / "fixes.yaml"
    code, text = run(hands, "-o", page, "--suggest", suggested)
    assert code == 1
    assert f"Wrote {page}" in text and f"Wrote {suggested}" in text
    content = page.read_text()
    assert content.count("<figure>") > 20
    assert (
        "http"
        not in content.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "").split("<main")[1][:9000]
    )
    entries = patch.load(suggested).entries
    planted = json.loads((hands / faults.LIST).read_text())
    mendable = {item["case"]: item for item in planted if item["kind"] in MENDED}
    assert set(mendable) <= set(entries)
    # Applied, the mended cases are as sound as the others; the patch cannot be applied to what it made.
    code, text = run(hands, "--patch", suggested, "--suggest", tmp_path / "more.yaml")
    assert code == 1
    assert "labels are interchanged" not in text
    assert yaml.safe_load((tmp_path / "more.yaml").read_text())["cases"] == {}
    dataset = HandBone(HandBone.Config(root=hands)).read()
    patched = patch.applied(dataset, patch.load(suggested), "opencv")
    told = {item.case for item in quality.examine(patched, "opencv").findings}
    assert not told & set(mendable)
    with pytest.raises(DataError, match="does not fit"):
        patch.applied(patched, patch.load(suggested), "opencv")
    excluded = {key for key, entry in entries.items() if entry.exclude}
    assert not excluded & {case.id for case in patched.train}
    kinds = {item["case"]: item["kind"] for item in planted}
    assert {kinds.get(key, "near duplicate") for key in excluded} == {"unreadable", "truncated", "near duplicate"}


def test_a_run_tells_labels_and_wrists(tmp_path):
    folder = tmp_path / "hands"
    write.write(folder, 8, 3, 96, 2, workers=1)
    _practice.stores(folder, 96, 2, 1)
    predictions = folder / "predictions" / "model1"
    code, text = run(folder, "--run", predictions)
    assert code == 0
    assert "Wrists to predict" in text and "predicted by the run" in text and "weighted to the bends" in text
    assert "predictions say" not in text
    # Ten hands are enough for the predictions to tell a swap.
    image = sorted(folder.glob("train/DCM/*/*.png"))[3]
    label = folder / "train" / "outputs_json" / image.parent.name / f"{image.stem}.json"
    swap = {"finger-7": "finger-11", "finger-11": "finger-7"}
    document = json.loads(label.read_text())
    for item in document["annotations"]:
        item["label"] = swap.get(item["label"], item["label"])
    label.write_text(json.dumps(document))
    code, text = run(folder, "--run", predictions)
    assert "predictions say that labels are interchanged (1)" in text
    assert "contradicts the label" in text
    # Cases with errors are not held against the run, the others are.
    broken = json.loads(label.read_text())
    broken["annotations"][0]["label"] = "bone"
    label.write_text(json.dumps(broken))
    code, text = run(folder, "--run", predictions)
    assert code == 1 and "unknown class" in text and "weighted to the bends" in text
    assert "predictions say" not in text
    label.write_text(json.dumps(document))
    with pytest.raises(PhalanxError, match="no oof.zarr"):
        run(folder, "--run", folder)
    shutil.rmtree(predictions / "test.zarr")
    _, text = run(folder, "--run", predictions)
    assert "from their labels" in text
