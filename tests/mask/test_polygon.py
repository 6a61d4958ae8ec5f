import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from phalanx.core.errors import ConfigError, DataError
from phalanx.mask import polygon, runs

# pycocotools' decode has not learnt NumPy 2's copy keyword; the house itself never calls it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SQUARE = np.array([[1, 1], [4, 1], [4, 3], [1, 3]], float)


def picture(mask: np.ndarray) -> list[str]:
    return ["".join(".#"[int(value)] for value in row) for row in mask]


def whole_frame(rings, size):
    """Each ring on a frame of its own; its truncated corners given to OpenCV."""
    united = np.zeros(size, np.uint8)
    for ring in rings:
        frame = np.zeros(size, np.uint8)
        cv2.fillPoly(frame, [np.int32(ring)], 1)
        united |= frame
    return united.astype(bool)


def by_pycocotools(rings, size):
    pieces = coco_mask.frPyObjects([ring.ravel().tolist() for ring in rings], *size)
    return coco_mask.decode(coco_mask.merge(pieces)).astype(bool)


REFERENCES = {"opencv": whole_frame, "coco": by_pycocotools}


@st.composite
def drawings(draw):
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    step = draw(st.sampled_from([1.0, 0.5, 0.1]))
    x = st.integers(round(-1 / step), round((width + 1) / step))
    y = st.integers(round(-1 / step), round((height + 1) / step))
    ring = st.lists(st.tuples(x, y), min_size=3, max_size=9)
    corners = draw(st.lists(ring, min_size=1, max_size=3))
    limit = (width + 1, height + 1)
    return [np.minimum(np.array(points, float) * step, limit) for points in corners], (height, width)


def test_golden():
    assert picture(polygon.rasterise([SQUARE], (5, 7), "opencv")) == [
        ".......",
        ".####..",
        ".####..",
        ".####..",
        ".......",
    ]
    # pycocotools leaves out the right and the lower border.
    assert picture(polygon.rasterise([SQUARE], (5, 7), "coco")) == [
        ".......",
        ".###...",
        ".###...",
        ".......",
        ".......",
    ]
    triangle = np.array([[0, 0], [4, 0], [0, 4]], float)
    assert picture(polygon.rasterise([triangle], (5, 6), "opencv")) == [
        "#####.",
        "####..",
        "###...",
        "##....",
        "#.....",
    ]


def test_opencv_truncates_towards_zero():
    assert picture(polygon.rasterise([SQUARE + 0.99], (5, 7), "opencv")) == picture(
        polygon.rasterise([SQUARE], (5, 7), "opencv")
    )
    ring = np.array([[-0.9, -0.9], [2.9, -0.9], [2.9, 1.9], [-0.9, 1.9]])
    assert polygon.to_runs([ring], (4, 5), "opencv").tolist() == [[0, 3], [5, 8]]


@pytest.mark.parametrize("rasteriser", polygon.RASTERISERS)
def test_rings_are_united_and_never_subtracted(rasteriser):
    inner = np.array([[2, 2], [6, 2], [6, 5], [2, 5]], float)
    outer = np.array([[0, 0], [8, 0], [8, 7], [0, 7]], float)
    alone = polygon.to_runs([outer], (9, 11), rasteriser)
    assert np.array_equal(polygon.to_runs([outer, inner], (9, 11), rasteriser), alone)
    assert np.array_equal(polygon.to_runs([outer, outer], (9, 11), rasteriser), alone)
    far = np.array([[9, 7], [10, 7], [10, 8]], float)
    both = polygon.to_runs([outer, far], (9, 11), rasteriser)
    assert runs.area(both) == runs.area(alone) + runs.area(polygon.to_runs([far], (9, 11), rasteriser))


@pytest.mark.parametrize("rasteriser", polygon.RASTERISERS)
@given(drawing=drawings())
def test_equals_the_library_on_the_whole_frame(rasteriser, drawing):
    rings, size = drawing
    expected = REFERENCES[rasteriser](rings, size)
    assert np.array_equal(polygon.rasterise(rings, size, rasteriser), expected)
    assert np.array_equal(polygon.to_runs(rings, size, rasteriser), runs.from_mask(expected))


@pytest.mark.parametrize("rasteriser", polygon.RASTERISERS)
def test_a_bone_at_the_border_of_a_large_frame(rasteriser):
    angle = np.linspace(0, 2 * np.pi, 301)[:-1]
    ring = np.stack([700 + 90 * np.cos(angle), 560 + 70 * np.sin(angle) * (1 + 0.1 * np.sin(9 * angle))], 1)
    ring = np.clip(ring, -1, (771, 601))
    assert np.array_equal(polygon.rasterise([ring], (600, 770), rasteriser), REFERENCES[rasteriser]([ring], (600, 770)))


def test_nothing_to_draw():
    assert polygon.to_runs([], (4, 5), "opencv").shape == (0, 2)
    assert not polygon.rasterise([], (4, 5), "coco").any()


@pytest.mark.parametrize("rasteriser", polygon.RASTERISERS)
@pytest.mark.parametrize(
    ("ring", "words"),
    [
        ([[0, 0], [np.nan, 1], [1, 1]], r"leaves the image: corner 2 is \(nan, 1\)"),
        ([[0, 0], [1e12, 1], [1, 1]], "leaves the image"),
        ([[0, 0], [np.inf, 1], [1, 1]], "leaves the image"),
        ([[0, 0], [8.5, 1], [1, 1]], r"corner 2 is \(8.5, 1\) in 5 x 7"),
        ([[0, 0], [1, -1.5], [1, 1]], "leaves the image"),
        ([[0, 0], [1, 1]], "at least 3 corners"),
        ([[0, 0, 1], [1, 1, 1], [2, 2, 1]], "at least 3 corners"),
        ([0, 0, 1, 1, 2, 2], "at least 3 corners"),
        ([], "at least 3 corners"),
        ([["a", "b"]] * 3, "not numbers"),
        ([[0, 0]] * (polygon.MAX_CORNERS + 1), "too many corners"),
    ],
)
def test_what_the_libraries_would_choke_on_is_refused(ring, words, rasteriser):
    with pytest.raises(DataError, match=words):
        polygon.to_runs([ring], (5, 7), rasteriser)


def test_an_endless_outline_is_refused():
    zigzag = np.zeros((20_000, 2))
    zigzag[::2] = 2000
    with pytest.raises(DataError, match="outline is too long"):
        polygon.to_runs([zigzag], (2048, 2048), "opencv")


def test_unknown_rasteriser():
    with pytest.raises(ConfigError, match="Choose opencv or coco"):
        polygon.to_runs([SQUARE], (5, 7), "skimage")


@pytest.mark.parametrize("corner", [(-1.5, 4), (4, -1.5), (9.5, 4), (4, 7.5), (np.nan, 4), (4, np.nan)])
def test_a_corner_is_refused_on_each_side_of_the_image(corner: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="leaves the image: corner 2 is"):
        polygon.to_runs([np.array([(1, 1), corner, (4, 4), (1, 4)])], (6, 8), "opencv")
