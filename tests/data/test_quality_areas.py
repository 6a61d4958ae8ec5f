"""Areas that are outliers, classes that are missing, and images that are nearly the same."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from phalanx.core.case import Case
from phalanx.data import _quality_areas, _quality_twins

NAMES = [f"c{number}" for number in range(12)]
IDS = [f"{number}.png" for number in range(30)]


@pytest.fixture
def areas():
    """Thirty cases of twelve classes: a size each, and 5 % of scatter."""
    rng = np.random.default_rng(0)
    typical = 100.0 * 1.4 ** np.arange(12)
    return typical * rng.uniform(0.5, 2, (30, 1)) * np.exp(rng.normal(0, 0.05, (30, 12)))


def test_an_outlier_is_told_relative_to_the_size_of_the_whole(areas):
    assert _quality_areas.check(IDS, areas, NAMES, set()) == []
    areas[4, 7] *= 1.6
    areas[9, 2] /= 2
    first, second = _quality_areas.check(IDS, areas, NAMES, set())
    assert (first.case, first.classes, second.case, second.classes) == ("4.png", ("c7",), "9.png", ("c2",))
    assert first.evidence["ratio"] == pytest.approx(1.6, rel=0.15)
    assert second.evidence["ratio"] == pytest.approx(0.5, rel=0.15)
    assert [item.case for item in _quality_areas.check(IDS, areas, NAMES, {("4.png", "c7")})] == ["9.png"]
    # Of a few classes the size of the whole cannot be told, and sizes scatter fourfold.
    assert _quality_areas.check(IDS, areas[:, 5:8], NAMES[5:8], set()) == []


def test_absent_classes_and_few_cases(areas):
    areas[:, 3] = 0
    areas[:28, 4] = 0
    areas[11] = 0
    areas[4, 7] *= 1.6
    assert [item.case for item in _quality_areas.check(IDS, areas, NAMES, set())] == ["4.png"]
    assert _quality_areas.check(IDS[:7], areas[:7], NAMES, set()) == []
    assert _quality_areas.check(IDS, np.zeros((30, 12)), NAMES, set()) == []


def test_a_class_that_all_but_one_case_have(areas):
    areas[6, 1] = areas[6, 9] = 0
    areas[:15, 3] = 0
    (found,) = _quality_areas.missing(IDS, areas, NAMES, set())
    assert (found.case, found.classes) == ("6.png", ("c1", "c9"))
    assert _quality_areas.missing(IDS, areas, NAMES, {"6.png"}) == []
    assert _quality_areas.missing(IDS[:15], areas[:15], NAMES, set()) == []


def test_quantiles_pass_over_what_is_not_there():
    table = np.array([[1.0, np.nan, 4], [3, np.nan, np.nan], [8, np.nan, 6]])
    np.testing.assert_array_equal(_quality_areas.quantile(table), [3, np.nan, 5])
    np.testing.assert_array_equal(_quality_areas.quantile(table, 1.0), [8, np.nan, 6])


# ---- twins ---------------------------------------------------------------------------------------------------------


def picture(seed, size=(120, 150)):
    """A smooth picture of its own, as radiographs are."""
    noise = np.random.default_rng(seed).normal(0, 1, size).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.clip(110 + 300 * smooth, 0, 255).astype(np.uint8)


def near(images):
    return _quality_twins.near({name: _quality_twins.thumb(image) for name, image in images.items()})


def test_a_copy_is_told_however_it_was_treated():
    image = picture(0)
    noisy = np.clip(image + np.random.default_rng(9).normal(0, 5, image.shape), 0, 255).astype(np.uint8)
    squeezed = cv2.imdecode(cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 30))[1], cv2.IMREAD_GRAYSCALE)
    copies = {
        "brighter": cv2.convertScaleAbs(image, alpha=0.6, beta=60), "noisy": noisy, "squeezed": squeezed,
        "smaller": cv2.resize(image, (90, 70), interpolation=cv2.INTER_AREA), "coloured": cv2.merge([image] * 3),
    }  # fmt: skip
    for name, copy in copies.items():
        ((one, two, likeness, flipped),) = near({"first": image, "other": picture(1), name: copy})
        assert (one, two, flipped) == ("first", name, False)
        assert likeness > 0.95
    ((_, two, _, flipped),) = near({"first": image, "other": picture(1), "mirrored": image[:, ::-1]})
    assert (two, flipped) == ("mirrored", True)


def test_other_pictures_are_not_alike():
    assert near({str(seed): picture(seed) for seed in range(40)}) == []
    assert near({"one": picture(0)}) == []
    assert _quality_twins.thumb(np.full((50, 60), 7, np.uint8)) is None


def test_only_pairs_that_folds_could_part(tmp_path):
    def case(name, group, seed):
        cv2.imwrite(str(tmp_path / name), picture(seed))
        return Case(name, tmp_path / name, None, group)

    cases = [case("a.png", "p", 1), case("b.png", "q", 1), case("c.png", "r", 2), case("d.png", "r", 3)]
    images = {"a.png": picture(1), "b.png": picture(1), "c.png": picture(2), "d.png": cv2.blur(picture(2), (2, 2))}
    thumbs = {name: _quality_twins.thumb(image) for name, image in images.items()}
    # The same bytes are told once, as such; c and d are of one person.
    (found,) = _quality_twins.check(cases, thumbs, frozenset())
    assert (found.case, found.others) == ("a.png", ("b.png",))
    assert found.remedy == {"exclude": True, "case": "b.png"}
    assert found.kind == "the same image in different groups"
    apart = [*cases[2:3], Case("d.png", cases[3].image, None, "s")]
    few = {case.id: thumbs[case.id] for case in apart}
    (found,) = _quality_twins.check(apart, few, frozenset({"d.png"}))
    assert found.kind == "nearly the same image in different groups across train and test"
    assert found.remedy == {"exclude": True, "case": "c.png"}


def test_pathless_images_are_passed_over():
    assert _quality_twins.same_bytes([Case("a.png", Path("gone/a.png")), Case("b.png", Path("gone/b.png"))]) == []
