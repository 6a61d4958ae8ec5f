"""LabelSpace: overlapping and exclusive classes, each asked for everything that depends on the choice."""

import numpy as np
import pytest
import torch

from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace

OVERLAPPING = LabelSpace(("radius", "ulna", "lunate"))
EXCLUSIVE = LabelSpace(("background", "liver", "spleen"), exclusive=True)


def test_scored_channels_leave_an_exclusive_background_out() -> None:
    assert OVERLAPPING.scored_names == ("radius", "ulna", "lunate")
    assert EXCLUSIVE.scored_names == ("liver", "spleen")


def test_a_pixel_may_hold_two_overlapping_classes() -> None:
    logits = np.array([[[1.0, -1.0]], [[2.0, -2.0]], [[-3.0, 0.0]]])
    assert OVERLAPPING.decode(logits).tolist() == [[[True, False]], [[True, False]], [[False, False]]]


def test_an_exclusive_pixel_holds_the_largest_class() -> None:
    logits = np.array([[[1.0, 5.0]], [[2.0, -2.0]], [[-3.0, 0.0]]])
    assert EXCLUSIVE.decode(logits).tolist() == [[[True, False]], [[False, False]]]


def test_targets_and_planes_are_inverse() -> None:
    masks = np.array([[[1, 0, 0, 0]], [[0, 1, 0, 0]]], bool)
    target = EXCLUSIVE.target(masks)
    assert target.tolist() == [[1, 2, 0, 0]]
    planes = EXCLUSIVE.planes(torch.from_numpy(target)[None])
    assert planes[0, :, 0].tolist() == [[0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    overlapping = OVERLAPPING.target(np.ones((3, 2, 5), bool))
    assert overlapping.dtype == np.uint8
    assert OVERLAPPING.planes(torch.from_numpy(overlapping)[None]).sum() == 30


def test_probabilities_sum_to_one_only_where_classes_exclude_each_other() -> None:
    logits = torch.randn(2, 3, 4, 5)
    assert torch.allclose(EXCLUSIVE.probability(logits).sum(1), torch.ones(2, 4, 5))
    assert torch.equal(OVERLAPPING.probability(logits), logits.sigmoid())


def test_colours_are_distinct() -> None:
    assert len(set(LabelSpace(tuple(f"bone-{index}" for index in range(29))).colours)) == 29


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_names_must_be_distinct(names: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="distinct class names"):
        LabelSpace(names)


def test_an_exclusive_space_needs_more_than_a_background() -> None:
    with pytest.raises(DataError, match="distinct class names"):
        LabelSpace(("background",), exclusive=True)


def packed(masks: np.ndarray) -> np.ndarray:
    """Masks `(c, h, w)` eight a byte, class by class."""
    planes = np.zeros((-(-len(masks) // 8), *masks.shape[1:]), np.uint8)
    for place, mask in enumerate(masks):
        planes[place // 8] += mask.astype(np.uint8) * 2 ** (place % 8)
    return planes


@pytest.mark.parametrize("count", [1, 2, 8, 9, 29])
def test_packed_labels_open_to_what_they_were(count: int) -> None:
    masks = np.random.default_rng(count).random((count, 5, 7)) < 0.3
    labels = LabelSpace(tuple(map(str, range(count))))
    sent = torch.from_numpy(labels.packed_target(packed(masks)))
    assert sent.shape == (-(-count // 8), 5, 7)
    opened = labels.unpack(sent[None])
    assert opened.shape == (1, count, 5, 7)
    assert opened.dtype == torch.uint8
    assert np.array_equal(opened[0].numpy(), labels.target(masks))
    assert labels.unpack(opened) is opened


@pytest.mark.parametrize("count", [1, 8, 9, 13])
def test_packed_exclusive_labels_are_the_latest_class(count: int) -> None:
    masks = np.random.default_rng(count).random((count, 6, 4)) < 0.2
    labels = LabelSpace(("background", *map(str, range(count))), exclusive=True)
    bits = packed(masks)
    if count % 8:
        bits[-1, 0, 0] |= 128  # a bit of no class, as a transform's fill leaves it
    target = labels.packed_target(bits)
    assert np.array_equal(target, labels.target(masks))
    sent = torch.from_numpy(target)[None]
    assert labels.unpack(sent) is sent


def test_volumes_and_missing_labels_are_unpacked_too() -> None:
    bits = torch.tensor([5, 2], dtype=torch.uint8).view(1, 1, 1, 1, 2)
    assert OVERLAPPING.unpack(bits).flatten(1).tolist() == [[1, 0, 0, 1, 1, 0]]
    assert OVERLAPPING.unpack(torch.empty(0, dtype=torch.uint8)).shape == (0,)
