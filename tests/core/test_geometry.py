"""Geometry: there and back, against PyTorch and by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from phalanx.core.geometry import Geometry


def test_letterbox_keeps_the_aspect_and_pads_right_and_below() -> None:
    geometry = Geometry.fit((300, 600), (64, 96), keep_aspect=True)
    assert geometry.inner == (48, 96)
    framed = geometry.shrink(np.full((300, 600), 200, np.uint8))
    assert framed.shape == (64, 96)
    assert (framed[:48] == 200).all()
    assert (framed[48:] == 0).all()


def test_areas_are_averaged_when_shrinking() -> None:
    plane = np.zeros((4, 6), np.uint8)
    plane[:2, :3] = 100
    assert Geometry.fit((4, 6), (2, 2), keep_aspect=False).shrink(plane).tolist() == [[100, 0], [0, 0]]


@pytest.mark.parametrize(("original", "network"), [((37, 53), (16, 32)), ((16, 20), (32, 32)), ((30, 17), (32, 64))])
def test_restoring_equals_pytorch(original: tuple[int, int], network: tuple[int, int]) -> None:
    plane = np.random.default_rng(0).normal(size=network).astype(np.float32)
    restored = Geometry.fit(original, network, keep_aspect=False).restore(plane)
    reference = torch.nn.functional.interpolate(torch.from_numpy(plane)[None, None], original, mode="bilinear")[0, 0]
    assert restored.shape == original
    np.testing.assert_allclose(restored, reference.numpy(), atol=2e-5)


def test_the_padding_of_a_letterbox_never_comes_back() -> None:
    geometry = Geometry.fit((30, 60), (64, 64), keep_aspect=True)
    plane = np.full((64, 64), 99.0, np.float32)
    plane[: geometry.inner[0], : geometry.inner[1]] = 1.0
    assert (geometry.restore(plane) == 1.0).all()


def test_dict_round_trip() -> None:
    geometry = Geometry.fit((37, 53), (32, 64), keep_aspect=True)
    assert Geometry.from_dict(geometry.to_dict()) == geometry


def test_only_the_picture_inside_the_frame_is_mirrored() -> None:
    geometry = Geometry((3, 4), (3, 6), (2, 4))
    frame = np.arange(18).reshape(3, 6)
    assert geometry.flip(frame).tolist() == [[3, 2, 1, 0, 4, 5], [9, 8, 7, 6, 10, 11], [12, 13, 14, 15, 16, 17]]
    assert np.array_equal(geometry.flip(geometry.flip(frame[None])), frame[None])


@pytest.mark.parametrize("keep_aspect", [True, False])
def test_a_mirrored_picture_comes_back_upright(keep_aspect: bool) -> None:
    straight = Geometry.fit((37, 53), (32, 64), keep_aspect)
    mirrored = replace(straight, mirrored=True)
    picture = np.random.default_rng(0).integers(0, 255, (37, 53), np.uint8)
    assert np.array_equal(mirrored.shrink(picture), straight.flip(straight.shrink(picture)))
    plane = straight.shrink(picture).astype(np.float32)
    assert np.array_equal(mirrored.restore(mirrored.shrink(picture)), straight.restore(plane))
    logits, geometry = mirrored.upright(straight.flip(plane)[None])
    assert geometry == straight
    assert np.array_equal(logits[0], plane)
    assert straight.upright(plane)[0] is plane
    assert Geometry.from_dict(mirrored.to_dict()) == mirrored
    assert "mirrored" not in straight.to_dict()
