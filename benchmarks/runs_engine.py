"""Votes, scores, comparisons and lint on CSVs of runs: whole jobs, files in, file or numbers out."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import load, rivals
from benchmarks.claims import Claim, once, seconds

# Rows of a file that the reference's way is timed on; its time grows with the rows.
_SLICE = 29
# What a process prints last: the most memory it ever held, in kB.
_PEAK = """
import sys
from phalanx.commands.cli import main
try:
    main()
finally:
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""


def vote(folder: Path, images: int) -> Iterator[Claim]:
    """`phalanx vote` of 5 and of 9 files, its memory, and the command as a process."""
    from phalanx.commands.vote import vote as command

    paths = load.submissions(folder, 9, images)
    ours, theirs = folder / "ours.csv", folder / "theirs.csv"

    def job(count: int) -> Callable[[], None]:
        return lambda: _quietly(command, paths[:count], output=ours, size="2048x2048", overwrite=True)

    five = seconds(job(5), 5)
    peer = seconds(lambda: rivals.vote_by_library(paths[:5], theirs), 3)
    _agree("vote", rivals.tables([ours])[0], rivals.tables([theirs])[0])
    yield Claim("vote_5", five, _reference_vote(paths[:5], ours), peer, (250, 8))
    nine = seconds(job(9), 5)
    yield Claim("vote_9_against_2.5_times_vote_5", nine, 2.5 * five, None, (1, None))
    megabytes = sum(path.stat().st_size for path in paths[:5]) / 1e6
    wall, peak = _process("vote", *map(str, paths[:5]), "-o", str(ours), "--size", "2048x2048", "--overwrite")
    yield Claim("vote_5_process_against_2_s", wall, 2.0, None, (1, None))
    yield Claim("vote_5_MB_against_3_times_the_input", peak, 3 * megabytes, None, (1, None))


def score(folder: Path, images: int) -> Iterator[Claim]:
    """`phalanx score` of two files."""
    paths = load.submissions(folder, 2, images)
    out = folder / "scores.json"
    ours = seconds(lambda: _score(paths, out), 5)
    peer = seconds(lambda: rivals.dice_by_library(paths), 5)
    first, second = rivals.tables(paths)
    rows = _rows(len(first))
    pairs = list(zip(first["rle"].iloc[rows], second["rle"].iloc[rows], strict=True))
    reading = seconds(lambda: rivals.tables(paths), 3)
    loop = once(lambda: [rivals.dice_by_pixels(pair) for pair in pairs], 3)
    reference = reading + loop * len(first) / len(rows)
    _agree("score", _mean_dice(out), rivals.dice_by_library(paths))
    yield Claim("score", ours, reference, peer, (400, 10))


def compare(folder: Path, images: int) -> Iterator[Claim]:
    """`phalanx compare` of nine files against twenty scores of two."""
    from phalanx.commands.compare import compare as command

    paths = load.submissions(folder, 9, images)
    page = folder / "compare.html"
    one = seconds(lambda: _score(paths[:2], folder / "scores.json"), 5)
    ours = seconds(lambda: _quietly(command, paths, output=page, overwrite=True), 3)
    yield Claim("compare_9_against_20_times_score", ours, 20 * one, None, (1, None))


def lint(folder: Path, images: int) -> Iterator[Claim]:
    """`phalanx lint` against three times the reading of the file by pandas."""
    from phalanx.commands.lint import lint as command

    path = load.submissions(folder, 1, images)[0]
    reading = seconds(lambda: rivals.tables([path]), 5)
    ours = seconds(lambda: _quietly(command, path, size="2048x2048"), 5)
    yield Claim("lint_against_3_times_reading", ours, 3 * reading, None, (1, None))


def _score(paths: list[Path], out: Path) -> None:
    from phalanx.commands.score import score as command

    _quietly(command, paths[0], paths[1], json=out, overwrite=True)


def _mean_dice(path: Path) -> float:
    import json

    return next(item["mean"] for item in json.loads(path.read_text()) if item["metric"] == "dice")


def _reference_vote(paths: list[Path], ours: Path) -> float:
    """Seconds of the reference's vote: reading and writing whole, its loop on a slice and scaled."""
    frames = rivals.tables(paths)
    rows = _rows(len(frames[0]))
    texts = list(zip(*(frame["rle"].iloc[rows] for frame in frames), strict=True))
    found: list[str] = []
    loop = once(lambda: found.extend(map(rivals.vote_by_pixels, texts)))
    _agree("reference", rivals.tables([ours])[0]["rle"].iloc[rows].tolist(), found)
    ends = once(lambda: rivals.tables(paths)[0].to_csv(ours.with_name("written.csv"), index=False))
    return ends + loop * len(frames[0]) / len(rows)


def _rows(count: int) -> np.ndarray:
    """Rows of every class, spread over the images."""
    return np.linspace(0, count - 1, min(_SLICE * 3, count)).astype(int)


def _quietly(command: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        command(*arguments, **options)


def _process(*arguments: str) -> tuple[float, float]:
    """Wall seconds and peak MB of a command, median of three processes."""
    peaks: list[float] = []

    def job() -> None:
        done = subprocess.run([sys.executable, "-c", _PEAK, *arguments], capture_output=True, text=True, check=True)
        peaks.append(int(done.stderr.split()[-2]) / 1000)

    wall = seconds(job, 3)
    return wall, float(np.median(peaks))


def _agree(what: str, ours: Any, theirs: Any) -> None:
    same = abs(ours - theirs) < 1e-9 if isinstance(ours, float) else np.array_equal(np.array(ours), np.array(theirs))
    if not same:
        raise SystemExit(f"{what}: the ways do not agree")
