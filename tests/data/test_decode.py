"""Pixels of images and labels, and the files that have none to give."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from phalanx.core.case import Case, MaskFiles, Polygons, Runs
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.data import decode
from phalanx.mask import runs as run_lengths

GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)
LABELS = LabelSpace(("a", "b"))


def saved(path: Path, array, mode=None, **options) -> Case:
    Image.fromarray(array).convert(mode).save(path, **options) if mode else Image.fromarray(array).save(path, **options)
    return Case(path.name, path)


def noise(shape=(61, 83)):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


# ---- images --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_grey_and_colour_come_back_as_stored(tmp_path, suffix):
    np.testing.assert_array_equal(decode.image(saved(tmp_path / f"g.{suffix}", GREY)), GREY)
    np.testing.assert_array_equal(decode.image(saved(tmp_path / f"c.{suffix}", COLOUR)), COLOUR)


def test_alpha_is_dropped(tmp_path):
    alpha = np.dstack([COLOUR, np.zeros_like(GREY)])
    np.testing.assert_array_equal(decode.image(saved(tmp_path / "rgba.png", alpha)), COLOUR)
    Image.merge("LA", [Image.fromarray(GREY)] * 2).save(tmp_path / "la.png")
    np.testing.assert_array_equal(decode.image(Case("la", tmp_path / "la.png")), np.dstack([GREY] * 3))


def test_palette_is_applied_to_images(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [1, 0], [0, 0]], np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.save(tmp_path / "p.png")
    shown = decode.image(Case("p", tmp_path / "p.png"))
    assert shown.shape == (3, 2, 3)
    assert shown[0].tolist() == [[10, 20, 30], [200, 100, 50]]


def test_sixteen_bits_are_stretched_by_range(tmp_path):
    deep = np.array([[100, 300, 500], [100, 2100, 4100]], np.uint16)
    assert decode.image(saved(tmp_path / "d.png", deep)).tolist() == [[0, 13, 26], [0, 128, 255]]
    assert decode.image(saved(tmp_path / "flat.png", np.full((2, 3), 9, np.uint16))).tolist() == [[0] * 3] * 2
    assert cv2.imwrite(str(tmp_path / "rgb.png"), np.dstack([deep] * 3))
    assert decode.image(Case("rgb", tmp_path / "rgb.png"))[1].tolist() == [[0] * 3, [128] * 3, [255] * 3]


def test_jpeg_equals_pillow(tmp_path):
    smooth = cv2.GaussianBlur(noise(), (0, 0), 5)
    case = saved(tmp_path / "x.jpg", smooth, quality=95)
    np.testing.assert_array_equal(decode.image(case), np.asarray(Image.open(case.image)))


def test_exif_rotation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    case = saved(tmp_path / "turned.jpg", COLOUR, exif=exif)
    assert decode.image(case).shape == (5, 7, 3)


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
@pytest.mark.parametrize("share", [0.6, 0.97])
def test_truncated_files_are_refused(tmp_path, kind, share, capfd):
    case = saved(tmp_path / f"x.{kind}", np.dstack([noise()] * 3))
    content = case.image.read_bytes()
    case.image.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=rf"the image (file is truncated|cannot be read): x\.{kind}"):
        decode.image(case)


def test_truncated_jpeg_is_told_from_one_without_its_end_mark(tmp_path):
    case = saved(tmp_path / "x.jpg", noise((80, 96)))
    whole = case.image.read_bytes()
    assert decode.has_end(whole) and decode.has_end(whole + bytes(500))
    case.image.write_bytes(whole[:-2])
    assert not decode.has_end(whole[:-2])
    if (reason := _refused(case)) is not None:
        assert reason == "the image file is truncated"
    case.image.write_bytes(whole[: len(whole) // 2])
    assert _refused(case) == "the image file is truncated"


def _refused(case):
    try:
        decode.image(case)
    except DataError as error:
        return error.wrong
    return None


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9"])
def test_unreadable_files(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match=r"the image cannot be read: x\.png"):
        decode.image(Case("x.png", tmp_path / "x.png"))


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read: x\.png \(No such file"):
        decode.image(Case("x.png", tmp_path / "x.png"))


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60_000, 50_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(content)
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(DataError, match=r"the image cannot be read: bomb\.png"):
        decode.image(Case("bomb.png", tmp_path / "bomb.png"))


def test_real_truncated_films(shared_data, capfd):
    place = shared_data / "hand_fracture" / "images" / "Non_fractured"
    for stem in ("IMG0004073", "IMG0004120", "IMG0004121", "IMG0004123", "IMG0004174", "IMG0004189"):
        with pytest.raises(DataError, match="the image file is truncated"):
            decode.image(Case(stem, place / f"{stem}.jpg"))
    assert decode.image(Case("whole", place / "IMG0000006.jpg")).size


# ---- labels --------------------------------------------------------------------------------------------------------


def masks(case, labels=LABELS, size=(5, 7), rasteriser="opencv"):
    return [run_lengths.to_mask(run, size).astype(int) for run in decode.runs(case, labels, rasteriser, size)]


def test_polygons_are_rasterised_in_the_order_of_the_classes():
    square = np.array([[4, 3], [6, 3], [6, 4], [4, 4]], float)  # touches the right and the lower border
    first, second = masks(Case("x", Path("x"), Polygons({"b": [square]}, (5, 7))))
    assert not first.any()
    assert [tuple(pixel) for pixel in np.argwhere(second)] == [(y, x) for y in (3, 4) for x in (4, 5, 6)]


def test_runs_pass_through_and_absent_classes_are_empty():
    runs = np.array([[3, 9]], np.int64)
    first, second = decode.runs(Case("x", Path("x"), Runs({"a": runs}, (5, 7))), LABELS, "opencv", (5, 7))
    assert first is runs and second.shape == (0, 2) and second.dtype == np.int64


def test_background_of_an_exclusive_space_is_not_returned(tmp_path):
    case = saved(tmp_path / "m.png", np.array([[0, 1, 2], [2, 2, 0]], np.uint8))
    entries = tuple((case.image, value, name) for value, name in enumerate(("ground", "a", "b")))
    found = masks(Case("x", tmp_path, MaskFiles(entries)), LabelSpace(("ground", "a", "b"), True), (2, 3))
    assert [plane.tolist() for plane in found] == [[[0, 1, 0], [0, 0, 0]], [[0, 0, 1], [1, 1, 0]]]


def test_palette_masks_keep_their_index(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [2, 0], [2, 2]], np.uint8), "P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 255, 0, 0])  # two classes of one colour
    picture.save(tmp_path / "m.png")
    entries = MaskFiles(((tmp_path / "m.png", 1, "a"), (tmp_path / "m.png", 2, "b")))
    first, second = masks(Case("x", tmp_path, entries), size=(3, 2))
    assert (first.sum(), second.sum()) == (1, 3)


def test_several_files_of_a_class_are_united_and_grey_rgb_accepted(tmp_path):
    one, two = np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8)
    one[0, 0], two[1, 2] = 255, 7
    saved(tmp_path / "1.png", np.dstack([one] * 3))
    saved(tmp_path / "2.png", two)
    entries = MaskFiles(((tmp_path / "1.png", None, "a"), (tmp_path / "2.png", None, "a")))
    first, second = masks(Case("x", tmp_path, entries), size=(2, 3))
    assert first.tolist() == [[1, 0, 0], [0, 0, 1]] and not second.any()


def test_sixteen_bit_and_one_bit_masks(tmp_path):
    saved(tmp_path / "16.png", np.array([[0, 300], [300, 1]], np.uint16))
    saved(tmp_path / "1.png", np.array([[0, 255], [0, 0]], np.uint8), "1")
    entries = MaskFiles(
        ((tmp_path / "16.png", 300, "a"), (tmp_path / "16.png", 1, "b"), (tmp_path / "1.png", None, "b"))
    )
    first, second = masks(Case("x", tmp_path, entries), size=(2, 2))
    assert (first.tolist(), second.tolist()) == ([[0, 1], [1, 0]], [[0, 1], [0, 1]])


def _mask_case(tmp_path, array, values=((1, "a"),)):
    saved(tmp_path / "m.png", array)
    return Case("x", tmp_path, MaskFiles(tuple((tmp_path / "m.png", value, name) for value, name in values)))


def test_what_labels_are_refused_for(tmp_path):
    square = np.array([[1, 1], [3, 1], [3, 3]], float)
    with pytest.raises(DataError, match="different sizes: x is 5 x 7, its annotation 7 x 5"):
        masks(Case("x", Path("x"), Polygons({"a": [square]}, (7, 5))))
    with pytest.raises(DataError, match="different sizes: x is 5 x 7, its annotation 7 x 5"):
        masks(Case("x", Path("x"), Runs({}, (7, 5))))
    with pytest.raises(DataError, match="unknown class: c in x"):
        masks(Case("x", Path("x"), Polygons({"c": [square]})))
    with pytest.raises(DataError, match="no label: x"):
        masks(Case("x", Path("x")))
    with pytest.raises(DataError, match=r"\(x\)"):
        masks(Case("x", Path("x"), Polygons({"a": [square * np.nan]})))
    with pytest.raises(DataError, match="different sizes: x is 5 x 7, m.png is 2 x 3"):
        masks(_mask_case(tmp_path, np.ones((2, 3), np.uint8)))
    with pytest.raises(DataError, match=r"no class: 9, 255 in m\.png"):
        masks(_mask_case(tmp_path, np.array([[0, 9, 255], [1, 1, 9]], np.uint8)), size=(2, 3))
    with pytest.raises(DataError, match="colour picture"):
        masks(_mask_case(tmp_path, COLOUR))
    with pytest.raises(DataError, match="cannot be read"):
        (tmp_path / "m.png").write_bytes(b"")
        masks(Case("x", tmp_path, MaskFiles(((tmp_path / "m.png", 1, "a"),))))


def test_truncated_mask_is_refused(tmp_path):
    case = _mask_case(tmp_path, noise(), [(None, "a")])
    content = (tmp_path / "m.png").read_bytes()
    (tmp_path / "m.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="a mask cannot be read"):
        masks(case, size=(61, 83))


def test_has_end_of_other_formats():
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, "BMP")
    assert not decode.has_end(stream.getvalue())
