"""Members that saw a part of the image: brought back to their place, silent outside it."""

from fractions import Fraction

import numpy as np
import pytest

from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.ensemble import band as bands
from phalanx.ensemble.soft import Blend
from phalanx.mask import decode, runs

SIZE, CROP = (40, 60), (8, 10, 32, 50)


def test_there_and_back():
    geometry = Geometry.fit(SIZE, (12, 20), keep_aspect=False, crop=CROP)
    assert geometry.shown == (24, 40) and Geometry.from_dict(geometry.to_dict()) == geometry
    image = np.random.default_rng(0).random(SIZE).astype(np.float32)
    # Half the size: each pixel is the mean of four.
    expected = image[8:32, 10:50].reshape(12, 2, 20, 2).mean((1, 3))
    np.testing.assert_allclose(geometry.shrink(image), expected, atol=1e-6)
    back = geometry.restore(np.full((12, 20), 3.0))
    assert (back[8:32, 10:50] == 3).all() and (back == -8).sum() == 40 * 60 - 24 * 40
    assert "crop" not in Geometry.fit(SIZE, (12, 20), keep_aspect=False).to_dict()
    assert Geometry.fit(SIZE, (24, 24), keep_aspect=True, crop=CROP).inner == (14, 24)


@pytest.mark.parametrize("crop", [(8, 10, 8, 50), (0, 0, 41, 60), (-1, 0, 9, 9)])
def test_crops_that_cannot_be(crop):
    with pytest.raises(ValueError, match="a crop must lie in its image"):
        Geometry.fit(SIZE, (12, 20), keep_aspect=False, crop=crop)


def test_runs_of_a_crop():
    geometry = Geometry.fit(SIZE, (24, 40), keep_aspect=False, crop=CROP)
    logits = np.full((1, 24, 40), -1.0, np.float32)
    logits[0, 2, 3:6] = 1
    found = decode.to_runs(logits, geometry, LabelSpace(("bone",)))
    assert found[0].tolist() == [[10 * 60 + 13, 10 * 60 + 16]]
    # A threshold below the surest "no" is passed everywhere.
    assert runs.area(decode.to_runs(logits, geometry, LabelSpace(("bone",)), -9.0)[0]) == 40 * 60


@pytest.mark.parametrize("space", ["logits", "probability"])
def test_a_crop_beside_a_whole_image(world, space):
    made = world([0.5, 0.5], cases=2, size=SIZE, network=(20, 30))
    rng = np.random.default_rng(1)
    for stack in made.members[1].stacks.values():
        stack.geometry = Geometry.fit(SIZE, (12, 20), keep_aspect=False, crop=CROP)
        stack.values = rng.normal(0, 3, (2, 12, 20)).astype(np.float32)
    blend = Blend(tuple(made.members), made.members[0].labels, ((Fraction(1), Fraction(2)),), space=space)
    band = bands.build(made.members, made.truth, space=space, limit=0.9)
    place = int(np.searchsorted(band.thresholds, 0.5))
    for case in made.truth:
        whole = 0.0
        for member, weight in zip(made.members, (1, 2), strict=True):
            stack = member.open(case)
            plane = stack.plane(1) if space == "logits" else 1 / (1 + np.exp(-stack.plane(1)))
            outside = -8.0 if space == "logits" else float(1 / (1 + np.exp(8)))
            whole = whole + weight / 3 * stack.geometry.restore(plane, outside)
        mask = whole > (0.0 if space == "logits" else 0.5)
        assert runs.to_mask(blend.open(case).cut(1, [0.5])[0], SIZE).tolist() == mask.tolist()
        found = band.masks(1, (1, 2), place)[list(made.truth).index(case)]
        assert (runs.to_mask(found, SIZE) != mask).sum() <= 2
        assert 0 < mask.sum() < mask.size


def test_classes_that_exclude_each_other(world):
    made = world([0.5, 0.5], cases=1, size=SIZE, network=(20, 30))
    labels = LabelSpace(("background", "disc"), exclusive=True)
    for member in made.members:
        member.labels = labels
    crop = made.members[1].stacks["case00"]
    crop.geometry = Geometry.fit(SIZE, (12, 20), keep_aspect=False, crop=CROP)
    crop.values = np.stack([np.zeros((12, 20)), np.full((12, 20), 9.0)]).astype(np.float32)
    for space in ("logits", "probability"):
        blend = Blend(tuple(made.members), labels, ((Fraction(1), Fraction(1)),), space=space)
        found = runs.to_mask(blend.open("case00").masks([0.5])[0], SIZE)
        # Outside the crop the first member decides, or background wins.
        assert found[8:32, 10:50].any() and found.shape == SIZE
        if space == "probability":
            assert not found[:8].any()
