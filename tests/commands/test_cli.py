"""`phalanx`: help for every command, exit statuses, and no torch before it is needed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ("phantom", "check", "vote", "score", "compare", "lint", "convert", "report", "store", "log")
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def phalanx(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from phalanx.commands import cli; sys.argv[0] = 'phalanx'; cli.main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    heavy = ("torch", "albumentations", "pandas", "plotly", "zarr", "scipy", "lightning")
    code = (
        "import atexit, sys; from phalanx.commands import cli; sys.argv = ['phalanx', '--help']\n"
        f"atexit.register(lambda: print('loaded', [name for name in {heavy!r} if name in sys.modules]))\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "loaded []"
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", done.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(typed, command: str) -> None:
    status, out, _ = typed(command, "--help")
    assert status == 0
    assert f"phalanx {command} " in out.replace("Usage: phalanx", "")
    assert f"phalanx {command} " in README


def test_wrong_usage_is_status_2() -> None:
    done = phalanx("lint")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_status_2(typed) -> None:
    assert typed("vott")[0] == 2


def faulty(status: int, error: str) -> bool:
    """Whether that is one line on a wrong path."""
    return status == 1 and error.startswith("error: ") and "nowhere" in error and error.strip().count("\n") == 0


@pytest.mark.parametrize("arguments", [("check", "nowhere"), ("lint", "nowhere.csv"), ("report", "nowhere")])
def test_input_at_fault_is_one_line_and_status_1(typed, arguments: tuple[str, ...]) -> None:
    status, _, error = typed(*arguments)
    assert faulty(status, error), error


def test_input_at_fault_in_a_process_of_its_own() -> None:
    done = phalanx("lint", "nowhere.csv")
    assert faulty(done.returncode, done.stderr), done.stderr


def test_report_is_made_again_from_a_finished_run(configs: Path, tmp_path: Path, capsys) -> None:
    from phalanx.commands import report, run

    assert run.main(["config=tiny", "train.epochs=1", "train.validate_every=1"], configs) == 0
    page = tmp_path / "runs" / "tiny" / "report.html"
    first = page.read_text()
    page.unlink()
    report.report(tmp_path / "runs" / "tiny")
    assert str(page) in capsys.readouterr().out
    assert page.read_text().count("<svg") == first.count("<svg") >= 4


def test_phantom_submissions_can_be_voted_on_and_scored(typed, tmp_path: Path) -> None:
    hands = tmp_path / "hands"
    told = "--people 2 --test-people 1 --size 256 --submissions 3 --workers 1"
    assert typed("phantom", str(hands), *told.split())[0] == 0
    members = [str(hands / "submissions" / f"model{number}.csv") for number in (1, 2, 3)]
    done = phalanx("vote", *members, "-o", str(tmp_path / "out.csv"), "--size", "256x256")
    assert done.returncode == 0, done.stderr
    scores = {}
    for path in (*members, str(tmp_path / "out.csv")):
        written = tmp_path / f"{Path(path).stem}.json"
        assert typed("score", path, str(hands / "test_truth" / "truth.csv"), "--json", str(written))[0] == 0
        scores[Path(path).stem] = json.loads(written.read_text())[0]["mean"]
    # The last one is made to be poor; the vote is better than the poor one and close to the good ones.
    assert 0.2 < scores["model3"] < 0.75 < scores["model2"] < scores["model1"] < 1
    assert scores["out"] > scores["model2"]
