"""Soft ensemble: equal to the dense computation to the pixel, on either engine, and what changes nothing."""

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.ensemble import soft
from phalanx.ensemble.members import StoreMember
from phalanx.ensemble.soft import Blend
from phalanx.mask import decode, runs
from phalanx.store.predictions import Store, Writer, restore

BONES = LabelSpace(("radius", "ulna", "lunate"))
ORGANS = LabelSpace(("background", "liver", "spleen"), exclusive=True)


class Drawn:
    """Members in memory, as `Member` wants them, and the plain computation of what they amount to."""

    def __init__(self, name: str, labels: LabelSpace, planes: np.ndarray, geometry: Geometry) -> None:
        self.name, self.digest, self.labels, self.cases = name, name, labels, ("a",)
        self.planes, self.geometry = planes, geometry

    def open(self, case: str) -> "Drawn":
        return self

    def plane(self, channel: int) -> np.ndarray:
        return self.planes[channel]

    def logits(self) -> np.ndarray:
        return restore(self.planes) if self.planes.dtype == np.int8 else self.planes.astype(np.float32)


@st.composite
def blends(draw) -> Blend:
    """A blend of up to four members, alike or of mixed resolutions."""
    labels = draw(st.sampled_from([BONES, ORGANS]))
    original = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    frames = [(draw(st.integers(1, 24)), draw(st.integers(1, 24))) for _ in range(draw(st.integers(1, 2)))]
    if draw(st.booleans()):
        # Enlarged by a whole power of two: only a part of the plane is.
        original = frames[0][0] * 4, frames[0][1] * 2
    keep, count = draw(st.booleans()), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    members = []
    for number in range(count):
        frame = Geometry.fit(original, draw(st.sampled_from(frames)), keep_aspect=keep)
        planes = rng.normal(draw(st.sampled_from([-4.0, 0.0])), 4, (3, *frame.network))
        kind = draw(st.sampled_from(["int8", "float16"]))
        stored = np.clip(planes * 16, -128, 127).astype(np.int8) if kind == "int8" else planes.astype(np.float16)
        members.append(Drawn(f"member {number}", labels, stored, frame))
    one = st.lists(st.integers(0, 5), min_size=count, max_size=count).filter(any)
    weights = tuple(
        tuple(map(Fraction, draw(one))) for _ in range(draw(st.sampled_from([1, 1 if labels.exclusive else 3])))
    )
    heat = draw(st.lists(st.sampled_from([0.5, 1.0, 1.7]), min_size=count, max_size=count))
    return Blend(tuple(members), labels, weights, tuple(heat), draw(st.sampled_from(["logits", "probability"])))


def dense(blend: Blend, label: int) -> np.ndarray:
    """The weighted sum of a class in float64, every member restored in full."""
    row = blend.weights[label if len(blend.weights) > 1 else 0]
    total = 0.0
    for member, weight, heat in zip(blend.members, row, blend.temperatures, strict=True):
        logits = member.logits().astype(np.float64) / heat
        if blend.space == "probability" and blend.labels.exclusive:
            shares = np.exp(logits - logits.max(0))
            logits = shares / shares.sum(0)
        elif blend.space == "probability":
            logits = 1 / (1 + np.exp(-logits))
        total = total + float(weight) * member.geometry.restore(logits[label]).astype(np.float64)
    return total / float(sum(row))


def value(probability: float, space: str) -> float:
    return probability if space == "probability" else float(np.log(probability / (1 - probability)))


def check(blend: Blend, found: list[np.ndarray], thresholds: list[float]) -> None:
    """Masks are those of the dense computation, but for pixels on the very edge of a decision."""
    size = blend.open("a").size
    planes = np.stack([dense(blend, channel) for channel in range(len(blend.labels))])
    for place, channel in enumerate(blend.labels.scored):
        runs.check(found[place], size)
        painted = runs.to_mask(found[place], size)
        if blend.labels.exclusive:
            edge = planes[channel] - np.delete(planes, channel, 0).max(0)
        else:
            edge = planes[channel] - value(thresholds[place], blend.space)
        assert np.all((painted == (edge > 0)) | (abs(edge) < 1e-4))


@settings(max_examples=150)
@given(blends(), st.lists(st.sampled_from([0.1, 0.37, 0.5, 0.8]), min_size=3, max_size=3))
def test_masks_equal_the_dense_computation(blend, thresholds):
    check(blend, blend.open("a").masks(thresholds), thresholds)


@settings(max_examples=60)
@given(blends(), st.sampled_from([0.1, 0.5, 0.8]))
def test_both_engines_say_the_same(blend, threshold):
    fast = blend.open("a").masks([threshold] * 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(soft, "_engine", lambda: None)
        plain = blend.open("a").masks([threshold] * 3)
    assert all(np.array_equal(a, b) for a, b in zip(fast, plain, strict=True))


def same(one: Blend, other: Blend, threshold: float) -> bool:
    """To the last bit, before the cut and behind it."""
    scenes = one.open("a"), other.open("a")
    masks = [scene.masks([threshold] * 3) for scene in scenes]
    sums = [[scene.plane(label)[0] for label in range(3)] for scene in scenes]
    return all(np.array_equal(a, b) for pair in (masks, sums) for a, b in zip(*pair, strict=True))


@settings(max_examples=60)
@given(blends(), st.sampled_from([0.37, 0.5]), st.data())
def test_what_changes_nothing(blend, threshold, data):
    members, weights, heat = blend.members, blend.weights, blend.temperatures
    order = data.draw(st.permutations(range(len(members))))
    twice = Blend(members * 2, blend.labels, tuple(row * 2 for row in weights), heat * 2, blend.space)
    factor = data.draw(st.sampled_from([Fraction(1, 3), Fraction(7), Fraction(10**8)]))
    scaled = Blend(members, blend.labels, tuple(tuple(w * factor for w in row) for row in weights), heat, blend.space)
    moved = Blend(
        tuple(members[at] for at in order), blend.labels, tuple(tuple(row[at] for at in order) for row in weights),
        tuple(heat[at] for at in order), blend.space,
    )  # fmt: skip
    split = Blend(
        (*members, members[0]), blend.labels, tuple((*row, row[0]) for row in weights), (*heat, heat[0]), blend.space
    )
    double = tuple((row[0] * 2, *row[1:]) for row in weights)
    assert same(blend, twice, threshold)
    assert same(blend, scaled, threshold)
    assert same(blend, moved, threshold)
    assert same(split, Blend(members, blend.labels, double, heat, blend.space), threshold)


@given(blends())
def test_one_member_is_itself(blend):
    member = blend.members[0]
    alone = Blend((member,), blend.labels, ((Fraction(3),),))
    expected = decode.to_runs(member.logits(), member.geometry, blend.labels)
    assert all(np.array_equal(a, b) for a, b in zip(alone.open("a").masks([0.5] * 3), expected, strict=True))


def test_ties_are_dropped_exactly():
    frame = Geometry.fit((2, 2), (2, 2), keep_aspect=False)
    codes = np.full((3, 2, 2), 40, np.int8)
    pair = [Drawn(name, BONES, planes, frame) for name, planes in (("a", codes), ("b", -codes - 1))]
    thirds = (Fraction(1, 3), Fraction(1, 3))
    assert not any(len(mask) for mask in Blend(tuple(pair), BONES, (thirds,)).open("a").masks([0.5] * 3))
    more = (Fraction(1, 3) + Fraction(1, 10**6), Fraction(1, 3))
    assert all(len(mask) for mask in Blend(tuple(pair), BONES, (more,)).open("a").masks([0.5] * 3))


def test_any_weights_and_temperatures_keep_within_the_numbers():
    frame = Geometry.fit((2, 3), (2, 3), keep_aspect=False)
    planes = np.full((3, 2, 3), 60000, np.float16) * np.array([1, -1, 1], np.float16)[:, None, None]
    whole = np.array([[[127]], [[-128]], [[127]]], np.int8).repeat(2, 1).repeat(3, 2)
    members = tuple(Drawn(str(n), BONES, planes if n % 2 else whole, frame) for n in range(6))
    primes = (999999937, 999999929, 999999893, 999999883, 999999797, 999999761)
    weights = (tuple(Fraction(1, prime) for prime in primes),)
    for space in ("logits", "probability"):
        found = Blend(members, BONES, weights, (0.001,) * 6, space).open("a").masks([0.5] * 3)
        assert [runs.area(mask) for mask in found] == [6, 0, 6]


def test_an_exclusive_mean_of_probabilities_needs_one_softmax_a_member(monkeypatch):
    frame = Geometry.fit((2, 2), (2, 2), keep_aspect=False)
    members = tuple(Drawn(str(n), ORGANS, np.full((3, 2, 2), n, np.int8), frame) for n in range(2))
    calls, before = [], soft.Scene._softmax
    monkeypatch.setattr(soft.Scene, "_softmax", lambda scene, place: calls.append(place) or before(scene, place))
    Blend(members, ORGANS, ((Fraction(1),) * 2,), (), "probability").open("a").masks([0.5] * 2)
    assert sorted(calls) == [0, 1]


def test_several_cuts_of_one_class():
    frame = Geometry.fit((8, 12), (4, 6), keep_aspect=False)
    planes = np.random.default_rng(1).normal(0, 3, (3, 4, 6)).astype(np.float16)
    scene = Blend((Drawn("a", BONES, planes, frame),), BONES, ((Fraction(1),),)).open("a")
    low, high = scene.cut(1, [0.2, 0.7])
    assert runs.overlap(low, high) == runs.area(high) < runs.area(low)
    assert np.array_equal(high, scene.masks([0.5, 0.7, 0.5])[1])


def test_the_mean_of_stores_case_by_case(store):
    stores = [store("0.zarr", 0, cases=("a", "b", "c")), store("1.zarr", 1, cases=("a", "b", "c"), dtype="float16")]
    found = list(soft.mean(stores))
    assert [(case, size) for case, size, _ in found] == [(case, (24, 40)) for case in "abc"]
    for case, size, masks in found:
        planes = [member.read(case)[1].restore(member.read(case)[0][0]) for member in stores]
        edge = np.mean(planes, 0, dtype=np.float64)
        assert np.all((runs.to_mask(masks[0], size) == (edge > 0)) | (abs(edge) < 1e-4))
    assert [case for case, *_ in soft.mean(stores, ["c", "a"])] == ["c", "a"]


def test_other_classes_cases_or_sizes_are_refused(store, tmp_path):
    first = store("0.zarr", cases=("a", "b"))
    renamed = store("1.zarr", labels=LabelSpace(("radius", "Ulna", "lunate")), cases=("a", "b"))
    fewer = store("2.zarr", cases=("a", "z"))
    with pytest.raises(
        StoreError, match="members of an ensemble must have the same classes: .*lacks ulna and has Ulna"
    ):
        list(soft.mean([first, renamed]))
    with pytest.raises(StoreError, match=r"same cases: .*lacks 1 cases \['b'\] .* and has 1 more \['z'\]"):
        list(soft.mean([first, fewer]))
    with pytest.raises(StoreError, match="same classes: .*ulna against Ulna"):
        Blend((StoreMember(first), StoreMember(renamed)), BONES, ((Fraction(1),) * 2,))
    writer = Writer(tmp_path / "3.zarr", BONES, {})
    for case in ("a", "b"):
        writer.write(case, np.ones((3, 12, 20), np.float32), Geometry.fit((25, 40), (12, 20), keep_aspect=False))
    writer.close()
    with pytest.raises(StoreError, match="an image has two sizes: a is 25x40 in .*3.zarr, 24x40 in .*0.zarr"):
        list(soft.mean([first, Store(tmp_path / "3.zarr")], ["a"]))


def test_a_damaged_case_is_refused_when_it_is_opened():
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder) / "0.zarr", BONES, {})
        writer.write("a", np.ones((3, 4, 4), np.float32), Geometry.fit((4, 4), (4, 4), keep_aspect=False))
        writer.close()
        found = Store(Path(folder) / "0.zarr")
        next(iter((found.path / found.cases["a"]["array"]).rglob("c/1/*/*"))).unlink()
        with pytest.raises(StoreError, match="changed after it was written: a in"):
            list(soft.mean([found]))
