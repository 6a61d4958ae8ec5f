"""The reader of phantoms: made once, verified ever after. The generator itself has its own tests."""

import json
import shutil

import pytest
from pydantic import ValidationError

from phalanx.core.errors import DataError
from phalanx.datasets.phantom import PARAMETERS, Phantom


def reader(root, **options):
    return Phantom(Phantom.Config(**{"people": 3, "test_people": 1, "size": 64, "seed": 5, "root": root, **options}))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of phantoms; tests that change it take a copy."""
    root = tmp_path_factory.mktemp("phantoms") / "hands"
    reader(root).read()
    return root


def test_writes_then_reads(made):
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.png")}
    dataset = reader(made).read()
    assert (len(dataset.train), len(dataset.test), len(dataset.labels)) == (4, 2, 29)
    assert len({case.group for case in dataset.train}) == 2
    assert all(case.labels is not None for case in (*dataset.train, *dataset.test))
    assert [finding for finding in dataset.findings if finding.level == "error"] == []
    assert {case.metadata["side"] for case in dataset.train} == {"right", "left"}
    assert {case.metadata["sex"] for case in dataset.train} <= {"F", "M"}
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob("*.png")}, "written anew"
    assert not list(made.parent.glob(".*")), "an unfinished folder was left"


def test_keeps_its_parameters(made):
    kept = json.loads((made / PARAMETERS).read_text())
    assert {key: kept[key] for key in ("people", "test_people", "size", "seed")} == {
        "people": 3, "test_people": 1, "size": 64, "seed": 5,
    }  # fmt: skip


@pytest.mark.parametrize("other", [{"people": 4}, {"test_people": 0}, {"size": 128}, {"seed": 6}])
def test_refuses_other_parameters(made, other):
    ((key, value),) = other.items()
    with pytest.raises(DataError, match=f"made with other parameters.*{key} .* instead of {value}"):
        reader(made, **other).read()


def test_refuses_a_folder_that_holds_something_else(made, tmp_path):
    (tmp_path / "work.txt").touch()
    with pytest.raises(DataError, match="does not say which phantom"):
        reader(tmp_path).read()
    assert [path.name for path in tmp_path.iterdir()] == ["work.txt"]
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    (copy / PARAMETERS).write_text("{")
    with pytest.raises(DataError, match="parameters of a phantom cannot be read"):
        reader(copy).read()


def test_default_folder_names_its_parameters():
    assert str(Phantom(Phantom.Config(people=9, size=128, seed=2)).root) == "data/phantom-9-128-2"


def test_needs_somebody_to_learn_from():
    with pytest.raises(ValidationError, match="fewer than people"):
        Phantom.Config(people=4, test_people=4)
