"""Sheet: pictures, outlines and words are where they should be."""

from pathlib import Path

import numpy as np
from PIL import Image

from phalanx.core.labels import LabelSpace
from phalanx.view import sheet
from phalanx.view.sheet import Tile

LABELS = LabelSpace(("radius", "ulna"), colours=("#ff0000", "#0000ff"))


def box(size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Pixels whose colour leans to this one and no other, as those of a thin line on grey do."""
    gap = picture.astype(int) - picture.astype(int).mean(2, keepdims=True)
    wanted = np.array(colour) - np.mean(colour)
    return (gap * wanted).sum(2) > 0.4 * (wanted**2).sum()


def test_outlines_run_along_the_edges_of_a_mask() -> None:
    size = (30, 20)
    tile = Tile(np.full(size, 90, np.uint8), {"radius": box(size, (6, 15), (4, 12))})
    picture = sheet._picture(tile, {"radius": (255, 0, 0)})
    assert picture.shape == (300, 200, 3)  # ten times as large
    rows, columns = np.nonzero(near(picture, (255, 0, 0)))
    assert abs(rows.min() - 60) <= 2
    assert abs(rows.max() - 149) <= 2
    assert abs(columns.min() - 40) <= 2
    assert abs(columns.max() - 119) <= 2
    assert (picture[80:130, 60:100] == 90).all()  # the inside stays free
    assert (picture[:55] == 90).all()


def test_a_lone_pixel_is_outlined_and_an_empty_mask_is_not() -> None:
    size = (40, 50)
    picture = sheet._picture(
        Tile(np.zeros(size, np.uint8), {"radius": box(size, (7, 8), (9, 10))}), {"radius": (255, 0, 0)}
    )
    rows, columns = np.nonzero(near(picture, (255, 0, 0)))
    assert 42 <= rows.mean() <= 48
    assert 54 <= columns.mean() <= 60
    bare = sheet._picture(Tile(np.zeros(size, np.uint8), {"radius": np.zeros(size, bool)}), {"radius": (255, 0, 0)})
    assert not bare.any()


def test_labels_of_less_weight_have_broken_outlines() -> None:
    size = (30, 30)
    mask, image = {"radius": box(size, (5, 25), (5, 25))}, np.zeros(size, np.uint8)
    whole = near(sheet._picture(Tile(image, mask), {"radius": (255, 0, 0)}), (255, 0, 0)).sum()
    broken = near(sheet._picture(Tile(image, {}, mask), {"radius": (255, 0, 0)}), (255, 0, 0)).sum()
    assert 0.3 * whole < broken < 0.7 * whole


def test_a_sheet_holds_every_picture_and_names_the_classes_it_shows() -> None:
    grey = [np.full((20, 30), level, np.uint8) for level in (40, 80, 120, 160)]
    rows = [
        ("one", [Tile(grey[0]), Tile(grey[1])]),
        ("two", [Tile(grey[2], {"ulna": box((20, 30), (2, 9), (3, 9))}), Tile(grey[3])]),
    ]
    drawn = sheet.draw("title", rows, ["a note"], LABELS)
    assert drawn.dtype == np.uint8
    flat = (drawn == drawn[..., :1]).all(2)
    for level in (40, 80, 160):
        assert (flat & (drawn[..., 0] == level)).sum() >= 300 * 200
    where = [np.nonzero(flat & (drawn[..., 0] == level)) for level in (40, 80, 160)]
    assert where[0][0].mean() < where[2][0].mean()  # rows below each other
    assert where[0][1].mean() < where[1][1].mean()  # tiles side by side
    # The legend has a swatch of the class that is seen, and none of the other.
    assert (drawn == (0, 0, 255)).all(2).sum() >= 100
    assert not (drawn == (255, 0, 0)).all(2).any()


def test_a_long_note_and_a_long_legend_are_wrapped() -> None:
    labels = LabelSpace(tuple(f"class number {index}" for index in range(40)))
    masks = {name: box((20, 30), (2, 9), (3, 9)) for name in labels.names}
    short = sheet.draw("t", [("r", [Tile(np.zeros((20, 30), np.uint8))])], ["word"], labels)
    tall = sheet.draw("t", [("r", [Tile(np.zeros((20, 30), np.uint8), masks)])], ["word " * 200], labels)
    assert tall.shape[1] == short.shape[1]
    assert tall.shape[0] > short.shape[0] + 100
    assert max(left for _, left, _ in sheet._flow(labels.names, 800)) < 800
    lines = [line for _, _, line in sheet._flow(labels.names, 800)]
    assert lines == sorted(lines)
    assert set(lines) == set(range(lines[-1] + 1))
    assert lines[-1] > 3


def test_all_views_of_an_image_are_stretched_alike() -> None:
    original = np.linspace(10, 60, 600).astype(np.uint8).reshape(20, 30)
    assert sheet.stretched(original, original).max() == 255
    darker = original - 10
    assert sheet.stretched(darker, original).max() < 215
    colours = np.zeros((4, 5, 3), np.uint8)
    assert sheet.stretched(colours, colours) is colours
    flat = np.full((4, 5), 7, np.uint8)
    assert sheet.stretched(flat, flat) is flat


def test_a_sheet_is_written_whole(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).integers(0, 255, (8, 11, 3), np.uint8)
    sheet.write(tmp_path / "new" / "sheet.png", drawn)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "new" / "sheet.png")), drawn)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["sheet.png"]
