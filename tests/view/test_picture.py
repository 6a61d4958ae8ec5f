import base64
import re

import cv2
import numpy as np
import pytest

from phalanx.core.labels import LabelSpace
from phalanx.mask import runs
from phalanx.view import picture


def _panels(image, truth, predicted, names=("a", "b")):
    labels = LabelSpace(names, colours=("#112233", "#445566")[: len(names)])
    masks = tuple({name: runs.from_mask(mask) for name, mask in part.items()} for part in (truth, predicted))
    return picture.panels("p-1", image, masks, dict.fromkeys(truth, 0.5), labels)


def _paths(page, kind):
    """Class index -> rings as points, from the page's own path data."""
    found = {}
    for index, data in re.findall(rf'<path class="{kind}" data-class="(\d+)"[^>]* d="([^"]*)"', page):
        found[int(index)] = [_points(ring) for ring in data.split("z") if ring]
    return found


def _points(ring):
    numbers = np.array([int(text) for text in re.findall(r"-?\d+", ring)]).reshape(-1, 2)
    return numbers.cumsum(0)


def _image(page, mark):
    uri = re.search(rf'{mark}[^>]*href="data:image/\w+;base64,([^"]*)"', page)[1]
    return cv2.imdecode(np.frombuffer(base64.b64decode(uri), np.uint8), cv2.IMREAD_UNCHANGED)


def _box(size, top, bottom, left, right):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_outlines_lie_where_the_masks_are():
    size = (1400, 700)
    truth, predicted = _box(size, 100, 300, 0, 200), _box(size, 120, 300, 0, 200)
    page = _panels(np.zeros(size, np.uint8), {"a": truth}, {"a": predicted})
    assert 'viewBox="0 0 1400 2800"' in page
    # Two units a pixel; an outline runs through the middle of the border pixels, half a pixel inside.
    assert _paths(page, "truth")[0][0].min(0).tolist() == [1, 201]
    assert _paths(page, "truth")[0][0].max(0).tolist() == [399, 599]
    assert _paths(page, "predicted")[0][0].min(0).tolist() == [1, 241]


def test_outlines_enclose_the_area_of_a_curved_mask():
    size = (900, 1100)
    y, x = np.mgrid[:900, :1100]
    ellipse = ((x - 500) / 300) ** 2 + ((y - 450) / 200) ** 2 <= 1
    page = _panels(np.zeros(size, np.uint8), {"a": ellipse}, {"a": ellipse})
    ring = _paths(page, "truth")[0][0].astype(np.int32)
    unit = 2800 / 1100
    assert cv2.contourArea(ring) / unit**2 == pytest.approx(ellipse.sum(), rel=0.01)


def test_a_lone_pixel_of_a_small_image_has_an_outline_with_an_inside():
    size = (40, 60)
    page = _panels(np.zeros(size, np.uint8), {"a": _box(size, 39, 40, 59, 60)}, {"a": np.zeros(size, bool)})
    ring = _paths(page, "truth")[0][0]
    unit = 2800 / 60
    assert len(ring) >= 3
    np.testing.assert_allclose(ring.min(0) / unit, [59, 39], atol=0.1)
    np.testing.assert_allclose(ring.max(0) / unit, [60, 40], atol=0.1)
    assert _paths(page, "predicted") == {}


def test_differences_are_missed_extra_and_of_the_wrong_class():
    size = (60, 100)
    truth = {"a": _box(size, 0, 10, 0, 30), "b": _box(size, 30, 40, 0, 30)}
    predicted = {"a": _box(size, 0, 10, 10, 40), "b": _box(size, 20, 30, 0, 30) | _box(size, 0, 10, 0, 5)}
    page = _panels(np.zeros(size, np.uint8), truth, predicted)
    missed, extra, swapped = (
        _image(page, f'data-layer="{kind}"')[..., 3] > 0 for kind in ("missed", "extra", "swapped")
    )
    assert np.array_equal(missed, _box(size, 0, 10, 5, 10) | _box(size, 30, 40, 0, 30))
    assert np.array_equal(extra, _box(size, 0, 10, 30, 40) | _box(size, 20, 30, 0, 30))
    assert np.array_equal(swapped, _box(size, 0, 10, 0, 5))


def test_a_sliver_of_one_pixel_survives_the_shrinking():
    size = (2100, 1500)
    page = _panels(np.zeros(size, np.uint8), {"a": _box(size, 9, 900, 7, 8)}, {"a": np.zeros(size, bool)})
    veil = _image(page, 'data-layer="missed"')
    assert veil.shape == (700, 500, 4)
    # A third of each shown pixel: its root, on seven levels of 36.
    assert np.all(veil[5:290, 2, 3] == round((1 / 3) ** 0.5 * 7) * 36)
    # Blue, green, red of #3fb4ff.
    assert tuple(veil[100, 2, :3]) == (0xFF, 0xB4, 0x3F)


def test_no_difference_is_said_and_empty_masks_draw_nothing():
    size = (30, 50)
    mask = _box(size, 3, 9, 4, 20)
    page = _panels(np.zeros(size, np.uint8), {"a": mask, "b": ~mask & False}, {"a": mask, "b": ~mask & False})
    assert "no pixel differs" in page and 'data-layer="missed"' not in page
    assert list(_paths(page, "truth")) == [0]


def test_colour_images_keep_their_colours_and_grey_ones_their_whole_range():
    red = np.zeros((80, 120, 3), np.uint8)
    red[..., 0] = 200
    shown = _image(_panels(red, {}, {}), 'id="p-1-image"')
    np.testing.assert_allclose(shown[40, 60], [0, 0, 200], atol=6)
    dark = np.tile(np.linspace(10, 60, 120).astype(np.uint8), (80, 1))
    for image in (dark, np.repeat(dark[..., None], 3, 2)):
        grey = _image(_panels(image, {}, {}), 'id="p-1-image"')
        assert grey.ndim == 2 and grey.min() < 12 and grey.max() > 243


def test_noise_and_29_classes_stay_within_their_bytes(fake):
    shown = fake.picture(3, (1300, 1024), 29, 1.0)
    page = picture.panels("p-1", shown.image, (shown.truth, shown.predicted), shown.dice, fake.LABELS)
    assert len(_paths(page, "truth")) == 29
    assert sum(len(path) for path in re.findall(r' d="([^"]*)"', page)) < 60_000
    assert len(page) < 250_000


def test_names_and_colours_are_escaped():
    name = '"><script>alert(1)</script>'
    labels = LabelSpace((name,), colours=('red"><script>',))
    mask = {name: runs.from_mask(_box((20, 30), 2, 9, 3, 12))}
    page = picture.panels("p-1", np.zeros((20, 30), np.uint8), (mask, mask), {name: 0.5}, labels)
    assert "<script>" not in page and "&lt;script&gt;" in page
