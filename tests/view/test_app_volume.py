"""Volumes in the viewer: which way slices lie, what the page is given of one, Dice by hand."""

import json

import numpy as np
import pytest

from phalanx.mask import runs
from phalanx.view import _app_pack, _app_volume, volume
from phalanx.view.volume import Labels, Volume

SHAPE = (5, 4, 3)


def box(x: slice, y: slice, z: slice, value: int, into: np.ndarray | None = None) -> np.ndarray:
    voxels = np.zeros(SHAPE, np.int32) if into is None else into
    voxels[x, y, z] = value
    return voxels


def scan(**changes) -> Volume:
    image = np.arange(60, dtype=np.float32).reshape(SHAPE) - 20.5
    truth = box(slice(1, 3), slice(0, 4), slice(0, 2), 2)
    given = box(slice(2, 4), slice(0, 4), slice(0, 2), 2, box(slice(0, 1), slice(0, 1), slice(0, 1), 7))
    plain = {
        "title": "scan.nii.gz", "image": image, "spacing": (1.0, 1.0, 2.5), "values": [2, 7],
        "classes": ["label 2", "label 7"], "colours": ["#ff0000", "#00ff00"],
        "members": [Labels("given", given)], "truth": Labels("truth", truth),
    }  # fmt: skip
    return Volume(**{**plain, **changes})


@pytest.mark.parametrize(
    ("axis", "size", "top_left"),
    # Sagittal: head on top, front at the left. Coronal and axial: the patient's right at the left.
    [(0, (3, 4), (1, 3, 2)), (1, (3, 5), (4, 1, 2)), (2, (4, 5), (4, 3, 1))],
)
def test_slices_lie_as_radiologists_look_at_them(axis, size, top_left):
    voxels = np.arange(60).reshape(SHAPE)
    index = 1
    plane = volume.cut(voxels, axis, index)
    assert plane.shape == size
    assert plane[0, 0] == voxels[top_left]
    assert volume.PLANES[axis][1][0::2] == ("AS", "RS", "RA")[axis]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_packed_slice_gives_back_greys_and_masks(axis):
    shown = scan()
    content = _app_volume.slice_of(shown, axis, 1)
    length = int.from_bytes(content[:4], "little")
    header = json.loads(content[4 : 4 + length])
    numbers = np.frombuffer(content[4 + -(-length // 4) * 4 :], np.int32)
    size = tuple(header["size"])
    greys = numbers[: size[0] * size[1]].view(np.float32).reshape(size)
    np.testing.assert_array_equal(greys, volume.cut(shown.image, axis, 1))
    for source, entry in zip(shown.sources, header["sources"], strict=True):
        plane = volume.cut(source.voxels, axis, 1)
        drawn = np.zeros(size, int)
        for label, begin, middle, end in entry["masks"]:
            drawn[runs.to_mask(numbers[begin:middle].reshape(-1, 2).astype(np.int64), size)] = shown.values[label]
            assert numbers[middle] * 2 + 1 <= end - middle
        np.testing.assert_array_equal(drawn, plane)


def test_dice_of_a_volume_by_hand():
    # 16 voxels each, 8 of them shared; the other class is in one file only.
    np.testing.assert_allclose(scan().dice(), [[0.5, 0]], atol=2e-4)
    assert np.isnan(scan(truth=None).dice()).all()


def test_the_window_leaves_out_what_is_rare():
    image = np.full((20, 30, 40), 5, np.float32)
    image[0, 0, :7] = 4000
    image[10:] = 95
    assert scan(image=image).window == (5, 95)
    assert scan(image=image).span == (5, 4000)
    assert scan(image=np.full(SHAPE, 3, np.float32)).window == (3, 3)


def test_no_ring_is_no_number():
    assert _app_pack.rings([]).tolist() == []
    assert _app_pack.rings([np.array([[3, 4]]), np.array([[0, 1], [2, 1]])]).tolist() == [1, 3, 4, 2, 0, 1, 2, 1]
