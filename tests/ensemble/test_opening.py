"""Opening: recipes nested both ways, and every member that changed, is missing or does not fit refused by name."""

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from phalanx.core import files
from phalanx.core.errors import PhalanxError
from phalanx.core.labels import LabelSpace
from phalanx.ensemble import opening, soft_recipe
from phalanx.ensemble.opening import Opener
from phalanx.ensemble.pipeline import Pipeline
from phalanx.ensemble.soft_recipe import SoftRecipe
from phalanx.mask import runs

SIZE = (24, 40)
BLUNT = {"kind": "soft", "threshold": 0.4, "members": ["0.zarr", "1.zarr"]}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory, store_at, sheet_at) -> Path:
    """Three stores, a run folder and three CSVs, which no test changes."""
    folder = tmp_path_factory.mktemp("members")
    for number in range(3):
        store_at(folder / f"{number}.zarr", number, dtype="float16" if number == 1 else "int8")
        sheet_at(folder / f"{number}.csv", number)
    store_at(folder / "run/test.zarr", 3)
    store_at(folder / "run/oof.zarr", 4)
    store_at(folder / "changed.zarr", 77)
    sheet_at(folder / "changed.csv", 77)
    return folder


@pytest.fixture
def three(made) -> None:
    shutil.copytree(made, Path(), dirs_exist_ok=True)


def load(members: Any, **keys: Any) -> SoftRecipe:
    Path("r.yaml").write_text(yaml.safe_dump({"kind": "soft", "members": members, **keys}))
    found = soft_recipe.load(Path("r.yaml"))
    assert isinstance(found, SoftRecipe)
    return found


def masks_of(found: Pipeline) -> dict[str, list[list]]:
    return {one.case: [mask.tolist() for mask in one.masks.values()] for one in found.run(threads=1)}


def ran(recipe: SoftRecipe, part: Any = "test", predict: Any = None) -> dict[str, list[list]]:
    with ExitStack() as stack:
        found = masks_of(Opener(part, stack, predict).open(recipe))
    assert any(mask for masks in found.values() for mask in masks)
    return found


def run(members: Any, **keys: Any) -> dict[str, list[list]]:
    return ran(load(members, **keys))


def refused(recipe: SoftRecipe, part: Any = "test") -> str:
    with ExitStack() as stack, pytest.raises(PhalanxError) as found:
        masks_of(Opener(part, stack).open(recipe))
    return str(found.value)


def keep(name: str, members: Any, **keys: Any) -> str:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(yaml.safe_dump({"members": members, **keys}))
    return name


EVERY = {
    "store": [{"store": "0.zarr", "weight": "1/3", "temperature": 1.3}, "1.zarr", "2.zarr"],
    "run": ["run", "0.zarr"],
    "csv": ["0.zarr", "1.zarr", {"file": "2.csv", "soft": 2.0, "weight": 0.5}],
    "soft in soft": ["0.zarr", {"kind": "soft", "members": ["1.zarr", "2.zarr"], "weight": 2}],
    "mean of probabilities": ["0.zarr", {"kind": "soft", "space": "probability", "members": ["1.zarr", "2.zarr"]}],
    "masks of a recipe": ["0.zarr", "2.zarr", {**BLUNT, "soft": 3.0}],
    "recipe": ["2.zarr", {"recipe": "sub/mean.yaml", "weight": 2}],
    "masks of a recipe file": ["2.zarr", {"recipe": "sub/blunt.yaml", "soft": 1.5}],
    "vote": ["0.zarr", "1.zarr", {"kind": "hard", "members": ["0.csv", "1.csv", "2.csv"], "soft": 2.0}],
    "recipe of a vote": ["0.zarr", "1.zarr", {"recipe": "sub/vote.yaml", "soft": 2.0, "weight": 3}],
    "only nested": [{"kind": "soft", "members": [{"file": "0.csv", "soft": 1.0}]}, "sub/mean.yaml"],
}


@pytest.fixture
def nested(three) -> None:
    keep("sub/mean.yaml", ["../0.zarr", {"store": "../1.zarr", "weight": 2}], kind="soft", scores=[{"mean": 0.5}])
    keep("sub/blunt.yaml", ["../0.zarr", "../1.zarr"], kind="soft", steps=[{"name": "keep_largest"}])
    keep("sub/vote.yaml", ["../0.csv", {"file": "../1.csv", "weight": 2}], threshold="1/3", ties="keep")


@pytest.mark.parametrize("members", EVERY.values(), ids=EVERY)
def test_what_is_described_runs_again(nested, members):
    recipe = load(
        members, threshold=0.45, steps=[{"name": "fill_holes"}], classes={"ulna": {"threshold": 0.3, "steps": []}}
    )
    found = ran(recipe)
    Path("far").mkdir()
    described = opening.described(recipe, Path("far"))
    Path("far/again.yaml").write_text(yaml.safe_dump(described))
    again = soft_recipe.load(Path("far/again.yaml"))
    assert isinstance(again, SoftRecipe)
    assert ran(again) == found
    assert opening.described(again, Path("far")) == described


@pytest.mark.parametrize("members", EVERY.values(), ids=EVERY)
def test_what_is_described_refuses_a_changed_member(nested, members):
    recipe = load(members)
    Path("again.yaml").write_text(yaml.safe_dump(opening.described(recipe, Path())))
    again = soft_recipe.load(Path("again.yaml"))
    assert isinstance(again, SoftRecipe)
    assert ran(again)
    used = yaml.safe_dump(opening.described(recipe, Path()))
    changed = 0
    for name in ("0.zarr", "1.zarr", "2.zarr", "run/test.zarr", "0.csv", "1.csv", "2.csv"):
        if f" {name.removesuffix('/test.zarr')}\n" not in used:
            continue
        Path(name).rename("old")
        Path(f"changed{Path(name).suffix}").rename(name)
        assert Path(name).name in refused(again)
        Path(name).rename(f"changed{Path(name).suffix}")
        Path("old").rename(name)
        changed += 1
    assert changed >= 2
    assert ran(again)


def test_a_nested_mean_is_the_mean(three):
    flat = run([{"store": "0.zarr", "weight": 2}, "1.zarr", "2.zarr"])
    assert run(["0.zarr", {"kind": "soft", "members": ["1.zarr", "2.zarr"]}]) == flat
    # One mean of logits within another: the same but for the last bits.
    assert run([{"kind": "soft", "members": ["0.zarr", "1.zarr"]}]) == run(["0.zarr", "1.zarr"])


def test_a_nested_mean_of_probabilities_is_the_mean_of_probabilities(three):
    flat = run(["0.zarr", "1.zarr"], space="probability", threshold=0.4)
    inner = {"kind": "soft", "space": "probability", "members": ["0.zarr", "1.zarr"]}
    assert run([inner], space="probability", threshold=0.4) == flat


def test_a_nested_mean_of_exclusive_probabilities_too(store):
    labels = LabelSpace(("background", "liver", "spleen"), exclusive=True)
    for number in range(3):
        store(f"{number}.zarr", number, labels=labels)
    inner = {"kind": "soft", "space": "probability", "members": ["0.zarr", "1.zarr"]}
    with ExitStack() as stack:
        opened = Opener("test", stack).open(load([inner], space="probability")).blend
        plain = Opener("test", stack).open(load(["0.zarr", "1.zarr"], space="probability")).blend
        for label in range(3):
            (total, weight), (other, of_other) = (one.open("a.png").plane(label) for one in (opened, plain))
            np.testing.assert_allclose(total / weight, other / of_other, atol=1e-5)
    assert "have no weights of their own: liver" in refused(load(["0.zarr"], classes={"liver": {"weights": [2]}}))
    assert "have no thresholds: 0.4" in refused(load(["0.zarr"], threshold=0.4))


def test_masks_as_a_member_by_hand(three):
    alone = run(["0.zarr"])
    masks = {**BLUNT, "members": ["1.zarr"], "soft": 900.0}
    # So sure a member decides everything.
    assert run(["0.zarr", masks]) == run(["1.zarr"], threshold=0.4)
    assert run([{"store": "0.zarr", "weight": 1}, {**masks, "weight": 0}]) == alone


def test_a_vote_as_a_member(three):
    vote = {"kind": "hard", "members": ["0.csv", "1.csv", "2.csv"], "soft": 900.0}
    with ExitStack() as stack:
        found = next(Opener("test", stack).open(load(["0.zarr", vote])).run()).masks
        each = [
            next(Opener("test", stack).open(load(["0.zarr", {"file": f"{n}.csv", "soft": 900.0}])).run()).masks
            for n in range(3)
        ]
    for name, mask in found.items():
        votes = sum(runs.to_mask(one[name], SIZE).astype(int) for one in each)
        assert np.array_equal(runs.to_mask(mask, SIZE), votes >= 2)


def test_weights_thresholds_and_steps_of_a_class(three):
    classes = {"ulna": {"weights": [0, 1], "threshold": 0.3, "steps": []}}
    found = run(["0.zarr", "1.zarr"], steps=[{"name": "keep_largest"}], classes=classes)
    plain = run(["0.zarr", "1.zarr"], steps=[{"name": "keep_largest"}])
    for case, masks in found.items():
        assert masks[0] == plain[case][0]
        assert masks[1] == run(["1.zarr"], threshold=0.3)[case][1]


@pytest.mark.parametrize(
    "member",
    [
        BLUNT,
        {"kind": "soft", "members": ["0.zarr"], "steps": [{"name": "fill_holes"}]},
        {"kind": "soft", "members": ["0.zarr"], "joint": [{"name": "anatomy"}]},
        {"kind": "soft", "members": ["0.zarr"], "classes": {"ulna": {"threshold": 0.3}}},
        {"recipe": "sub/blunt.yaml"},
        {"recipe": "sub/vote.yaml"},
    ],
)
def test_masks_without_soft_are_refused(nested, member):
    said = refused(load(["1.zarr", member]))
    assert "gives masks: " in said
    assert str(member.get("recipe", "a recipe within the recipe")) in said
    assert "give it soft: 2.0" in said.lower()


def test_parts_of_a_run(three):
    recipe = load(["run"])
    assert ran(recipe) != ran(recipe, "oof")
    described = opening.described(recipe, Path())
    digests = {part: files.digest(Path(f"run/{part}.zarr/manifest.json")) for part in ("oof", "test")}
    assert described["members"] == [{"run": "run", "sha256": digests}]
    shutil.rmtree("run/test.zarr")
    assert "the member has no test.zarr: run. Say --part oof" in refused(recipe)
    shutil.rmtree("run/oof.zarr")
    assert "the member has no oof.zarr: run. Finish its run" in refused(recipe, "oof")


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("none.zarr", "this is not a finished store: none.zarr"),
        ("none", "the member has no test.zarr: none"),
        ({"file": "none.csv", "soft": 1}, "there is no such file: none.csv"),
        ({"recipe": "none.yaml"}, "there is no such file: none.yaml"),
        ({"kind": "hard", "soft": 1, "members": ["none.csv"]}, "there is no such file: none.csv"),
        ({"store": "0.zarr", "sha256": "5e88"}, "a member is not the store of the recipe: 0.zarr"),
        ({"run": "run", "sha256": {"test": "5e88"}}, "a member is not the store of the recipe: run/test.zarr"),
        ({"file": "0.csv", "soft": 1, "sha256": "5e88"}, "a member is not the file of the recipe: 0.csv"),
        ({"recipe": "sub/mean.yaml", "sha256": "5e88"}, "a member is not the file of the recipe: sub/mean.yaml"),
        ({"kind": "hard", "soft": 1, "members": [{"file": "0.csv", "sha256": "5"}]}, "the file of the recipe: 0.csv"),
        ({"checkpoints": "run"}, "checkpoints cannot be predicted here: run"),
        ("cut.zarr", "a stored case was changed after it was written: a.png in cut.zarr"),
        ("bones.zarr", "must have the same classes: bones.zarr lacks lunate and has hamate more"),
        ("cases.zarr", "the same cases: cases.zarr lacks 1 cases ['b.png'] of 1.zarr and has 1 more ['c.png']"),
    ],
)  # fmt: skip
def test_members_that_are_refused_by_name(nested, store, member, words):
    store("bones.zarr", labels=LabelSpace(("radius", "ulna", "hamate")))
    store("cases.zarr", cases=("a.png", "c.png"))
    cut = store("cut.zarr")
    chunk = next(iter((cut.path / cut.cases["a.png"]["array"]).rglob("c/*/*/*")))
    chunk.write_bytes(chunk.read_bytes()[:-1])
    assert words in refused(load(["1.zarr", member]))


def test_settings_of_a_class_that_is_not_there(three):
    said = refused(load(["0.zarr"], classes={"Ulna": {"threshold": 0.3}}))
    assert "a class that is not there: 'Ulna'; there are radius, ulna, lunate" in said


def test_masks_alone_are_a_vote(three):
    assert "an ensemble of masks alone is a vote" in refused(load([{"file": "0.csv", "soft": 1}]))


def test_recipes_in_a_circle(three):
    keep("a.yaml", ["0.zarr", {"recipe": "b.yaml"}], kind="soft")
    keep("b.yaml", ["1.zarr", {"recipe": "sub/../a.yaml"}], kind="soft")
    Path("sub").mkdir()
    assert "a recipe is a member of itself: " in refused(load(["0.zarr", "a.yaml"]))
    keep("c.yaml", [{"recipe": "c.yaml"}], kind="soft")
    assert "a recipe is a member of itself: c.yaml" in refused(load(["c.yaml"]))


def test_recipes_too_deep(three):
    keep("0.yaml", ["0.zarr"], kind="soft")
    for number in range(1, 16):
        keep(f"{number}.yaml", [f"{number - 1}.yaml"], kind="soft")
    assert run(["14.yaml"]) == run(["0.zarr"])
    # What is described is as deep, and can be read again.
    assert soft_recipe.validated(opening.described(load(["14.yaml"]), Path()), "again")
    assert "recipes lie too deep within recipes: more than 16" in refused(load(["15.yaml"]))
    # The same recipe twice beside each other is no circle.
    assert run(["0.yaml", "0.yaml"]) == run(["0.zarr"])


def test_who_says_the_same_does_not_depend_on_folders(three):
    recipe = {"kind": "hard", "members": ["0.csv", "1.csv"], "soft": 2.0}
    Path("moved").mkdir()
    for name in ("0.csv", "1.csv"):
        shutil.copy(name, "moved")
    with ExitStack() as stack:
        moved = {**recipe, "members": ["moved/0.csv", "moved/1.csv"]}
        members = Opener("test", stack).open(load(["0.zarr", recipe, moved, {**moved, "ties": "keep"}])).blend.members
    assert members[1].digest == members[2].digest != members[3].digest


def test_checkpoints_are_predicted_once(three):
    from phalanx.store.predictions import Store

    asked = []

    def predict(member: soft_recipe.CheckpointsMember) -> Store:
        asked.append((member.checkpoints, member.folds))
        return Store(Path("2.zarr"))

    found = ran(load(["0.zarr", {"checkpoints": "net", "folds": [1]}]), predict=predict)
    assert asked == [(Path("net"), (1,))]
    assert found == run(["0.zarr", "2.zarr"])
