import subprocess
import sys

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from phalanx.commands.lint import lint
from phalanx.core.errors import DataError, SubmissionError

GOOD = "image_name,class,rle\na.png,Radius,1 2\na.png,Ulna,5 1\n"


def run(*arguments):
    app = typer.Typer()
    app.command()(lint)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "sub.csv"
    path.write_text(GOOD)
    return path


def test_good(good):
    done = run(good, "--size", "3x4", "--sample", good)
    said = f"{good}: no errors, no warnings; read 2 rows, 1 image, 2 classes, 2 runs\n"
    assert (done.exit_code, done.stdout) == (0, said)


def test_silence_is_not_a_pass(good):
    done = run(good)
    assert done.exit_code == 0
    assert "not checked without --size (bounds) and --sample (which rows there must be)" in done.stdout


def test_errors_come_first_and_only_twenty_are_shown(tmp_path):
    path = tmp_path / "sub.csv"
    rows = [f"{index}.png,Radius,{'' if index < 3 else '0 1'}" for index in range(30)]
    path.write_text("image_name,class,rle\n" + "\n".join(rows) + "\n")
    done = run(path, "--size", "3x4")
    lines = done.stdout.splitlines()
    assert done.exit_code == 1
    assert lines[0].startswith("error line 5 3.png Radius: a start before the first pixel: run 1 is '0 1'.")
    assert len(lines) == 22
    assert lines[20] == "... and 8 more"
    assert lines[21].startswith(f"{path}: 27 errors, 1 warning; not checked without --sample")


@pytest.mark.parametrize("option", [("--size", "3"), ("--size", "0x4"), ("--size", "-1x4"), ("--dialect", "handbones")])
def test_wrong_usage(good, option):
    done = run(good, *option)
    assert done.exit_code == 2
    assert option[0] in done.output


def test_size_is_height_times_width(good):
    good.write_text(GOOD.replace("5 1", "12 1"))
    assert run(good, "--size", "3x4").exit_code == 0
    assert run(good, "--size", "11x1").exit_code == 1


def test_a_missing_file_is_left_to_the_caller(tmp_path):
    assert isinstance(run(tmp_path / "absent.csv").exception, SubmissionError)


def test_nothing_heavy_is_imported(good):
    code = (
        "import sys; from phalanx.commands.lint import lint; from pathlib import Path; lint(Path(sys.argv[1])); "
        "print(sorted({'torch', 'pandas', 'scipy.ndimage', 'PIL', 'cv2', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(good)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_how_the_file_is_written_by_option(tmp_path):
    path = tmp_path / "sub.csv"
    path.write_text("id,kind,mask\na.png,Radius,0 2\na.png,Ulna,-\n")
    written = ("--columns", "id,kind,mask", "--order", "column", "--base", "0", "--empty", "-")
    done = run(path, "--size", "3x4", *written)
    assert done.exit_code == 0
    assert "some masks are empty: 1, first in line 3 (a.png Ulna)" in done.stdout
    assert run(path, "--size", "3x4", *written[:4], *written[6:]).exit_code == 1
    assert run(path, "--size", "3x4", *written[:6]).exit_code == 1


@pytest.mark.parametrize("option", [("--base", "2"), ("--order", "up"), ("--columns", "a"), ("--empty", "1 2")])
def test_no_such_way_of_writing(good, option):
    done = run(good, *option)
    assert done.exit_code == 2
    assert option[0] in done.output


def test_sizes_of_the_images(good, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("L", (2, 3)).save(folder / "a.png")
    done = run(good, "--images", folder)
    assert done.exit_code == 0
    assert "not checked" not in done.stdout
    good.write_text(GOOD.replace("5 1", "7 1"))
    assert "line 3 a.png Ulna: a run that leaves the image" in run(good, "--images", folder).stdout
    Image.new("L", (5, 3)).save(folder / "b.png")
    assert "error b.png: an image is missing: 2 rows of the data" in run(good, "--images", folder).stdout
    assert run(good, "--images", folder, "--size", "3x4").exit_code == 2
    Image.new("L", (4, 3)).save(folder / "b.bmp")
    done = run(good, "--images", folder, "--dialect", "dsb2018")
    assert isinstance(done.exception, DataError)
    assert "images of different sizes have one key: b in" in str(done.exception)
    (folder / "c.png").write_bytes(b"no image")
    assert "c.png" in str(run(good, "--images", folder).exception)


def test_the_largest_file(good):
    assert run(good, "--max-mb", "0.0001").exit_code == 0
    done = run(good, "--max-mb", "0.00001")
    assert done.exit_code == 1
    assert "error: the file is larger than the server takes" in done.stdout


def test_notes_come_last_and_are_counted(good):
    good.write_text(GOOD.replace("5 1", "5 1 6 1") + "b.png,Radius,\nb.png,Ulna,1 1\n")
    lines = run(good, "--size", "3x4", "--sample", good).stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["warning", "note"]
    assert lines[2] == f"{good}: no errors, 1 warning, 1 note; read 4 rows, 2 images, 2 classes, 3 runs"
