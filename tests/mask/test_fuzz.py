"""Hostile rows and files: each ends in the answer of the oracle or in a SubmissionError, whatever is in it.

200,000 rows through both parsers (every 11th through `rle.parse` too), 12,000 through a sheet, 1,500 whole files.
"""

import random
from dataclasses import replace

import numpy as np
import pytest

from phalanx.core.errors import SubmissionError
from phalanx.mask import _kernels, _plain, rle, runs, sheet, table
from phalanx.mask.dialect import DIALECTS

PIXELS = 5000
ROWS = 40_000
BONES, SIIM, CONTRAILS = DIALECTS["handbone"], DIALECTS["siim"], DIALECTS["contrails"]
# Five mixtures of 40,000 rows are the 200,000 that are asked for.
FORMS = [BONES, SIIM, CONTRAILS, replace(BONES, base=0, empty="1 0", empties=("1 0",)), replace(SIIM, base=1)]
HUGE = [2**31 - 1, 2**31, 2**32 + 1, 2**53 + 1, 2**61, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 2**64, 10**18 - 1, 10**40]
STRANGE = [
    b"-", b"-1", b"+1", b"0", b"00", b"007", b"1.5", b"1e3", b"nan", b"inf", b"0x10", b"1_0", b"\0", b"\x7f", b"\xff",
    b"\xc2\xa0", "\u0663".encode(), "\u00b2".encode(), b"\t", b"\r", b"\x0b", b",", b";", b"/", b":", b"9" * 25,
]  # fmt: skip


def rows_of(dialect, seed):
    """Cells of text: sound rows and rows with one to four things done to them."""
    rng = random.Random(seed)
    for _ in range(ROWS):
        text = bytearray(sound(dialect, rng))
        for _ in range(rng.choice([0, 1, 1, 1, 2, 4])):
            text = mutate(text, rng)
        yield bytes(text)


def sound(dialect, rng):
    count = rng.choice([0, 1, 1, 2, 3, 5, 8, 40]) if rng.random() < 0.998 else 1200
    if not count:
        return dialect.empty.encode()
    bounds = sorted(rng.sample(range(PIXELS + 1), 2 * count))
    words, last = [], 0
    for start, stop in zip(bounds[0::2], bounds[1::2], strict=True):
        words += [start - (last if dialect.relative else 0) + dialect.base, stop - start]
        last = stop
    return " ".join(map(str, words)).encode()


def mutate(text, rng):
    at = rng.randrange(len(text) + 1)
    kind = rng.randrange(9)
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[at:]
    if kind == 2:
        return text[:at] + text[at + 1 :]
    if kind == 3:
        return text[:at] + rng.choice(STRANGE) + text[at:]
    if kind == 4:
        return text[:at] + b" " * rng.randrange(1, 4) + text[at:]
    if kind == 5:
        return text[:at] + str(rng.choice(HUGE)).encode() + text[at:]
    words = text.split(b" ")
    one, two = rng.randrange(len(words)), rng.randrange(len(words))
    if kind == 6:
        words[one], words[two] = words[two], words[one]
    elif kind == 7:
        words[one] = rng.choice([b"0", b"1", str(PIXELS).encode(), str(rng.choice(HUGE)).encode(), b"-5"])
    else:
        words.insert(one, words[two])
    return bytearray(b" ".join(words))


def packed(cells):
    text = np.frombuffer(b"".join(cells), np.uint8)
    stops = np.cumsum([len(cell) for cell in cells])
    return text, np.stack([stops - [len(cell) for cell in cells], stops], 1).astype(np.int64)


def parsed(engine, text, spans, dialect, limits):
    bounds = np.full(len(text) + 2 * len(spans), -7, np.int64)
    heads, faults = np.empty(len(spans) + 1, np.int64), np.empty(len(spans), np.uint8)
    fill = engine.parse(text, spans, dialect.base, dialect.relative, limits, bounds, 0, heads, faults)
    # Nothing is written behind what is handed back but a row that was given up.
    return bounds[:fill], heads, faults


@pytest.mark.parametrize("dialect", FORMS, ids=lambda dialect: f"{dialect.name}{dialect.base}")
def test_hostile_rows(dialect, record_property):
    cells = list(rows_of(dialect, FORMS.index(dialect)))
    text, spans = packed(cells)
    limits = np.where(np.arange(len(cells)) % 7 == 0, sheet.UNBOUNDED, PIXELS)
    bounds, heads, faults = parsed(_kernels, text, spans, dialect, limits)
    for plain, compiled in zip(parsed(_plain, text, spans, dialect, limits), (bounds, heads, faults), strict=True):
        assert np.array_equal(plain, compiled)
    record_property("rows", len(cells))
    record_property("faults", int(faults.sum()))
    # Both kinds must be there in numbers, or the fuzz looks at nothing.
    assert 0.2 < faults.mean() < 0.8
    for index in range(0, len(cells), 11):
        found = bounds[heads[index] : heads[index + 1] - 1].reshape(-1, 2)
        check_row(cells[index], dialect, int(limits[index]), found, bool(faults[index]))


def check_row(cell, dialect, limit, found, fault):
    """A row the kernel takes is what `rle.parse` takes; one it leaves is refused there, or stands for nothing."""
    text = cell.decode("utf-8", "replace")
    if not fault and text.strip(" ") not in dialect.empties:
        assert np.array_equal(rle.parse(text, dialect, limit), found)
        runs.check(found, (1, limit))
        return
    try:
        # The kernel leaves numbers of more than 18 digits to the caller, who asks `rle.parse`.
        assert len(rle.parse(text, dialect, limit)) == 0 or max(map(len, text.split())) > 18
    except SubmissionError as error:
        assert fault
        assert error.wrong and error.fix and "\n" not in str(error)


@pytest.mark.parametrize("dialect", FORMS[:3], ids=lambda dialect: dialect.name)
def test_hostile_rows_through_a_sheet(tmp_path, dialect):
    """Rows as they lie in a file, read whole where sound, refused with file, line and key where not."""
    cells = [cell for cell in rows_of(dialect, 77) if not set(cell) & set(b'",\r\n')][:4000]
    head = ",".join(dialect.header)
    key = "k%d,c" if dialect.columns.label else "k%d"
    lines = [f"{key % number},".encode() + cell for number, cell in enumerate(cells)]
    path = tmp_path / "sub.csv"
    # What is no UTF-8 makes the whole file no CSV.
    path.write_bytes(b"\n".join([head.encode(), *lines]))
    with pytest.raises(SubmissionError, match="not UTF-8"):
        sheet.Sheet(path, dialect)
    cells = [cell for cell in cells if cell.decode("utf-8", "ignore").encode() == cell]
    path.write_bytes(b"\n".join([head.encode(), *((f"{key % n},").encode() + cell for n, cell in enumerate(cells))]))
    refused = 0
    with sheet.Sheet(path, dialect) as opened:
        for row, cell in enumerate(cells):
            assert opened.text(row) == cell.decode()
            limit = np.array([PIXELS])
            try:
                expected = rle.parse(cell.decode(), dialect, PIXELS)
            except SubmissionError as error:
                refused += 1
                with pytest.raises(SubmissionError) as caught:
                    opened.masks(np.array([row]), limit)
                label = ", c" if dialect.columns.label else ""
                assert caught.value.wrong == f"{path}, line {row + 2} (k{row}{label}): {error.wrong}"
                continue
            assert np.array_equal(opened.masks(np.array([row]), limit).runs(0), expected)
    assert refused > 500


ENDS = [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\n\r", b"", b"\n ", b"\x0c"]
CELLS = [
    b"a", b"001", b"1e5", b"NA", b"", b" ", b'"a,b"', b'"', b'""', b'"a""b"', b"\xc3\xa9", b"\xff", b"\0", b"a\rb",
    b'"a\nb"', b"1 2", b"3 4 9 1", b"9",
]  # fmt: skip


def hostile_file(rng):
    end = rng.choice(ENDS[:2])
    lines = [rng.choice([b"image_name,class,rle"] * 6 + [b"rle,image_name,class,more", b"", b"image_name;class;rle"])]
    width = lines[0].count(b",") + 1
    for _ in range(rng.randrange(6)):
        count = width if rng.random() < 0.9 else rng.randrange(6)
        pool = CELLS if rng.random() < 0.4 else [b"a", b"b", b"c", b"1 2", b"", b"5 1 9 2"]
        lines.append(b",".join(rng.choice(pool) for _ in range(count)))
    text = rng.choice([b"", b"", b"", b"\xef\xbb\xbf", b"\n", b"\r\n"])
    for line in lines:
        text += line + (end if rng.random() < 0.95 else rng.choice(ENDS))
    if rng.random() < 0.3:
        text = text[: rng.randrange(len(text) + 1)]
    return text


def through_csv_module(path):
    """Line, image, class and mask of each record, by the reader that knows no bytes."""
    records = table.records(path)
    _, header = next(records)
    found, places = [], table.positions(header, BONES.header, path)
    for line, cells in records:
        if len(cells) != len(header):
            raise SubmissionError("ragged")
        found.append((line, *(cells[place] for place in places)))
    if not found:
        raise SubmissionError("nothing")
    return found


def test_hostile_files(tmp_path):
    """An index made from bytes is what the csv module reads, or both refuse."""
    rng = random.Random(5)
    path = tmp_path / "sub.csv"
    read = refused = 0
    for _ in range(1500):
        path.write_bytes(hostile_file(rng))
        try:
            expected = through_csv_module(path)
        except SubmissionError:
            with pytest.raises(SubmissionError):
                sheet.read(path, BONES)
            refused += 1
            continue
        assert [tuple(row) for row in sheet.read(path, BONES)] == expected
        read += 1
    assert read > 300 and refused > 300


def test_a_very_long_row(tmp_path):
    # 400,000 runs, 5 MB of text: every other pixel of 800,000.
    path = tmp_path / "sub.csv"
    path.write_text("image_name,class,rle\na,x," + " ".join(f"{n} 1" for n in range(1, 800_000, 2)) + "\nb,x,7 2\n")
    with sheet.Sheet(path, BONES) as opened:
        found = opened.masks(np.arange(2), np.array([800_000, 8]))
        assert len(found.runs(0)) == 400_000
        assert found.runs(1).tolist() == [[6, 8]]
        with pytest.raises(SubmissionError, match=r"line 2 \(a, x\): a run that leaves the image"):
            opened.masks(np.arange(2), np.array([799_998, 8]))
