import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from phalanx.commands.lint import lint
from phalanx.core.errors import SubmissionError

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
    assert (done.exit_code, done.stdout) == (0, f"{good}: no errors, no warnings\n")


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
        "print(sorted({'torch', 'pandas', 'scipy', 'cv2', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(good)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
