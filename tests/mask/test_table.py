import pytest

from phalanx.core.errors import SubmissionError
from phalanx.mask import table


def records(tmp_path, content: bytes):
    path = tmp_path / "sub.csv"
    path.write_bytes(content)
    return list(table.records(path))


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"\xef\xbb\xbfa,b\r\n1,2\r\n", b"a,b\n1,2", b"\n\na,b\n\n1,2\n\n"])
def test_marks_and_line_ends_change_no_cell(tmp_path, content):
    assert [cells for _, cells in records(tmp_path, content)] == [["a", "b"], ["1", "2"]]


def test_lines_count_those_inside_quotes(tmp_path):
    found = records(tmp_path, b'a,b\n"x\ny",1\n\n"p""q,r",2\n')
    assert found == [(1, ["a", "b"]), (2, ["x\ny", "1"]), (5, ['p"q,r', "2"])]


def test_lines_count_blank_ones_before_the_header(tmp_path):
    assert [line for line, _ in records(tmp_path, b"\n\na,b\n1,2\n3,4\n")] == [3, 4, 5]


def test_a_cell_longer_than_the_csv_module_takes(tmp_path):
    text = "1 2 " * 100_000
    assert records(tmp_path, b"a\n" + text.encode())[1] == (2, [text])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n\r\n", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), "not UTF-8 text"),
        (b"a\x00b,c\n1,2\n", "not UTF-8 text"),
        (b"PK\x03\x04\x00\x00\xff", "not UTF-8 text"),
        (b'a,b\n1,"2\n3,4\n', "line 2 is not CSV"),
        (b'a,b\n1,2\n1,"2"x\n', "line 3 is not CSV"),
    ],
)
def test_what_is_no_table(tmp_path, content, words):
    with pytest.raises(SubmissionError, match=words):
        records(tmp_path, content)


def test_no_file_and_a_folder(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(SubmissionError, match="cannot be read"):
            list(table.records(path))


def test_positions(tmp_path):
    assert table.positions(["x", "b", "a"], ["a", "b"], tmp_path) == [2, 1]
    for header, words in (
        (["a", "a", "b"], "a is there 2 times"),
        (["a", " b"], "Remove the spaces"),
        (["a", "B"], "upper and lower case"),
        (["a;b"], "Separate the cells by commas"),
        (["c", "d"], "'a' is missing"),
    ):
        with pytest.raises(SubmissionError, match=words):
            table.positions(header, ["a", "b"], tmp_path)
