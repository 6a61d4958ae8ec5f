"""`phalanx phantom`: synthetic 29-bone hand X-rays, written in the hand-bone layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def phantom(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; must not exist or be empty.")],
    *,
    people: Annotated[int, typer.Option(help="People, two images each.")] = 24,
    size: Annotated[int, typer.Option(help="Height and width of the images in pixels, at most 2048.")] = 512,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files, byte for byte.")] = 0,
    test_people: Annotated[
        int | None, typer.Option(help="How many of the people are test people; a quarter, at least 2, by default.")
    ] = None,
    submissions: Annotated[
        int, typer.Option(min=0, help="Made-up submissions for the test images, to try vote, score and compare on.")
    ] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; one a core by default.")] = None,
) -> None:
    """Write synthetic hand X-rays with the outlines of their 29 bones, in the hand-bone layout.

    The test part's labels go to DIR/test_truth, so that DIR/test looks as in the competition.

    Examples:
    phalanx phantom data/phantom --people 24 --size 512 --seed 0

    phalanx phantom data/phantom --submissions 4
    """
    # Loads OpenCV, which `phalanx --help` does without.
    from phalanx.datasets._phantom.write import write

    chosen = min(max(2, round(people / 4)), people - 1) if test_people is None else test_people
    write(folder, people, chosen, size, seed, workers=workers)
    train = people - chosen
    if submissions:
        _practise(folder, size, seed, submissions)
    print(f"Wrote {folder}: {2 * train} labelled images of {train} people, {2 * chosen} test images of {chosen} people")


def _practise(folder: Path, size: int, seed: int, count: int) -> None:
    """DIR/submissions/model1.csv ..., the last one poor, and the truth in DIR/test_truth/truth.csv."""
    from phalanx.core import catalogue
    from phalanx.core.case import Polygons
    from phalanx.mask import polygon
    from phalanx.mask.dialect import named
    from phalanx.submit import practice, write

    config = catalogue.entry("datasets", "handbone").Config(root=folder)
    hands = catalogue.build("datasets", config).read()
    outlines = {case.id: case.labels.rings for case in hands.test if isinstance(case.labels, Polygons)}
    frame = (size, size)
    for model in range(1, count + 1):
        error = 6.0 if model == count > 2 else 1.0 + 0.5 * model
        path = folder / "submissions" / f"model{model}.csv"
        rows = (
            (case, frame, practice.masks(rings, frame, (seed, model, place), error))
            for place, (case, rings) in enumerate(outlines.items())
        )
        write.write(path, named("handbone"), rows, hands.labels.names)
        print(f"Wrote {path}")
    truth = folder / "test_truth" / "truth.csv"
    exact = (
        (case, frame, {name: polygon.to_runs(ring, frame, "opencv") for name, ring in rings.items()})
        for case, rings in outlines.items()
    )
    write.write(truth, named("handbone"), exact, hands.labels.names)
    print(f"Wrote {truth}")
