"""Views: flips are undone, scales are multiples of 32 and come back to the image's size."""

import pytest
import torch
from torch.nn import functional

from phalanx.predict.views import views

SIZE = (6, 10)


def ramp(x: torch.Tensor) -> torch.Tensor:
    """Logits that are not symmetric: the image plus the pixel's own column and row."""
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(10.0), indexing="ij")
    return torch.cat([x + columns, x + rows], 1) / 4


@pytest.mark.parametrize(
    ("flips", "axes"), [("horizontal", [(3,)]), ("vertical", [(2,)]), ("both", [(3,), (2,), (2, 3)])]
)
def test_flips_are_undone(flips: str, axes: list) -> None:
    x = torch.randn(2, 1, *SIZE)
    expected = [ramp(x), *(ramp(x.flip(axis)).flip(axis) for axis in axes)]
    found = [view(x) for view in views(ramp, flips, (1.0,))]
    assert len(found) == len(expected)
    for wanted in expected:
        assert any(torch.equal(wanted, one) for one in found)
    torch.testing.assert_close(found[0], ramp(x))


def test_one_view_is_the_network_itself() -> None:
    assert views(ramp, "none", (1.0,)) == [ramp]


def test_scales_reach_the_network_and_come_back() -> None:
    seen = []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(x.shape[2:]))
        return torch.cat([2 * x, 1 - x], 1)

    x = functional.interpolate(torch.randn(2, 1, 4, 6), (64, 128), mode="bicubic")  # smooth: nothing to lose
    found = [view(x) for view in views(look, "horizontal", (0.8, 1.0, 1.5))]
    assert seen == [(64, 96), (64, 96), (64, 128), (64, 128), (96, 192), (96, 192)]
    for one in found:
        assert one.shape == (2, 2, 64, 128)
        torch.testing.assert_close(one, torch.cat([2 * x, 1 - x], 1), atol=0.15, rtol=0)


def test_a_constant_survives_every_view() -> None:
    x = torch.full((1, 1, 64, 96), 0.375)
    for view in views(lambda x: torch.cat([x, -4 * x], 1), "both", (0.5, 1.0, 2.0)):
        torch.testing.assert_close(view(x), torch.cat([x, -4 * x], 1))
