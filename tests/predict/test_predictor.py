"""Predictor: the mean of several networks, finished cases left alone, windows stored strip by strip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.predict import predictor
from phalanx.predict.settings import PredictConfig, Window
from phalanx.store import predictions
from phalanx.store.predictions import Store, Writer, quantise, restore

LABELS = LabelSpace(("a", "b"))
SIZE = (6, 10)


def ramp(x: torch.Tensor) -> torch.Tensor:
    """Logits that are not symmetric: the image plus the pixel's own column and row."""
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(10.0), indexing="ij")
    return torch.cat([x + columns, x + rows], 1) / 4


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


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("dtype", ["int8", "float16"])
def test_windows_store_what_the_whole_image_would(
    tmp_path: Path, dtype: str, mirrored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of a letterboxed image, strips that do not fit the chunks, against one forward pass."""
    monkeypatch.setattr(predictions, "_STRIP", 7)
    image = 6 * torch.randn(1, 40, 52)
    geometry = replace(Geometry.fit((30, 52), (40, 52), keep_aspect=True), mirrored=mirrored)
    config = PredictConfig(window=Window(size=(16, 20), stride=(12, 9)), batch_size=2)

    def look(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, -x / 2], 1)

    stores = []
    for name in ("whole", "strips"):
        writer = Writer(tmp_path / f"{name}.zarr", LABELS, {}, dtype)
        batches = [(("a",), image[None], [geometry])]
        if name == "whole":
            predictor.into_store([look], batches, writer, precision="32-true")
        else:
            predictor.strips_into_store([look, look], batches, writer, precision="32-true", config=config)
        writer.close()
        stores.append(Store(tmp_path / f"{name}.zarr"))
    (one, first), (other, second) = (store.read("a") for store in stores)
    assert first == second
    assert first == replace(geometry, mirrored=False)
    np.testing.assert_allclose(one, other, atol=1 / 16 + 1e-6 if dtype == "int8" else 1e-2)
    assert (one != other).mean() < 0.01
    # What the networks of both saw is the right way round in the store.
    height, width = geometry.inner
    shown = image[0, :height, :width].flip(1) if mirrored else image[0, :height, :width]
    np.testing.assert_allclose(other[0, :height, :width].clip(-8, 8), shown.clamp(-8, 8), atol=0.07)


def test_validation_sees_the_codes_that_a_store_would_hold() -> None:
    images = 6 * torch.randn(2, 1, 20, 33)
    config = PredictConfig(window=Window(size=(16, 16)), batch_size=4)
    found = list(predictor.infer(config)(lambda x: torch.cat([x, -x], 1), images))
    assert len(found) == 2
    for image, codes in zip(images, found, strict=True):
        wanted = restore(quantise(torch.cat([image, -image]).numpy()))
        assert codes.shape == (2, 20, 33)
        assert (codes[1] != wanted[1]).mean() < 0.01
        np.testing.assert_allclose(np.asarray(codes), wanted, atol=1 / 16 + 1e-6)
