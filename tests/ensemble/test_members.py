"""Members: classes by name, a CSV in either pixel order, a vote, and what is refused."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from phalanx.core.errors import StoreError, SubmissionError
from phalanx.core.labels import LabelSpace
from phalanx.ensemble.members import MaskMember, SheetMasks, StoreMember, VoteMasks
from phalanx.ensemble.vote import Poll, Rule, Vote
from phalanx.mask import dialect, runs
from phalanx.mask.sheet import Sheet

BONES = LabelSpace(("radius", "ulna", "lunate"))
CASES = ("a.png", "b.png")
SIZE = (24, 40)


def size_of(case: str) -> tuple[int, int]:
    return SIZE


def test_classes_are_matched_by_name(store):
    there = store("0.zarr", labels=BONES)
    moved = LabelSpace(("lunate", "radius", "ulna"))
    stack, planes = StoreMember(there, moved).open("a.png"), there.read("a.png")[0]
    for channel, name in enumerate(moved.names):
        assert np.array_equal((stack.plane(channel) + 0.5) / 16, planes[BONES.names.index(name)])
    assert stack.geometry.original == SIZE
    assert StoreMember(there).cases == list(CASES)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (LabelSpace(("radius", "ulna", "hamate")), "0.zarr lacks hamate and has lunate more"),
        (LabelSpace(("radius", "ulna")), "0.zarr has lunate more"),
        (LabelSpace((*BONES.names, "hamate")), "0.zarr lacks hamate"),
        (LabelSpace(BONES.names, exclusive=True), "differs in whether classes exclude each other"),
    ],
)
def test_other_classes_are_refused_by_name(store, labels, words):
    with pytest.raises(StoreError, match="members of an ensemble must have the same classes") as found:
        StoreMember(store("0.zarr"), labels)
    assert words in str(found.value)


@pytest.mark.parametrize("written", ["handbone", "severstal"])
def test_a_csv_says_yes_or_no_in_every_pixel(sheet, written):
    paths = {"other.csv": written, "rows.csv": "handbone"}
    sheets = [Sheet(sheet(name, 3, written=how), dialect.named(how)) for name, how in paths.items()]
    masks, rows = (SheetMasks(one, "digest", BONES, CASES, size_of) for one in sheets)
    stack = MaskMember(masks, BONES, CASES, 2.5).open("b.png")
    assert stack.geometry.network == SIZE
    for channel in range(3):
        plane = stack.plane(channel)
        assert set(np.unique(plane)) == {np.float32(-2.5), np.float32(2.5)}
        assert np.array_equal(plane > 0, runs.to_mask(rows.read("b.png")[1][channel], SIZE))
    # The same bytes are other masks in another dialect.
    assert (masks.digest == rows.digest) == (written == "handbone")
    for one in sheets:
        one.__exit__()


def test_a_csv_by_hand(tmp_path):
    Path(tmp_path / "0.csv").write_text("ImageId_ClassId,EncodedPixels\na.png_x,2 2\n")
    with Sheet(tmp_path / "0.csv", dialect.named("severstal")) as opened:
        labels = LabelSpace(("x",))
        stack = MaskMember(
            SheetMasks(opened, "", labels, ("a.png",), lambda case: (2, 3)), labels, ("a.png",), 2.0
        ).open("a.png")
        # Down the columns: pixels 2 and 3 are the second of the first column and the first of the second.
        assert stack.plane(0).tolist() == [[-2, 2, -2], [2, -2, -2]]


@pytest.mark.parametrize("vote", [False, True], ids=["csv", "vote"])
@pytest.mark.parametrize(
    ("cases", "labels", "words"),
    [
        (("a.png",), BONES.names, "lacks 3 rows, first b.png, radius"),
        ((*CASES, "c.png"), BONES.names, "has too many: 3 rows, first c.png, lunate"),
        (CASES, ("radius", "ulna"), "lacks 2 rows, first a.png, lunate"),
        (CASES, (*BONES.names, "hamate"), "has too many: 2 rows, first a.png, hamate"),
    ],
)
def test_other_rows_are_refused(sheet, cases, labels, words, vote):
    with (
        Sheet(sheet("0.csv", cases=cases, labels=labels), dialect.named("handbone")) as opened,
        pytest.raises(SubmissionError, match="members of an ensemble must have the same cases") as found,
    ):
        if vote:
            VoteMasks(Poll(Vote([opened], Rule((Fraction(1),)))), "", BONES, CASES, size_of)
        else:
            SheetMasks(opened, "", BONES, CASES, size_of)
    assert words in str(found.value)


def test_a_csv_without_classes_is_of_one_class(sheet):
    path = sheet("0.csv", labels=("x",), written="tgs")
    with (
        Sheet(path, dialect.named("tgs")) as opened,
        pytest.raises(SubmissionError, match="no column for the class: tgs for 3 classes"),
    ):
        SheetMasks(opened, "", BONES, CASES, size_of)


@pytest.mark.parametrize("written", ["handbone", "severstal"])
def test_a_vote(sheet, written):
    paths = [sheet(f"{number}.csv", number, written=written) for number in range(3)]
    sheets = [Sheet(path, dialect.named(written)) for path in paths]
    masks = VoteMasks(Poll(Vote(sheets, Rule((Fraction(1),) * 3))), "", BONES, CASES, size_of)
    each = [SheetMasks(one, "", BONES, CASES, size_of) for one in sheets]
    for case in CASES:
        size, found = masks.read(case)
        assert size == SIZE
        for label in range(3):
            votes = sum(runs.to_mask(one.read(case)[1][label], SIZE).astype(int) for one in each)
            assert np.array_equal(runs.to_mask(found[label], SIZE), votes >= 2)
    for one in sheets:
        one.__exit__()


def test_masks_outside_the_image_are_refused(sheet):
    with Sheet(sheet("0.csv", size=(48, 40)), dialect.named("handbone")) as opened:
        masks = VoteMasks(Poll(Vote([opened], Rule((Fraction(1),)))), "", BONES, CASES, size_of)
        with pytest.raises(SubmissionError, match="leaves the image: vote of 1 files, a.png of 24x40"):
            masks.read("a.png")
        with pytest.raises(SubmissionError, match="leaves the image"):
            SheetMasks(opened, "", BONES, CASES, size_of).read("a.png")


def test_masks_among_exclusive_classes_are_refused(sheet):
    labels = LabelSpace(("background", *BONES.names), exclusive=True)
    with Sheet(sheet("0.csv"), dialect.named("handbone")) as opened:
        masks = SheetMasks(opened, "", labels, CASES, size_of)
        with pytest.raises(StoreError, match="masks cannot be members .*0.csv among classes that exclude"):
            MaskMember(masks, labels, CASES, 2.0)
