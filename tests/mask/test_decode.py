import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.mask import decode, runs

BONES = LabelSpace(("Radius", "Ulna", "Lunate"))
ORGANS = LabelSpace(("background", "liver", "spleen"), exclusive=True)


def plainly(logits, geometry, labels, threshold=0.0):
    """Restore every plane, then decide."""
    planes = np.stack([geometry.restore(plane) for plane in logits])
    if labels.exclusive:
        winner = planes.argmax(0)
        return [runs.from_mask(winner == channel) for channel in labels.scored]
    bounds = np.broadcast_to(np.asarray(threshold, np.float32), len(planes))
    return [runs.from_mask(plane > bound) for plane, bound in zip(planes, bounds, strict=True)]


def same(a, b):
    return [part.tolist() for part in a] == [part.tolist() for part in b]


def blobs(rng, size, quantised):
    logits = np.full((3, *size), -6, np.float32)
    for plane in logits:
        for _ in range(rng.integers(0, 3)):
            y, x = rng.integers(0, size[0]), rng.integers(0, size[1])
            part = plane[y : y + rng.integers(1, 30), x : x + rng.integers(1, 30)]
            part[:] = rng.normal(1, 3, part.shape)
    return np.round(logits * 4) / 4 if quantised else logits


# Powers of two, which may be cut, among odd sizes, which may not.
SIDES = st.one_of(st.sampled_from([16, 32, 64, 128]), st.integers(1, 130))
FRAMES = st.one_of(st.sampled_from([8, 12, 16, 24, 32, 64]), st.integers(1, 70))


@settings(max_examples=150, deadline=None)
@given(
    original=st.tuples(SIDES, SIDES),
    network=st.tuples(FRAMES, FRAMES),
    keep_aspect=st.booleans(),
    seed=st.integers(0, 10**6),
    quantised=st.booleans(),
    threshold=st.sampled_from([0.0, 0.5, -1.25, -6.0, 1.3, (0.0, 1.0, -0.5)]),
)
def test_equals_the_plain_way(original, network, keep_aspect, seed, quantised, threshold):  # noqa: PLR0917
    geometry = Geometry.fit(original, network, keep_aspect)
    logits = blobs(np.random.default_rng(seed), network, quantised)
    found = decode.to_runs(logits, geometry, BONES, threshold)
    for part in found:
        runs.check(part, original)
    assert same(found, plainly(logits, geometry, BONES, threshold))


@settings(max_examples=40, deadline=None)
@given(original=st.tuples(SIDES, SIDES), network=st.tuples(FRAMES, FRAMES), seed=st.integers(0, 10**6))
def test_equals_the_plain_way_where_classes_exclude(original, network, seed):
    geometry = Geometry.fit(original, network, True)
    logits = blobs(np.random.default_rng(seed), network, True)
    found = decode.to_runs(logits, geometry, ORGANS)
    assert len(found) == 2
    assert same(found, plainly(logits, geometry, ORGANS))


def test_doubled_by_hand():
    # Between 3 and -1 the restored row reads 3, 2, 0, -1: the zero is background.
    logits = np.array([[[3, -1, -1]]], np.float32)
    geometry = Geometry((1, 6), (1, 3), (1, 3))
    assert decode.to_runs(logits, geometry, LabelSpace(("bone",)))[0].tolist() == [[0, 2]]
    assert decode.to_runs(logits, geometry, LabelSpace(("bone",)), 2.5)[0].tolist() == [[0, 1]]
    assert decode.to_runs(logits, geometry, LabelSpace(("bone",)), -0.5)[0].tolist() == [[0, 3]]


def test_padding_of_a_letterboxed_frame_is_never_seen():
    geometry = Geometry((8, 6), (4, 4), (4, 3))
    logits = np.full((3, 4, 4), -1, np.float32)
    logits[:, :, 3] = 9
    assert [len(part) for part in decode.to_runs(logits, geometry, BONES)] == [0, 0, 0]


def test_float16_and_float64_logits_are_thresholded_in_float32():
    geometry = Geometry((16, 12), (8, 6), (8, 6))
    logits = np.random.default_rng(3).normal(0, 2, (3, 8, 6))
    for dtype in (np.float16, np.float64):
        given = logits.astype(dtype)
        assert same(decode.to_runs(given, geometry, BONES, 0.3), plainly(given, geometry, BONES, 0.3))


@pytest.mark.parametrize(
    ("original", "enlarged"),
    [
        # Rows 9 to 21 in steps of 3 to 8; columns 29 to 34 in steps of 1 to 2.
        ((256, 128), (32, 10)),
        # 96 to 144 is 2 to 3, no power of two: the axis is taken whole.
        ((144, 128), (144, 10)),
        # An axis that shrinks is taken whole.
        ((256, 32), (32, 32)),
    ],
)
def test_only_a_box_is_enlarged(monkeypatch, original, enlarged):
    sizes = []
    resize = decode.cv2.resize

    def spy(plane, size, **options):
        sizes.append((size[1], size[0]))
        return resize(plane, size, **options)

    monkeypatch.setattr(decode.cv2, "resize", spy)
    logits = np.full((3, 96, 64), -1, np.float32)
    logits[0, 10:20, 30:33] = 1
    decode.to_runs(logits, Geometry(original, (96, 64), (96, 64)), BONES)
    assert sizes == [enlarged]


def test_what_does_not_fit():
    geometry = Geometry((16, 12), (8, 6), (8, 6))
    with pytest.raises(ValueError, match="logits do not fit"):
        decode.to_runs(np.zeros((2, 8, 6)), geometry, BONES)
    with pytest.raises(ValueError, match="logits do not fit"):
        decode.to_runs(np.zeros((3, 6, 8)), geometry, BONES)
    with pytest.raises(ValueError, match="broadcast"):
        decode.to_runs(np.zeros((3, 8, 6)), geometry, BONES, np.zeros(2))
    with pytest.raises(ValueError, match="no thresholds"):
        decode.to_runs(np.zeros((3, 8, 6)), geometry, ORGANS, 0.5)
