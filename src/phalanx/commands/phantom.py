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
    stores: Annotated[
        int, typer.Option(min=0, help="Made-up predictions of all images, to try search and ensemble on.")
    ] = 0,
    faults: Annotated[
        int, typer.Option(min=0, help="Labels and files to spoil, for `phalanx check`; DIR/faults.json tells which.")
    ] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; one a core by default.")] = None,
) -> None:
    """Write synthetic hand X-rays with the outlines of their 29 bones, in the hand-bone layout.

    The test part's labels go to DIR/test_truth, so that DIR/test looks as in the competition.

    Examples:
    phalanx phantom data/phantom --people 24 --size 512 --seed 0

    phalanx phantom data/phantom --submissions 4 --stores 4

    phalanx phantom data/spoilt --people 40 --faults 20
    """
    # Loads OpenCV, which `phalanx --help` does without.
    from phalanx.datasets._phantom.faults import check_count, plant
    from phalanx.datasets._phantom.write import write

    chosen = min(max(2, round(people / 4)), people - 1) if test_people is None else test_people
    train = people - chosen
    if faults:
        # Before minutes of drawing.
        check_count(faults, 2 * train)
    write(folder, people, chosen, size, seed, workers=workers)
    if submissions or stores:
        from phalanx.commands import _practice

        _practice.submissions(folder, size, seed, submissions)
        _practice.stores(folder, size, seed, stores)
    if faults:
        # Last: what is made of the labels above needs sound ones.
        plant(folder, faults, seed)
    print(f"Wrote {folder}: {2 * train} labelled images of {train} people, {2 * chosen} test images of {chosen} people")
