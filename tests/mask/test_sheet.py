from dataclasses import replace

import numpy as np
import pytest

from phalanx.core.errors import SubmissionError
from phalanx.mask import _even, sheet
from phalanx.mask.dialect import DIALECTS
from phalanx.mask.rle import decode, encode

BONES, NUCLEI = DIALECTS["handbone"], DIALECTS["dsb2018"]


def write(tmp_path, content: bytes):
    path = tmp_path / "sub.csv"
    path.write_bytes(content)
    return path


def test_read_keeps_text_as_it_is(tmp_path):
    path = write(tmp_path, b'image_name,class,rle\n001,1e5,1 2\nNA,nan,\n"a,b\n.png",=1+1,NULL\n')
    assert sheet.read(path, BONES) == [
        (2, "001", "1e5", "1 2"),
        (3, "NA", "nan", ""),
        (4, "a,b\n.png", "=1+1", "NULL"),
    ]


def test_read_columns_by_name(tmp_path):
    path = write(tmp_path, b"\xef\xbb\xbfextra,mask,id\r\n0,1 2,x\r\n")
    named = replace(NUCLEI, columns=("id", None, "mask"))  # type: ignore[arg-type]
    assert named.columns.rle == "mask"
    assert sheet.read(path, named) == [(2, "x", None, "1 2")]
    with pytest.raises(SubmissionError, match="'ImageId' is missing"):
        sheet.read(path, NUCLEI)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"image_name,class,rle\n", "a header and nothing else"),
        (b"image_name,class,rle\na,b,1 2\na,b\n", "line 3: a wrong number of cells: 2 where the header has 3"),
        (b"image_name,class\na,b\n", "'rle' is missing"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
    ],
)
def test_read_refuses(tmp_path, content, words):
    with pytest.raises(SubmissionError, match=words):
        sheet.read(write(tmp_path, content), BONES)


def test_the_nuclei_of_the_competition(shared_data):
    rows = sheet.read(shared_data / "nuclei" / "stage1_train_labels.csv", NUCLEI)
    row = next(row for row in rows if row.image.startswith("00ae65c1c6"))
    text = row.rle.strip()
    # All images of this key are 256 x 256.
    assert encode(decode(text, (256, 256), NUCLEI), (256, 256), NUCLEI) == text


# Blocks of 7 bytes cut lines, cells and line ends.
@pytest.mark.parametrize("block", [7, 1 << 22])
@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("line", [b"\n", b"\r\n"])
def test_a_file_in_blocks(tmp_path, monkeypatch, block, end, line):
    monkeypatch.setattr(sheet, "_BLOCK", block)
    rows = [b"a.png,Radius,1 2", b"", b"b.png,Radius,", b"b.png,Ulna,14 3 19 20", b"c.png,Ulna,7 1"]
    path = write(tmp_path, line.join([b"image_name,class,rle", *rows]) + end)
    assert sheet.read(path, BONES) == [
        (2, "a.png", "Radius", "1 2"),
        (4, "b.png", "Radius", ""),
        (5, "b.png", "Ulna", "14 3 19 20"),
        (6, "c.png", "Ulna", "7 1"),
    ]


# Blocks of 40 bytes hold a line; of 27, the longest does not fit.
@pytest.mark.parametrize("block", [27, 40, 59, 1 << 20])
@pytest.mark.parametrize("labelled", [False, True])
def test_a_plain_file_is_indexed_as_any_other(tmp_path, monkeypatch, block, labelled):
    names = [f"image{row % 7}.png" for row in range(23)]
    cells = ["3 2 " * (row % 5) + "90 1" for row in range(23)]
    lines = [f"{row},{cell},{name}" for row, (cell, name) in enumerate(zip(cells, names, strict=True))]
    form = replace(BONES, columns=("image", "nr" if labelled else None, "mask"))  # type: ignore[arg-type]
    path = write(tmp_path, "\n".join(["nr,mask,image", *lines, ""]).encode())
    monkeypatch.setattr(_even, "_BLOCK", block)
    labels = [str(row) if labelled else None for row in range(23)]
    wanted = list(zip(range(2, 25), names, labels, cells, strict=True))
    assert sheet.read(path, form) == wanted
    with path.open("rb") as file:
        assert (_even.index(file, path, form) is None) == (block == 27)
    monkeypatch.setattr(_even, "index", lambda *_: None)
    assert sheet.read(path, form) == wanted


def test_the_last_line_needs_no_end(tmp_path):
    path = write(tmp_path, b"image_name,class,rle\na,x,1 2\nb,y,3 4")
    assert sheet.read(path, BONES) == [(2, "a", "x", "1 2"), (3, "b", "y", "3 4")]


def test_sheets_share_keys_that_are_the_same(tmp_path):
    texts = ["a,x,1 2\nb,y,3 4\n", "a,x,5 6\nb,y,\n", "b,y,3 4\na,x,1 2\n", 'a,x,1 2\n"b",y,3 4\n', "a,x,1 2\n"]
    sheets = []
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.csv"
        path.write_text("image_name,class,rle\n" + text)
        sheets.append(sheet.Sheet(path, BONES))
    sheet.share(sheets)
    assert [found.keys is sheets[0].keys for found in sheets] == [True, True, False, False, False]
    assert sheets[2].keys == sheets[0].keys[::-1] == [("b", "y"), ("a", "x")]
    assert sheets[3].keys == sheets[0].keys
    assert sheets[4].keys == [("a", "x")]
    for found in sheets:
        found.__exit__()


@pytest.mark.parametrize("block", [1, 1 << 22])
def test_rows_far_apart_are_read_one_by_one(tmp_path, monkeypatch, block):
    cells = ["1 2", "2 2 " + " ".join(f"{2 * start} 1" for start in range(3, 60)), "4 1 7 2", "9 3"]
    rows = "".join(f"{index}.png,Ulna,{cell}\n" for index, cell in enumerate(cells))
    with sheet.Sheet(write(tmp_path, f"image_name,class,rle\n{rows}".encode()), BONES) as found:
        monkeypatch.setattr(sheet, "_BLOCK", block)
        masks = found.masks(np.array([3, 0, 2]))
        text, spans = found.load(np.array([3, 0, 2]))
    assert [masks.runs(index).tolist() for index in range(3)] == [[[8, 11]], [[0, 2]], [[3, 4], [6, 8]]]
    assert [text[start:stop].tobytes() for start, stop in spans] == [b"9 3", b"1 2", b"4 1 7 2"]
    # Read at once, the text holds what lies between the rows too.
    assert (len(text) == 13) == (block == 1)


def test_text_of_several_bytes_a_character_moves_no_row(tmp_path):
    path = write(tmp_path, 'image_name,class,rle\na.png,Ulna,"ä1 2"\nb.png,Ulna,5 1\n'.encode())
    assert sheet.read(path, BONES) == [(2, "a.png", "Ulna", "ä1 2"), (3, "b.png", "Ulna", "5 1")]


def test_numbers_of_many_digits_are_read_strictly(tmp_path):
    zeros = "0" * 30
    path = write(tmp_path, f"image_name,class,rle\na.png,Ulna,{zeros}3 2\nb.png,Ulna,5 1\nc.png,Ulna,\n".encode())
    with sheet.Sheet(path, BONES) as found:
        masks = found.masks(np.arange(3))
    assert [masks.runs(index).tolist() for index in range(3)] == [[[2, 4]], [[4, 5]], []]
