"""Patches: what they do, what they refuse, and that the originals stay as they are."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from phalanx.core import hand
from phalanx.core.case import Case, Dataset, Finding, MaskFiles, Polygons, Runs
from phalanx.core.errors import ConfigError, DataError
from phalanx.core.labels import LabelSpace
from phalanx.data import _patch_state, decode, patch, quality
from phalanx.data.cache import Cache
from phalanx.datasets._phantom.faults import MIRRORED
from phalanx.datasets.handbone import HandBone

SIZE = (30, 50)
LABELS = LabelSpace(("a", "b", "c"))
SHIPPED = Path(__file__).parents[2] / "configs" / "patches" / "handbone.yaml"


def box(left, top, width, height):
    return np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]], float)


A, B, C = box(2, 2, 9, 4), box(20, 5, 4, 4), box(30, 8, 9, 9)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, SIZE, np.uint8))
    return path


@pytest.fixture
def dataset(image):
    rings = {"a": [A, box(40, 20, 3, 3)], "b": [B], "c": [C]}
    return Dataset(LABELS, [Case("x.png", image, Polygons(rings, SIZE)), Case("y.png", image, Polygons({"a": [A]}))])


@pytest.fixture
def written(tmp_path):
    def write(entry, case="x.png"):
        path = tmp_path / "patch.yaml"
        path.write_text(yaml.safe_dump({"format": patch.FORMAT, "cases": {case: entry}}))
        return patch.load(path)

    return write


def apply(dataset, entry, written, case="x.png"):
    entry = {"expect": {"classes": 3}, **entry}
    return patch.applied(dataset, written(entry, case), "opencv")


def areas(dataset, case=0):
    found = decode.runs(dataset.train[case], dataset.labels, "opencv", SIZE)
    return [int((run[:, 1] - run[:, 0]).sum()) for run in found]


# 10 x 5 and 4 x 4, 5 x 5, 10 x 10 pixels.
BEFORE = [66, 25, 100]


@pytest.mark.parametrize(
    ("fixes", "after"),
    [
        ([{"swap": ["a", "c"]}], [100, 25, 66]),
        ([{"relabel": {"a": "b", "b": "c", "c": "a"}}], [100, 66, 25]),
        ([{"relabel": {"a": "b", "b": "a"}}, {"swap": ["b", "c"]}], [25, 100, 66]),
        ([{"delete": {"class": "a", "part": 1}}], [50, 25, 100]),
        ([{"delete": {"class": "a", "part": 0}}], [16, 25, 100]),
        ([{"delete": {"class": "b"}}], [66, 0, 100]),
        ([{"redraw": {"class": "b", "points": box(0, 0, 2, 2).tolist()}}], [66, 9, 100]),
        ([{"redraw": {"class": "a", "part": 1, "points": box(20, 20, 1, 1).tolist()}}], [54, 25, 100]),
        ([{"delete": {"class": "b"}}, {"relabel": {"c": "b"}}], [66, 100, 0]),
    ],
)
def test_fixes_by_hand(dataset, written, fixes, after):
    entry = {"expect": {"labels": _patch_state.digest(dataset.train[0].labels)[:12]}, "fixes": fixes}
    patched = patch.applied(dataset, written(entry), "opencv")
    assert areas(patched) == after
    # The original is as it was, the other case too.
    assert areas(dataset) == BEFORE
    assert patched.train[1] is dataset.train[1]
    # Twice is refused: the labels are not those that were expected any more.
    with pytest.raises(DataError, match=r"does not fit.*x\.png: its labels have the digest \w{12}, not"):
        patch.applied(patched, written(entry), "opencv")


def test_a_cycle_of_three_turns_back(dataset, written):
    once = apply(dataset, {"fixes": [{"relabel": {"a": "b", "b": "c", "c": "a"}}]}, written)
    twice = apply(once, {"fixes": [{"relabel": {"b": "a", "c": "b", "a": "c"}}]}, written)
    assert areas(once) == [100, 66, 25]
    assert areas(twice) == BEFORE
    assert _patch_state.digest(twice.train[0].labels) == _patch_state.digest(dataset.train[0].labels)


def test_exclude(dataset, written):
    dataset.findings.append(Finding("error", "x.png", "an outline leaves the image: x.png."))
    patched = apply(dataset, {"exclude": True}, written)
    assert [case.id for case in patched.train] == ["y.png"]
    assert patched.findings == []
    with pytest.raises(DataError, match=r"there is no case x\.png"):
        apply(patched, {"exclude": True}, written)


@pytest.fixture(params=["runs", "files"])
def masked(request, dataset, tmp_path):
    """The same masks as runs, and as values in a file."""
    names, runs = LABELS.names, decode.runs(dataset.train[0], LABELS, "opencv", SIZE)
    labels = Runs(dict(zip(names, runs, strict=True)), SIZE)
    if request.param == "files":
        plane = np.zeros(SIZE, np.uint8)
        for value, run in enumerate(runs, 1):
            for start, stop in run:
                plane.reshape(-1)[start:stop] = value
        cv2.imwrite(str(tmp_path / "m.png"), plane)
        labels = MaskFiles(tuple((tmp_path / "m.png", value, name) for value, name in enumerate(names, 1)))
    return replace(dataset, train=[replace(dataset.train[0], labels=labels)])


@pytest.mark.parametrize(
    ("fix", "after"),
    [
        ({"swap": ["a", "c"]}, [100, 25, 66]),
        ({"delete": {"class": "a", "part": 1}}, [50, 25, 100]),
        ({"redraw": {"class": "b", "points": box(0, 20, 2, 2).tolist()}}, [66, 9, 100]),
        ({"redraw": {"class": "a", "part": 0, "points": box(0, 20, 2, 2).tolist()}}, [25, 25, 100]),
    ],
)
def test_masks_of_any_kind(masked, written, fix, after):
    assert areas(apply(masked, {"fixes": [fix]}, written)) == after


def test_an_exclusive_space_stays_exclusive(image, written):
    labels = LabelSpace(("background", "a", "b"), exclusive=True)
    case = Case("x.png", image, Runs({"a": np.array([[0, 100]]), "b": np.array([[100, 200]])}, SIZE))
    entry = {"expect": {"classes": 2}, "fixes": [{"redraw": {"class": "b", "points": box(0, 1, 9, 0).tolist()}}]}
    patched = patch.applied(Dataset(labels, [case]), written(entry), "opencv")
    assert patched.train[0].labels.runs["a"].tolist() == [[0, 50], [60, 100]]
    assert patched.train[0].labels.runs["b"].tolist() == [[50, 60]]


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ({"classes": 2}, "3 classes have a mask, not 2"),
        ({"parts": {"a": 1}}, "a has 2 parts, not 1"),
        ({"areas": {"b": [26, 30]}}, "b has 25 px, not 26 to 30"),
        ({"larger": [["b", "a"]]}, r"b \(25 px\) is not larger than a \(66 px\)"),
        ({"overlap": [["a", "b"]]}, "a and b do not overlap"),
        ({"nearer": [["a", "b", "c"]]}, "a is not nearer to c than b is"),
        ({"labels": "0123abcd"}, "its labels have the digest"),
        ({"image": "0123abcd"}, "its image has the digest"),
        ({"areas": {"d": [0, 9]}}, "there is no class d"),
        ({"larger": [["a", "b"]], "classes": 2}, "3 classes have a mask"),
    ],
)
def test_every_statement_is_held_against_the_case(dataset, written, expect, says):
    with pytest.raises(DataError, match=says) as caught:
        apply(dataset, {"expect": expect, "exclude": True}, written)
    assert "\n" not in str(caught.value)
    optional = apply(dataset, {"expect": expect, "exclude": True, "optional": True}, written)
    assert len(optional.train) == 2
    assert [item.kind for item in optional.findings] == ["an optional entry of the patch was left out"]


def test_statements_that_hold(dataset, written, image):
    from phalanx.core import files

    expect = {
        "classes": 3, "parts": {"a": 2, "b": 1}, "areas": {"b": [25, 25]}, "larger": [["c", "a"]],
        "nearer": [["b", "a", "c"]], "image": files.digest(image)[:20],
        "labels": _patch_state.digest(dataset.train[0].labels),
    }  # fmt: skip
    assert len(apply(dataset, {"expect": expect, "exclude": True}, written).train) == 1


@pytest.mark.parametrize(
    ("fixes", "says"),
    [
        ([{"swap": ["a", "d"]}], "no such class in the case"),
        ([{"relabel": {"a": "b"}}], "two classes would have one name"),
        ([{"relabel": {"a": "d"}}], "no such class"),
        ([{"delete": {"class": "a", "part": 2}}], "a has 2 outlines, not part 2"),
        ([{"redraw": {"class": "a", "part": 2, "points": [[0, 0], [1, 1], [0, 2]]}}], "not part 2"),
        ([{"redraw": {"class": "a", "points": [[0, 0], [99, 1], [0, 2]]}}], "leaves the image"),
    ],
)
def test_what_cannot_be_done_is_one_line(dataset, written, fixes, says):
    with pytest.raises(DataError, match=f"the patch cannot be applied: .*{says}|{says}") as caught:
        apply(dataset, {"fixes": fixes}, written)
    assert "\n" not in str(caught.value)
    assert "x.png" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("format: phalanx-patch/2\ncases: {}", "format"),
        ("cases: {}", "format"),
        ("format: phalanx-patch/1\ncases: {x.png: {exclude: true}}", "expect"),
        ("format: phalanx-patch/1\ncases: {x.png: {expect: {}, exclude: true}}", "at least one statement"),
        ("format: phalanx-patch/1\ncases: {x.png: {expect: {classes: 1}}}", "either fixes or exclude"),
        ("format: phalanx-patch/1\ncases: {x.png: {expect: {classes: 1}, exclud: true}}", "exclud"),
        ("format: phalanx-patch/1\ncases: {x.png: {expect: {labels: xyz}, exclude: true}}", "labels"),
        (
            "format: phalanx-patch/1\ncases: {x.png: {expect: {classes: 1}, fixes: [{swap: [a, b], relabel: {a: b}}]}}",
            "Must be one of",
        ),
        ("format: phalanx-patch/1\ncases: {x.png: 1, x.png: 2}", "duplicate key"),
        ("- a\n- b", "not a mapping"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_malformed_patch_is_one_line(tmp_path, text, says):
    path = tmp_path / "patch.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        patch.load(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        patch.load(tmp_path / "gone.yaml")


def test_the_digest_is_of_what_is_said(tmp_path):
    path = tmp_path / "patch.yaml"
    digests = []
    for text in (
        "format: phalanx-patch/1\ncases: {x.png: {expect: {classes: 3}, exclude: true}}",
        "# Why.\ncases:\n  x.png:\n    exclude: true\n    expect: {classes: 3}\nformat: phalanx-patch/1\n",
        "format: phalanx-patch/1\ncases: {x.png: {expect: {classes: 4}, exclude: true}}",
    ):
        path.write_text(text)
        digests.append(patch.load(path).digest)
    assert digests[0] == digests[1] != digests[2]


def test_the_cache_makes_patched_labels_anew(dataset, written, tmp_path):
    cache = Cache(tmp_path / "cache", LABELS, (16, 24), False, 1, "opencv")
    fixes = [
        {"swap": ["a", "b"]}, {"swap": ["b", "c"]}, {"delete": {"class": "a"}}, {"delete": {"class": "a", "part": 1}},
        {"redraw": {"class": "b", "points": box(20, 5, 4, 5).tolist()}},
    ]  # fmt: skip
    patched = [dataset, *(apply(dataset, {"fixes": [fix]}, written) for fix in fixes)]
    assert len({cache.path(item.train[0]) for item in patched}) == len(patched)
    before, after = (cache.item(item.train[0]).truth for item in patched[:2])
    np.testing.assert_array_equal(before[0], after[1])


def test_what_the_reader_noted_goes_when_it_is_mended(dataset, written):
    def note(kind, *names):
        return Finding("error", "x.png", f"{kind}: {', '.join(names)}.", names)

    unknown, outside, shared = note("unknown class", "aa"), note("an outline leaves the image", "a"), note("other", "c")
    rings = {"aa": dataset.train[0].labels.rings["a"], **{k: dataset.train[0].labels.rings[k] for k in "bc"}}
    broken = replace(
        dataset,
        train=[replace(dataset.train[0], labels=Polygons(rings, SIZE))],
        findings=[unknown, outside, shared, Finding("warning", "y.png", "other: y.", ("a",))],
    )
    entry = {"expect": {"labels": _patch_state.digest(Polygons(rings, SIZE))[:16]}}
    renamed = apply(broken, {**entry, "fixes": [{"relabel": {"aa": "a"}}]}, written)
    assert renamed.findings == [outside, shared, broken.findings[3]]
    assert areas(renamed) == BEFORE
    drawn = apply(renamed, {"fixes": [{"redraw": {"class": "a", "points": A.tolist()}}]}, written)
    assert drawn.findings == [shared, broken.findings[3]]


# ---- the hand-bone set ---------------------------------------------------------------------------------------------


@pytest.fixture
def hand_set(hands, tmp_path):
    """The named images of the real data, drawn as phantoms with the faults that are told of them."""
    size = (192, 192)
    cv2.imwrite(str(tmp_path / "hand.png"), np.random.default_rng(1).integers(0, 256, size, np.uint8))
    ids = list(patch.load(SHIPPED).entries)
    rings = {
        case: {name: [ring] for name, ring in drawn.rings.items()} for case, drawn in zip(ids, hands, strict=False)
    }
    sound = dict(rings)
    rings[ids[0]] = {MIRRORED.get(name, name): parts for name, parts in rings[ids[0]].items()}
    swapped = rings[ids[1]]
    rings[ids[1]] = {**swapped, "Trapezium": swapped["Trapezoid"], "Trapezoid": swapped["Trapezium"]}
    pisiform = rings[ids[3]]["Pisiform"][0]
    over = pisiform - pisiform.mean(0) + rings[ids[3]]["Ulna"][0].mean(0)
    rings[ids[3]] = {**rings[ids[3]], "Pisiform": [over]}

    def made(parts):
        cases = [
            Case(case, tmp_path / "hand.png", Polygons(own, size), f"ID{n}")
            for n, (case, own) in enumerate(parts.items())
        ]
        return Dataset(LabelSpace(hand.NAMES), cases)

    return ids, made(rings), made(sound)


def test_the_shipped_patch_mends_what_is_told_of_the_real_data(hand_set):
    ids, wrong, sound = hand_set
    patched = patch.applied(wrong, patch.load(SHIPPED), "opencv")
    assert patched.findings == []
    assert [case.id for case in patched.train] == ids[:2]
    for mended, right in zip(patched.train, sound.train, strict=False):
        assert _patch_state.digest(mended.labels) == _patch_state.digest(right.labels)
    # Applied again it finds nothing to do, and says so.
    again = patch.applied(patched, patch.load(SHIPPED), "opencv")
    assert [case.labels for case in again.train] == [case.labels for case in patched.train]
    assert len(again.findings) == 5


def test_the_shipped_patch_leaves_sound_labels_alone(hand_set):
    ids, _, sound = hand_set
    patched = patch.applied(sound, patch.load(SHIPPED), "opencv")
    # ID325 and ID363 cannot be told from sound ones by what is published: they go.
    assert [case.id for case in patched.train] == [ids[0], ids[1], ids[3]]
    assert len(patched.findings) == 3
    assert [case.labels for case in patched.train] == [sound.train[place].labels for place in (0, 1, 3)]
    nothing = patch.applied(Dataset(LABELS, []), patch.load(SHIPPED), "opencv")
    assert len(nothing.findings) == 5


# ---- suggestions ---------------------------------------------------------------------------------------------------


def test_a_suggestion_mends_what_it_was_made_for(hands, tmp_path):
    size = (192, 192)
    cases = []
    for place, drawn in enumerate(hands):
        path = tmp_path / f"{place}.png"
        cv2.imwrite(str(path), np.random.default_rng(place).integers(0, 256, size, np.uint8))
        cases.append(
            Case(path.name, path, Polygons({name: [ring] for name, ring in drawn.rings.items()}, size), f"p{place}")
        )

    def spoil(place, rings):
        cases[place] = replace(cases[place], labels=Polygons(rings, size))

    rings = cases[2].labels.rings
    spoil(2, {**rings, "Lunate": rings["Scaphoid"], "Scaphoid": rings["Lunate"]})
    rings = cases[7].labels.rings
    stray = rings["Pisiform"][0] - rings["Pisiform"][0].mean(0) + rings["Radius"][0].mean(0)
    click = np.array([[5, 5], [6, 5], [5, 6]], float)
    spoil(7, {**rings, "Pisiform": [stray, *rings["Pisiform"]], "Lunate": [*rings["Lunate"], click, click.copy()]})
    (tmp_path / "9.png").write_bytes((tmp_path / "9.png").read_bytes()[:900])
    dataset = Dataset(LabelSpace(hand.NAMES), cases)
    checked = quality.examine(dataset, "opencv")
    suggestion = patch.suggested(dataset, checked.findings)
    assert list(suggestion["cases"]) == ["2.png", "7.png", "9.png"]
    assert suggestion["cases"]["9.png"]["exclude"] is True
    path = tmp_path / "suggested.yaml"
    path.write_text(yaml.safe_dump(suggestion))
    patched = patch.applied(dataset, patch.load(path), "opencv")
    assert quality.examine(patched, "opencv").findings == []
    assert _patch_state.digest(patched.train[2].labels) == _patch_state.digest(
        Polygons({name: [ring] for name, ring in hands[2].rings.items()}, size)
    )
    assert patch.suggested(patched, [])["cases"] == {}


def test_a_misspelt_class_is_renamed(tmp_path):
    import json

    folder = tmp_path / "hands"
    for part in ("DCM", "outputs_json"):
        (folder / "train" / part / "ID001").mkdir(parents=True)
    for stem in ("image1_R", "image2_L"):
        cv2.imwrite(str(folder / "train" / "DCM" / "ID001" / f"{stem}.png"), np.full((40, 60, 3), len(stem), np.uint8))
        names = [name.replace("-", "") if name == "finger-7" and stem == "image1_R" else name for name in hand.NAMES]
        outlines = [{"label": name, "points": [[x, 5], [x + 1, 5], [x, 9]]} for x, name in enumerate(names)]
        file = folder / "train" / "outputs_json" / "ID001" / f"{stem}.json"
        file.write_text(json.dumps({"annotations": outlines}))
    dataset = HandBone(HandBone.Config(root=folder)).read()
    suggestion = patch.suggested(dataset, dataset.findings)
    assert suggestion["cases"]["image1_R.png"]["fixes"] == [{"relabel": {"finger7": "finger-7"}}]
    path = tmp_path / "suggested.yaml"
    path.write_text(yaml.safe_dump(suggestion))
    patched = patch.applied(dataset, patch.load(path), "opencv")
    assert [item for item in patched.findings if item.level == "error"] == []
    assert set(patched.train[0].labels.rings) == set(hand.NAMES)
