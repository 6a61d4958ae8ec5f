"""Planted faults: each is what it says, and nothing else is touched."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from phalanx.core import hand
from phalanx.core.errors import DataError
from phalanx.datasets._phantom import faults, write


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "hands"
    write.write(folder, 5, 1, 48, 3, workers=1)
    return folder


def test_only_the_listed_cases_change(sound, tmp_path):
    folder = Path(shutil.copytree(sound, tmp_path / "hands"))
    planted = faults.plant(folder, 2, 3)
    assert json.loads((folder / "faults.json").read_text()) == planted
    assert [item["kind"] for item in planted] == list(faults.KINDS)[:2]
    before, after = digests(sound), digests(folder)
    changed = {Path(name).stem for name in before if after.get(name) != before[name]}
    assert changed == {Path(item["case"]).stem for item in planted}
    assert set(after) - set(before) == {"faults.json"}
    with pytest.raises(DataError, match="planted here already"):
        faults.plant(folder, 1, 3)


def test_the_same_seed_plants_the_same_faults(sound, tmp_path):
    made = []
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        folder = Path(shutil.copytree(sound, tmp_path / name))
        faults.plant(folder, 2, seed)
        made.append(digests(folder))
    assert made[0] == made[1] != made[2]
    with pytest.raises(DataError, match="too many faults"):
        faults.plant(sound, 3, 5)


def spot(tmp_path, kind, seed=0):
    """One label file with one fault of a kind, and what it was before."""
    import numpy as np

    square = [[0, 0], [20, 0], [20, 40], [0, 40]]
    outlines = [
        {"label": name, "points": [[x + 10 * place, y + 30] for x, y in square]}
        for place, name in enumerate(hand.NAMES)
    ]
    document = {"annotations": outlines, "metadata": {"height": 400, "width": 400}, "filename": "x.png"}
    found = faults.Spot(tmp_path / "x.png", tmp_path / "x.json", (tmp_path, tmp_path), np.random.default_rng(seed))
    found.document = json.loads(json.dumps(document))
    faults.KINDS[kind](found)
    before = {item["label"]: item["points"] for item in outlines}
    return found, before


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["forearm swapped", "finger order", "fingers swapped", "carpals swapped"])
def test_swaps_are_swaps(tmp_path, kind, seed):
    found, before = spot(tmp_path, kind, seed)
    one, two = found.touched
    after = {item["label"]: item["points"] for item in found.annotations}
    assert after == {**before, one: before[two], two: before[one]}


def test_the_mirrored_labels_are_those_of_the_real_person(tmp_path):
    found, before = spot(tmp_path, "labels mirrored")
    after = {item["label"]: item["points"] for item in found.annotations}
    assert set(after) == set(hand.NAMES)
    # Spec 1.10: what is called Pisiform should be Scaphoid, and so on round.
    for called, bone in (("Pisiform", "Scaphoid"), ("Scaphoid", "Triquetrum"), ("Triquetrum", "Lunate"),
                         ("Lunate", "Pisiform"), ("finger-1", "finger-3"), ("Hamate", "Trapezium")):  # fmt: skip
        assert after[called] == before[bone]
    assert after["finger-2"] == before["finger-2"]


def test_the_command_plants_them(tmp_path):
    import typer
    from typer.testing import CliRunner

    from phalanx.commands.phantom import phantom

    app = typer.Typer()
    app.command()(phantom)
    words = ["--people", "3", "--test-people", "1", "--size", "48", "--faults", "1", "--workers", "1"]
    outcome = CliRunner().invoke(app, [str(tmp_path / "hands"), *words])
    assert outcome.exit_code == 0, outcome.output
    assert len(json.loads((tmp_path / "hands" / faults.LIST).read_text())) == 1


def test_too_many_faults_are_refused_before_anything_is_drawn(tmp_path):
    from phalanx.commands.phantom import phantom

    # Five people to learn from have ten images, of which three may be spoilt.
    with pytest.raises(DataError, match="too many faults for the labelled cases: 4 for 10"):
        phantom(tmp_path / "hands", people=6, test_people=1, size=48, faults=4)
    assert list(tmp_path.iterdir()) == []
    faults.check_count(3, 10)
