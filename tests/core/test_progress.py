"""Progress: the ramp's published values."""

import pytest

from phalanx.core.progress import Progress, track


@pytest.mark.parametrize(("step", "value"), [(0, 0.006738), (25, 0.060055), (50, 0.286505), (75, 0.731616), (100, 1.0)])
def test_gaussian_ramp(step: int, value: float) -> None:
    assert Progress(step, 100).ramp(1.0) == pytest.approx(value, abs=1e-6)


def test_a_shorter_ramp_stays_at_its_weight() -> None:
    assert Progress(50, 100).ramp(0.1, length=0.5) == pytest.approx(0.1)
    assert Progress(99, 100).ramp(0.1, length=0.5) == pytest.approx(0.1)


def test_track_yields_everything_in_order() -> None:
    assert list(track([3, 1, 2], "Counting")) == [3, 1, 2]
