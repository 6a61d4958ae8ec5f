"""Geometry: there and back, against PyTorch and by hand."""

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
