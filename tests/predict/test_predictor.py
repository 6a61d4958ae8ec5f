"""Predictor: the mean of several networks, flips undone before they are averaged, finished cases left alone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.predict import predictor
from phalanx.store.predictions import Store, Writer

LABELS = LabelSpace(("a", "b"))
SIZE = (6, 10)


def ramp(x: torch.Tensor) -> torch.Tensor:
    """Logits that are not symmetric: the image plus the pixel's own column and row."""
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(10.0), indexing="ij")
    return torch.cat([x + columns, x + rows], 1) / 4


@pytest.mark.parametrize(
    ("flips", "axes"), [("horizontal", [(3,)]), ("vertical", [(2,)]), ("both", [(3,), (2,), (2, 3)])]
)
def test_flips_are_the_mean_over_views(flips: str, axes: list) -> None:
    x = torch.randn(2, 1, *SIZE)
    expected = torch.stack([ramp(x), *(ramp(x.flip(axis)).flip(axis) for axis in axes)]).mean(0)
    torch.testing.assert_close(predictor.flipped(ramp, flips)(x), expected)


def test_no_flips_is_the_network_itself() -> None:
    assert predictor.flipped(ramp, "none") is ramp


def test_the_store_holds_the_mean_of_the_folds(tmp_path: Path) -> None:
    x = torch.randn(3, 1, *SIZE)
    geometry = Geometry.fit((12, 20), SIZE, keep_aspect=False)
    writer = Writer(tmp_path / "test.zarr", LABELS, {}, "float16")
    writer.write("b", np.full((2, *SIZE), 7.0), geometry)  # done before the run was interrupted
    batches = [(("a", "b"), x[:2], [geometry] * 2), (("c",), x[2:], [geometry])]
    predictor.into_store([ramp, lambda x: 3 * ramp(x)], batches, writer, precision="32-true")
    writer.close()
    store = Store(tmp_path / "test.zarr")
    assert set(store) == {"a", "b", "c"}
    np.testing.assert_allclose(store.read("a")[0], 2 * ramp(x[:1])[0], atol=5e-3)
    np.testing.assert_allclose(store.read("c")[0], 2 * ramp(x[2:])[0], atol=5e-3)
    assert (store.read("b")[0] == 7).all()
