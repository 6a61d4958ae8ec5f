"""`phalanx ensemble` as it is typed: what it writes, what it refuses, and that its recipe gives the same bytes."""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from phalanx.commands import _ensembled, run
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.ensemble import opening
from phalanx.ensemble import soft_recipe as soft
from phalanx.store.predictions import Writer

BONES = LabelSpace(("x", "y"))
SIZE = (8, 10)


def store(path: Path, seed: int, cases: tuple[str, ...] = ("i.png", "j.png")) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = Writer(path, BONES, {})
    for place, case in enumerate(cases):
        planes = np.random.default_rng(10 * seed + place).normal(0, 3, (2, 4, 5)).astype(np.float32)
        writer.write(case, planes, Geometry.fit(SIZE, (4, 5), keep_aspect=False))
    writer.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two members, one more store, and a vote's CSV; no test changes it."""
    folder = tmp_path_factory.mktemp("made")
    for number, name in enumerate(("hrnet", "densenet")):
        store(folder / "runs" / name / "test.zarr", number)
        store(folder / "runs" / name / "oof.zarr", number + 5, ("k.png",))
    (folder / "runs" / "config.yaml").write_text("submit: {dialect: handbone}\n")
    store(folder / "extra.zarr", 2)
    return folder


@pytest.fixture
def call(typed, made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return functools.partial(typed, "ensemble")


def left() -> set[str]:
    """What lies in the folder and was not put there."""
    return {path.name for path in Path().iterdir()} - {"runs", "extra.zarr"}


def csv(path: str) -> bytes:
    return Path(path).read_bytes()


def test_a_run_is_averaged_and_its_recipe_gives_the_same_bytes(call):
    status, out, _ = call("runs", "extra.zarr", "-o", "sub/out.csv", "--weights", "2,1/3,1")
    assert status == 0
    assert "Wrote sub/out.csv (4 rows of 2 images) and sub/out.yaml" in out
    table = [line.split() for line in out.splitlines() if line.startswith(("runs/", "extra"))]
    assert table == [["runs/densenet/test.zarr", "0.600"], ["runs/hrnet/test.zarr", "0.100"], ["extra.zarr", "0.300"]]
    assert csv("sub/out.csv").startswith(b"image_name,class,rle\ni.png,x,")
    recipe = yaml.safe_load(Path("sub/out.yaml").read_text())
    members = recipe["members"]
    assert [member.get("run", member.get("store")) for member in members] == [
        "../runs/densenet", "../runs/hrnet", "../extra.zarr",
    ]  # fmt: skip
    assert [member.get("weight", 1) for member in members] == [2, "1/3", 1]
    assert set(members[0]["sha256"]) == {"oof", "test"}
    assert "phalanx ensemble out.yaml -o AGAIN.csv --part test" in Path("sub/out.yaml").read_text()
    assert call("sub/out.yaml", "-o", "again.csv", "--threads", "1")[0] == 0
    assert csv("again.csv") == csv("sub/out.csv")
    shutil.rmtree("extra.zarr")
    store(Path("extra.zarr"), 3)
    status, _, error = call("sub/out.yaml", "-o", "third.csv")
    assert status == 1
    assert "a member is not the store of the recipe: sub/../extra.zarr" in error
    assert left() == {"sub", "again.csv", "again.yaml"}


def test_options_change_the_result_and_are_kept(call):
    assert call("runs", "-o", "plain.csv")[0] == 0
    for name, option, value in (("space", "--space", "probability"), ("threshold", "--threshold", "0.3")):
        assert call("runs", "-o", f"{name}.csv", option, value)[0] == 0
        assert csv(f"{name}.csv") != csv("plain.csv")
        assert str(yaml.safe_load(Path(f"{name}.yaml").read_text())[name]) == value
        assert call(f"{name}.yaml", "-o", f"{name}2.csv")[0] == 0
        assert csv(f"{name}2.csv") == csv(f"{name}.csv")
    # Told on top of a recipe; what was measured of it is no longer true.
    Path("r.yaml").write_text("{kind: soft, members: [runs/densenet, runs/hrnet], scores: [{mean: 0.9}]}")
    assert call("r.yaml", "-o", "told.csv", "--threshold", "0.3")[0] == 0
    assert csv("told.csv") == csv("threshold.csv")
    assert "scores" not in yaml.safe_load(Path("told.yaml").read_text())
    assert call("r.yaml", "-o", "untold.csv")[0] == 0
    assert yaml.safe_load(Path("untold.yaml").read_text())["scores"] == [{"mean": 0.9}]


def test_out_of_fold_predictions_scored(call):
    assert call("runs/hrnet", "-o", "truth.csv", "--part", "oof")[0] == 0
    status, out, _ = call("runs", "-o", "out.csv", "--part", "oof", "--truth", "truth.csv", "--weights", "1,0")
    assert status == 0
    assert csv("out.csv").startswith(b"image_name,class,rle\nk.png,x,")
    assert "warning: runs/densenet/oof.zarr has all the weight; the others change nothing" in out
    assert "dice" in out.lower()
    status, out, _ = call("runs/hrnet", "-o", "same.csv", "--part", "oof", "--truth", "truth.csv")
    assert "1.0000" in out


def test_a_run_with_one_part_only(call):
    for name in ("hrnet", "densenet"):
        shutil.rmtree(f"runs/{name}/oof.zarr")
    assert call("runs", "-o", "out.csv")[0] == 0
    status, _, error = call("runs", "-o", "oof.csv", "--part", "oof")
    assert (status, left()) == (1, {"out.csv", "out.yaml"})
    assert "there is no oof.zarr, neither here nor one folder below: runs" in error


@pytest.mark.parametrize("text", ["submit: {", "[1]", "submit: handbone"])
def test_a_run_whose_configuration_cannot_be_read(call, text):
    Path("runs/config.yaml").write_text(text)
    status, _, error = call("runs", "-o", "out.csv")
    assert (status, left()) == (1, set())
    assert "the run's configuration cannot be read" in error


def test_odd_pictures_are_told(call):
    Path("r.yaml").write_text("{kind: soft, members: [extra.zarr], joint: [{name: forbid_overlap, pairs: [[x, y]]}]}")
    status, out, _ = call("r.yaml", "-o", "out.csv")
    assert status == 0
    assert "warning: 2 of 2 images look odd; most often: x and y share" in out
    assert "  i.png: x and y share" in out


RECIPES = {
    "soft.yaml": "{kind: soft, members: [extra.zarr]}",
    "bad.yaml": "{kind: soft, members: [extra.zarr], threshhold: 1}",
    "deep.yaml": "{kind: soft, members: [{recipe: csv.yaml}]}",
    "csv.yaml": "{kind: soft, members: [extra.zarr, {file: a.csv, soft: 2}]}",
    "vote.yaml": "{members: [a.csv, {recipe: soft.yaml}]}",
    "typo.yaml": "{members: [a.csv, {recipe: soft.yaml, wieght: 2}]}",
    "other.yaml": "{members: [a.csv, {recipe: soft.yaml, sha256: 5e88}]}",
    "votes.yaml": "{members: [a.csv, {recipe: plain.yaml}]}",
    "plain.yaml": "{members: [a.csv]}",
    "tgs.yaml": "{dialect: tgs, members: [a.csv, {recipe: soft.yaml}]}",
    "lacking.yaml": "{members: [short.csv, {recipe: soft.yaml}]}",
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none", "-o", "out.csv"), "there is no test.zarr, neither here nor one folder below: none"),
        (("none.yaml", "-o", "out.csv"), "the recipe cannot be read: none.yaml"),
        (("bad.yaml", "-o", "out.csv"), "bad.yaml makes no ensemble, look at threshhold"),
        (("a.csv", "-o", "out.csv"), "a CSV holds masks, not predictions: a.csv"),
        (("runs", "-o", "out.csv", "--weights", "1"), "one weight a member: 1 for 2"),
        (("runs", "-o", "out.csv", "--weights", "1,x"), "'x' is not a number such as"),
        (("runs", "-o", "out.csv", "--weights", "0,0"), "every weight is zero"),
        (("soft.yaml", "-o", "out.csv", "--weights", "1"), "a recipe says its weights itself"),
        (("soft.yaml", "-o", "out.csv", "--dialect", "handbones"), "handbones"),
        (("soft.yaml", "-o", "out.csv", "--dialect", "tgs"), "the dialect has no column for the class"),
        (("soft.yaml", "-o", "out.csv", "--sample", "short.csv"), "the submission would be refused"),
        (("soft.yaml", "-o", "soft.csv", "--overwrite"), "cannot replace one of its members: soft.yaml"),
        (("csv.yaml", "-o", "a.csv", "--overwrite"), "cannot replace one of its members: a.csv"),
        (("deep.yaml", "-o", "a.csv", "--overwrite"), "cannot replace one of its members: a.csv"),
        (("deep.yaml", "-o", "csv.csv", "--overwrite"), "cannot replace one of its members: csv.yaml"),
        (("soft.yaml", "-o", "a.csv"), "the file exists already: a.csv"),
        (("extra.zarr", "-o", "bad.csv"), "the file exists already: bad.yaml"),
        (("soft.yaml", "-o", "out.yaml"), "replaced by its own recipe: out.yaml"),
        (("vote.yaml", "-o", "a.csv"), "the file exists already: a.csv"),
        (("vote.yaml", "-o", "a.csv", "--overwrite"), "cannot replace one of its members: a.csv"),
        (("vote.yaml", "-o", "out.csv", "--space", "logits"), "a vote takes no options but its recipe's: space"),
        (("vote.yaml", "-o", "out.csv", "--weights", "1,1"), "a vote takes no options but its recipe's: weights"),
        (("vote.yaml", "-o", "out.csv", "--sample", "short.csv"), "a vote takes no options but its recipe's: sample"),
        (("typo.yaml", "-o", "out.csv"), "look at members.0.wieght"),
        (("other.yaml", "-o", "out.csv"), "a member is not the file of the recipe: soft.yaml"),
        (("votes.yaml", "-o", "out.csv"), "a vote within a vote is written in place: plain.yaml"),
        (("tgs.yaml", "-o", "out.csv"), "members of a vote must be of one dialect: handbone in a vote of tgs"),
        (("lacking.yaml", "-o", "out.csv"), "has 2 rows more than short.csv, first j.png, x"),
    ],
)
def test_refusals_leave_nothing_behind(call, arguments, words):
    for name, text in RECIPES.items():
        Path(name).write_text(text)
    for name, images in (("a.csv", "ij"), ("short.csv", "i")):
        rows = [f"{image}.png,{label},1 3\n" for image in images for label in "xy"]
        Path(name).write_text("image_name,class,rle\n" + "".join(rows))
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    status, out, error = call(*arguments)
    said = " ".join((out + error).replace("│", "").split())
    assert status in (1, 2)
    assert words in said
    assert "Traceback" not in said
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


def test_what_fails_on_the_way_leaves_nothing(call, monkeypatch):
    monkeypatch.setattr(_ensembled.lint, "lint", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call("runs", "-o", "out.csv")
    assert left() == set()


def test_a_vote_over_soft_members(call):
    assert call("runs", "-o", "a.csv")[0] == 0
    assert call("extra.zarr", "-o", "b.csv")[0] == 0
    Path("b.yaml").write_text("{kind: soft, members: [extra.zarr]}")
    Path("v.yaml").write_text(
        "members: [a.csv, b.yaml, {kind: soft, members: [runs/hrnet], weight: 2, threshold: 0.4}]\nties: keep\n"
    )
    assert call("v.yaml", "-o", "out.csv")[0] == 0
    assert csv("out.member1.csv") == csv("b.csv")
    assert call("runs/hrnet", "-o", "c.csv", "--threshold", "0.4")[0] == 0
    assert csv("out.member2.csv") == csv("c.csv")
    recipe = yaml.safe_load(Path("out.yaml").read_text())
    assert [(member["file"], member["weight"]) for member in recipe["members"]] == [
        ("a.csv", 1), ("out.member1.csv", 1), ("out.member2.csv", 2),
    ]  # fmt: skip
    # c alone has half of the weight, which is enough when ties are kept.
    assert call("out.yaml", "-o", "again.csv")[0] == 0
    assert csv("again.csv") == csv("out.csv") != csv("c.csv")
    assert not [path for path in left() if path.startswith(".")]


def test_a_vote_within_a_vote_may_have_soft_members(call):
    for name, threshold in (("a", "0.5"), ("b", "0.4")):
        assert call("extra.zarr", "-o", f"{name}.csv", "--threshold", threshold)[0] == 0
    first, third = (f"{{kind: soft, members: [runs/{name}]}}" for name in ("hrnet", "densenet"))
    Path("v.yaml").write_text(f"members: [a.csv, {{kind: hard, members: [{first}, b.csv, {third}]}}]\nties: keep\n")
    assert call("v.yaml", "-o", "out.csv")[0] == 0
    made = {f"out.member1.{place}.{kind}" for place in (0, 2) for kind in ("csv", "yaml")}
    assert left() == {"v.yaml"} | {f"{name}.{kind}" for name in ("a", "b", "out") for kind in ("csv", "yaml")} | made
    assert call("runs/hrnet", "-o", "c.csv")[0] == 0
    assert csv("out.member1.0.csv") == csv("c.csv")
    again = yaml.safe_load(Path("out.yaml").read_text())
    assert [member["file"] for member in again["members"][1]["members"]] == [
        "out.member1.0.csv", "b.csv", "out.member1.2.csv",
    ]  # fmt: skip
    assert call("out.yaml", "-o", "again.csv")[0] == 0
    assert csv("again.csv") == csv("out.csv")


def test_a_vote_that_fails_leaves_the_members_of_the_last_one(call):
    assert call("runs", "-o", "a.csv")[0] == 0
    Path("v.yaml").write_text("members: [a.csv, {kind: soft, members: [runs/hrnet]}]\n")
    assert call("v.yaml", "-o", "out.csv")[0] == 0
    before = {path: path.read_bytes() for path in Path().glob("out.*")}
    assert {str(path) for path in before} == {"out.csv", "out.yaml", "out.member1.csv", "out.member1.yaml"}
    third = "{kind: soft, members: [none]}"
    Path("v.yaml").write_text(f"members: [a.csv, {{kind: soft, members: [runs/densenet]}}, {third}]\n")
    assert call("v.yaml", "-o", "out.csv", "--overwrite")[0] == 1
    assert {path: path.read_bytes() for path in Path().glob("out.*")} == before
    assert call("out.yaml", "-o", "again.csv")[0] == 0


@pytest.mark.parametrize(
    "vote",
    [
        "members: [{kind: soft, members: [runs/hrnet]}, out.member0.csv]",
        "members: [{kind: soft, members: [runs/hrnet]}, {kind: hard, members: [out.member0.csv]}]",
        "members: [{kind: soft, members: [runs/hrnet]}, {recipe: s.yaml}]",
        "members: [{kind: soft, members: [runs/hrnet]}, {recipe: t.yaml}]",
    ],
)
def test_a_vote_writes_over_none_of_its_members(call, vote):
    assert call("runs", "-o", "out.member0.csv")[0] == 0
    Path("s.yaml").write_text("{kind: soft, members: [extra.zarr, {file: out.member0.csv, soft: 2}]}")
    Path("t.yaml").write_text("{kind: soft, members: [extra.zarr, {recipe: s.yaml}]}")
    Path("v.yaml").write_text(f"{vote}\n")
    before = csv("out.member0.csv")
    status, _, error = call("v.yaml", "-o", "out.csv", "--overwrite")
    assert status == 1
    assert "cannot replace one of its members: out.member0.csv" in error
    assert csv("out.member0.csv") == before
    assert not Path("out.csv").exists()


def test_a_result_that_equals_a_member_is_said(call):
    # The other says about nothing: 1 in 10^9 of the weight moves no pixel of these.
    said = "warning: the result equals runs/hrnet/test.zarr: the others change nothing"
    _, out, _ = call("runs/hrnet", "extra.zarr", "-o", "out.csv", "--weights", "1e9,1")
    assert call("runs/hrnet", "-o", "alone.csv")[0] == 0
    assert csv("out.csv") == csv("alone.csv")
    assert said in out
    _, out, _ = call("runs/hrnet", "extra.zarr", "-o", "mixed.csv")
    assert "equals" not in out
    assert "equals" not in call("runs/hrnet", "-o", "one.csv")[1]


def test_a_vote_over_out_of_fold_predictions(call):
    Path("v.yaml").write_text("members: [{kind: soft, members: [runs/hrnet]}]\n")
    assert call("v.yaml", "-o", "out.csv", "--part", "oof")[0] == 0
    assert csv("out.member0.csv") == csv("out.csv")
    assert csv("out.csv").startswith(b"image_name,class,rle\nk.png,x,")


def test_no_torch_without_checkpoints(made, tmp_path):
    Path(tmp_path / "r.yaml").write_text(
        f"{{kind: soft, members: [{made}/runs/hrnet, {made}/extra.zarr], steps: [{{name: fill_holes}}]}}"
    )
    code = (
        "import sys; from phalanx.commands import cli\n"
        "sys.argv = ['phalanx', 'ensemble', 'r.yaml', '-o', 'out.csv']\n"
        "try: cli.main()\nexcept SystemExit as stop: assert not stop.code\n"
        "assert not {'torch', 'lightning'} & set(sys.modules), 'torch was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.csv").is_file()


def test_checkpoints_give_what_their_stores_give(configs, tmp_path, call):
    short = (configs / "tiny.yaml").read_text().replace("epochs: 4", "epochs: 1").replace("every: 2", "every: 1")
    (configs / "tiny.yaml").write_text(short)
    assert run.main(["config=tiny"], configs) == 0
    folder = tmp_path / "runs" / "tiny"
    # After one epoch no pixel is more likely a bone than not.
    low = ("--threshold", "0.01")
    for part in ("test", "oof"):
        assert call(str(folder), "-o", f"{part}.csv", "--part", part, *low)[0] == 0
        # Neither all empty nor all full: those files have 5,000 bytes.
        assert len(csv(f"{part}.csv")) > 8_000
        Path("r.yaml").write_text("{kind: soft, members: [{checkpoints: runs/tiny}]}")
        assert call("r.yaml", "-o", f"fresh_{part}.csv", "--part", part, *low)[0] == 0
        assert csv(f"fresh_{part}.csv") == csv(f"{part}.csv")
        recipe = soft.load(Path(f"fresh_{part}.yaml"))
        member = opening.described(recipe, Path())["members"][0]
        assert (member["checkpoints"], set(member["sha256"])) == ("runs/tiny", {part})
        assert call(f"fresh_{part}.yaml", "-o", f"again_{part}.csv", "--part", part)[0] == 0
        assert csv(f"again_{part}.csv") == csv(f"{part}.csv")
    # Other networks than those of the recipe, in the same place.
    shutil.copy(folder / "fold0" / "weights.safetensors", folder / "fold1")
    status, _, error = call("fresh_test.yaml", "-o", "none.csv")
    assert status == 1
    assert "checkpoints predict other than in the recipe: runs/tiny" in error
    for text, words in (
        ("{checkpoints: runs/tiny, folds: [7]}", "the fold is not trained: "),
        ("{checkpoints: runs/tiny/none}", "the run has no such member: runs/tiny/none"),
        ("{checkpoints: extra.zarr/none}", "there is no run with checkpoints: extra.zarr/none"),
    ):
        Path("r.yaml").write_text(f"{{kind: soft, members: [{text}]}}")
        status, _, error = call("r.yaml", "-o", "none.csv")
        assert status == 1
        assert words in error
    assert not Path("none.csv").exists()
