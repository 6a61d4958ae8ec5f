from dataclasses import replace

import pytest

from phalanx.core.errors import SubmissionError
from phalanx.mask import sheet
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
