"""`phalanx vote` as it is typed: what it writes, what it refuses, and that a recipe gives the same bytes."""

import functools
from pathlib import Path

import pytest
import yaml

BONES = "image_name,class,rle\n"


@pytest.fixture
def call(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return functools.partial(typed, "vote")


def three() -> None:
    # Pixels 2 to 4 have two votes or more; the second row is empty in two files.
    for name, first, second in (("a", "1 3", "7 1"), ("b", "2 3", ""), ("c", "3 3", "")):
        Path(f"{name}.csv").write_text(f"{BONES}i.png,x,{first}\ni.png,y,{second}\n")


def test_a_majority(call):
    three()
    status, out, _ = call("a.csv", "b.csv", "c.csv", "-o", "out.csv")
    assert status == 0
    assert Path("out.csv").read_text() == f"{BONES}i.png,x,2 3\ni.png,y,\n"
    assert "out.csv: 2 rows of 1 images; recipe in out.yaml" in out
    assert [line.split() for line in out.splitlines()[1:4]] == [
        ["a.csv", "1", "0.333", "0"],
        ["b.csv", "1", "0.333", "1"],
        ["c.csv", "1", "0.333", "1"],
    ]


def test_a_recipe_gives_the_same_bytes(call):
    three()
    assert call("a.csv", "b.csv", "c.csv", "-o", "sub/out.csv", "--weights", "2,0.5,1/3", "--ties", "keep")[0] == 0
    recipe = yaml.safe_load(Path("sub/out.yaml").read_text())
    assert [(member["file"], member["weight"]) for member in recipe["members"]] == [
        ("../a.csv", 2),
        ("../b.csv", 0.5),
        ("../c.csv", "1/3"),
    ]
    assert recipe["ties"] == "keep"
    assert call("sub/out.yaml", "-o", "again.csv")[0] == 0
    assert Path("again.csv").read_bytes() == Path("sub/out.csv").read_bytes()
    Path("b.csv").write_text(f"{BONES}i.png,x,9 1\ni.png,y,\n")
    status, _, error = call("sub/out.yaml", "-o", "third.csv")
    assert status == 1
    assert "not the file of the recipe: sub/../b.csv" in error
    assert not Path("third.csv").exists()


def test_weights_of_a_class_from_a_file(call):
    three()
    Path("w.yaml").write_text("weights: [1, 1, 1]\nclasses: {y: {weights: [3, 1, 1], threshold: 0.5}}\n")
    assert call("a.csv", "b.csv", "c.csv", "-o", "out.csv", "--weights", "w.yaml")[0] == 0
    assert Path("out.csv").read_text() == f"{BONES}i.png,x,2 3\ni.png,y,7 1\n"


def test_a_class_may_have_its_own_threshold_alone(call):
    three()
    Path("r.yaml").write_text("members: [a.csv, b.csv, c.csv]\nclasses: {y: {threshold: 0.3}}\n")
    assert call("r.yaml", "-o", "out.csv")[0] == 0
    # One vote of three is more than 0.3 of them.
    assert Path("out.csv").read_text() == f"{BONES}i.png,x,2 3\ni.png,y,7 1\n"


def test_a_vote_within_a_vote(call):
    three()
    Path("inner.yaml").write_text("members: [a.csv, b.csv, c.csv]\n")
    Path("d.csv").write_text(f"{BONES}i.png,x,3 9\ni.png,y,\n")
    assert call("inner.yaml", "d.csv", "-o", "out.csv")[0] == 0
    assert Path("out.csv").read_text() == f"{BONES}i.png,x,3 2\ni.png,y,\n"


def test_a_result_that_equals_a_member_is_said(call):
    three()
    _, out, _ = call("a.csv", "b.csv", "-o", "out.csv", "--weights", "3,1")
    assert "warning: the result equals a.csv" in out
    assert Path("out.csv").read_bytes() == Path("a.csv").read_bytes()


def test_a_stray_file_of_the_folder_does_not_vote(call):
    three()
    Path("stray.csv").write_text("not,a,submission\n")
    assert call("a.csv", "b.csv", "c.csv", "-o", "out.csv")[0] == 0


def test_nothing_is_replaced_unasked(call):
    three()
    Path("out.csv").write_text("kept")
    status, _, error = call("a.csv", "b.csv", "-o", "out.csv")
    assert (status, Path("out.csv").read_text()) == (1, "kept")
    assert "error: the file exists already: out.csv. Choose another name, or say --overwrite" in error
    assert call("a.csv", "b.csv", "-o", "out.csv", "--overwrite")[0] == 0


def test_objects_need_a_size(call):
    for name, rows in (("a", "i,1 3\ni,9 2\n"), ("b", "i,1 3\n")):
        Path(f"{name}.csv").write_text("ImageId,EncodedPixels\n" + rows)
    arguments = ("a.csv", "b.csv", "-o", "out.csv", "--dialect", "dsb2018", "--ties", "keep")
    status, _, error = call(*arguments)
    assert status == 1
    assert "objects cannot be told apart without the size of the images" in error
    # Columns of 4: pixels 1 to 3 hold together, 9 and 10 are two columns away.
    assert call(*arguments, "--size", "4x5")[0] == 0
    assert Path("out.csv").read_text() == "ImageId,EncodedPixels\ni,1 3\ni,9 2\n"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("a.csv", "a.csv"), 1, "the same file votes twice: a.csv and a.csv"),
        (("a.csv", "twin.csv"), 1, "the same file votes twice: a.csv and twin.csv"),
        (("a.csv", "nothing.csv"), 1, "there is no such file: nothing.csv"),
        (("a.csv", "other.csv"), 1, r"lacks 1 rows of a.csv, first i.png, y"),
        (("a.csv", "bad.csv"), 1, "bad.csv, line 3 (i.png, y): an odd count of numbers"),
        (("a.csv", "b.csv", "--weights", "1"), 1, "one weight a member: 1 for 2 members"),
        (("a.csv", "b.csv", "--weights", "0,0"), 1, "every weight is zero"),
        (("a.csv", "b.csv", "--weights", "1,-1"), 1, "'-1' is not a number from 0"),
        (("a.csv", "b.csv", "--weights", "none.yaml"), 1, "the recipe cannot be read: none.yaml"),
        (("a.csv", "b.csv", "--threshold", "1"), 1, "less than 1"),
        (("a.csv", "b.csv", "--size", "2x2"), 1, "a run that leaves the image"),
        (("a.csv", "b.csv", "--size", "2"), 2, "is not height x width"),
        (("a.csv", "b.csv", "--dialect", "handbones"), 2, "is none of handbone"),
        (("loop.yaml",), 1, "members"),
    ],
)
def test_refusals(call, arguments, status, words):
    three()
    Path("twin.csv").write_bytes(Path("a.csv").read_bytes())
    Path("other.csv").write_text(f"{BONES}i.png,x,1 3\n")
    Path("bad.csv").write_text(f"{BONES}i.png,x,1 3\ni.png,y,1 3 4\n")
    Path("loop.yaml").write_text("members: []\n")
    found, _, error = call(*arguments, "-o", "out.csv")
    assert found == status
    assert words in " ".join(error.replace("│", "").split())
    assert not Path("out.csv").exists()


def test_a_file_may_vote_twice_when_asked(call):
    three()
    assert call("a.csv", "a.csv", "b.csv", "-o", "out.csv", "--same-file")[0] == 0
    assert Path("out.csv").read_bytes() == Path("a.csv").read_bytes()


def test_the_result_cannot_replace_a_member(call):
    three()
    status, _, error = call("a.csv", "b.csv", "-o", "a.csv", "--overwrite")
    assert status == 1
    assert "the result cannot replace one of its members: a.csv" in error
    Path("mine.yaml").write_text("members: [a.csv, b.csv]\n")
    status, _, error = call("mine.yaml", "-o", "mine.csv", "--overwrite")
    assert status == 1
    assert "the result cannot replace one of its members: mine.yaml" in error
