"""Sliding windows: every pixel is covered, what a network says of a pixel comes back, memory stays in the band."""

import numpy as np
import pytest
import torch

from phalanx.core.config import validate
from phalanx.core.errors import ConfigError, RunError
from phalanx.predict import windows
from phalanx.predict.settings import PredictConfig, Window
from phalanx.predict.windows import Axis


def whole(looks, image: torch.Tensor, window: Window | None, batch_size: int = 3) -> torch.Tensor:
    rows = []
    for first, strip in windows.slide(looks, image, window, batch_size):
        assert first == sum(part.shape[1] for part in rows)
        rows.append(strip.float().clone())
    return torch.cat(rows, 1)


@pytest.mark.parametrize("blend", ["gaussian", "uniform"])
@pytest.mark.parametrize(
    ("length", "size", "stride"), [(50, 16, 8), (50, 16, 16), (47, 20, 3), (64, 64, 32), (33, 32, 1)]
)
def test_weights_are_positive_and_add_up_to_one_everywhere(blend: str, length: int, size: int, stride: int) -> None:
    axis = Axis.of(length, size, stride, blend)
    assert axis.starts[0] == 0
    assert axis.starts[-1] + size == length
    assert all(0 < b - a <= stride for a, b in zip(axis.starts, axis.starts[1:], strict=False))
    total, least = np.zeros(length), np.ones(length)
    for start, weight in zip(axis.starts, axis.weights.numpy(), strict=True):
        total[start : start + size] += weight
        least[start : start + size] = np.minimum(least[start : start + size], weight)
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert least.min() > 0


def test_gaussian_weights_by_hand() -> None:
    """Two windows of 16 at 0 and 8, standard deviation 2: at pixel 10 their middles are 2.5 and 5.5 away."""
    axis = Axis.of(24, 16, 8, "gaussian")
    near, far = np.exp(-(2.5**2) / 8), np.exp(-(5.5**2) / 8)
    assert axis.weights[0, 10].item() == pytest.approx(near / (near + far), rel=1e-5)
    assert axis.weights[1, 2].item() == pytest.approx(far / (near + far), rel=1e-5)
    # The very first pixel is seen by one window alone, however little it counts there.
    assert axis.weights[0, 0].item() == 1


def linear(x: torch.Tensor) -> torch.Tensor:
    """Three classes, linear in the image of two channels, pixel by pixel."""
    return torch.stack([x[:, 0] - 2 * x[:, 1], 0.25 * x[:, 0], torch.full_like(x[:, 0], -3.5)], 1)


@pytest.mark.parametrize("blend", ["gaussian", "uniform"])
@pytest.mark.parametrize("batch_size", [1, 2, 50])
@pytest.mark.parametrize(
    ("shape", "size", "stride"),
    [
        ((45, 70), (16, 24), (8, 12)),
        ((45, 70), (16, 24), (5, 24)),
        ((16, 24), (16, 24), None),
        ((9, 70), (16, 24), None),  # lower than a window
        ((5, 3), (16, 24), None),  # much smaller than one
    ],
)
def test_a_network_that_sees_pixels_alone_is_reproduced(shape, size, stride, batch_size: int, blend: str) -> None:
    image = torch.randn(2, *shape)
    window = Window(size=size, stride=stride, blend=blend)
    found = whole([linear], image, window, batch_size)
    torch.testing.assert_close(found, linear(image[None])[0], atol=2e-6, rtol=1e-5)


def test_without_windows_an_image_of_any_size_is_seen_whole() -> None:
    seen = []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(x.shape))
        return linear(x)

    image = torch.randn(2, 45, 70)
    torch.testing.assert_close(whole([look], image, None), linear(image[None])[0])
    assert seen == [(1, 2, 64, 96)]


def test_looks_are_averaged() -> None:
    image, window = torch.randn(2, 45, 70), Window(size=(16, 24))
    found = whole([linear, lambda x: 3 * linear(x), lambda x: -linear(x)], image, window)
    torch.testing.assert_close(found, linear(image[None])[0], atol=1e-5, rtol=1e-5)


def test_blending_by_brute_force() -> None:
    """A network that sees where in its window a pixel lies, against sums over the whole image."""

    def look(x: torch.Tensor) -> torch.Tensor:
        rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(24.0), indexing="ij")
        return torch.stack([x[:, 0] + rows, x[:, 0] * columns], 1)

    image = torch.randn(1, 45, 70)
    total, weights = np.zeros((2, 45, 70)), np.zeros((45, 70))
    for top in (0, 7, 14, 21, 28, 29):
        for left in (0, 10, 20, 30, 40, 46):
            rows = np.exp(-(((np.arange(16) - 7.5) / 2) ** 2) / 2)
            columns = np.exp(-(((np.arange(24) - 11.5) / 3) ** 2) / 2)
            weight = np.outer(np.maximum(rows, 1e-3), np.maximum(columns, 1e-3))
            place = np.s_[top : top + 16, left : left + 24]
            total[:, *place] += weight * look(image[None][:, :, *place])[0].numpy()
            weights[place] += weight
    found = whole([look], image, Window(size=(16, 24), stride=(7, 10)))
    np.testing.assert_allclose(found.numpy(), total / weights, atol=1e-4)


def test_a_large_band_is_held_in_half_precision_and_nothing_else_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 classes of 512 x 256: 10.5 MB in float32, of which no more than a band of 64 rows is in memory."""
    monkeypatch.setattr(windows, "_FULL_PRECISION", 2**20)
    monkeypatch.setattr(windows, "_BLOCK", 2**16)
    held = []
    make = torch.zeros
    monkeypatch.setattr(torch, "zeros", lambda *given, **named: held.append(make(*given, **named)) or held[-1])
    factors = torch.linspace(-8, 8, 20)[:, None, None]
    image = torch.rand(1, 512, 256)
    found = whole([lambda x: factors * x], image, Window(size=(64, 64)))
    assert [(band.dtype, tuple(band.shape)) for band in held] == [(torch.float16, (20, 64, 256))]
    # Less than a level of an int8 store, 1/16.
    assert (found - factors * image).abs().max() < 1 / 64


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_stop_the_prediction(bad: float) -> None:
    def look(x: torch.Tensor) -> torch.Tensor:
        logits = linear(x)
        logits[0, 1, 3, 4] = bad
        return logits

    with pytest.raises(RunError, match="not finite"):
        whole([look], torch.zeros(2, 45, 70), Window(size=(16, 24)))


@pytest.mark.parametrize(
    "given", [{"size": [0, 8]}, {"size": [16, 16], "stride": [17, 8]}, {"size": [8, 8], "stride": [0, 8]}]
)
def test_windows_that_leave_gaps_are_refused(given: dict) -> None:
    with pytest.raises(ConfigError):
        validate(PredictConfig, {"window": given})


def test_the_default_stride_is_half_the_size() -> None:
    assert Window(size=(16, 23)).steps == (8, 12)
