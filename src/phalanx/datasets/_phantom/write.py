"""A whole synthetic data set on disk, in the layout of the hand-bone competition (spec 1.3, 1.4, 1.7, 1.8)."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from phalanx.core.errors import DataError
from phalanx.core.progress import track
from phalanx.datasets._phantom import people as persons
from phalanx.datasets._phantom.anatomy import Hand
from phalanx.datasets._phantom.people import Place
from phalanx.datasets._phantom.render import render
from phalanx.datasets._phantom.shapes import clip_to_frame, pixels
from phalanx.datasets._phantom.table import write_table
from phalanx.datasets._phantom.templates import NAMES

SIZES_PX = (32, 2048)
# One fixed filter is twice as fast as OpenCV's choice a row, and this one compresses grainy pictures best.
PNG = (cv2.IMWRITE_PNG_COMPRESSION, 2, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG)
MOST_PEOPLE = 900  # folders have three digits


def write(folder: Path, people: int, test_people: int, size: int, seed: int, *, workers: int | None = None) -> None:
    """Write a data set of synthetic hands.

    The labels of the test part are written beside it, to `test_truth/`, so that `test/` is as the competition's;
    `phantom.json` keeps the arguments.
    The same arguments give the same bytes, whatever the number of workers.

    Args:
        folder: where to; must not exist or be empty.
        people: number of people, two images each.
        test_people: how many of them belong to the test part.
        size: height and width of the images in pixels.
        seed: of everything.
        workers: processes; None: one a core, fewer for a small job.

    Raises:
        DataError: the folder holds something, or a number is out of range.
    """
    _check(folder, people, test_people, size=size, seed=seed, workers=workers)
    places = persons.roster(people, test_people)
    workers = workers or min(os.cpu_count() or 1, max(1, people // 4))
    with _appearing(folder) as partial_folder:
        _write_table(partial_folder / "meta_data.xlsx", places, seed)
        work = partial(write_person, partial_folder, size=size, seed=seed)
        names = dict(track(_spread(work, places, workers), "Phantom hands", total=people))
        _write_sample(partial_folder / "sample_submission.csv", places, names)
        made = {"people": people, "test_people": test_people, "size": size, "seed": seed}
        (partial_folder / "phantom.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8", newline="\n")


def _check(folder: Path, people: int, test_people: int, *, size: int, seed: int, workers: int | None) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("the folder for the phantom hands is not empty", folder, "name a new one or empty it")
    if not 2 <= people <= MOST_PEOPLE:
        raise DataError("the number of people is out of range", people, f"choose 2 to {MOST_PEOPLE}")
    if not 0 <= test_people < people:
        raise DataError("too many or too few test people", test_people, f"choose 0 to {people - 1}")
    if not SIZES_PX[0] <= size <= SIZES_PX[1]:
        raise DataError("the image size is out of range", f"{size} px", "choose {} to {}".format(*SIZES_PX))
    if seed < 0 or (workers is not None and workers < 1):
        raise DataError("a negative seed or no workers", f"seed {seed}, workers {workers}", "choose 0 and 1 or more")


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A neighbour of `folder` to fill; it takes the folder's name on success and is removed on failure."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    unfinished.mkdir()
    try:
        yield unfinished
        if folder.exists():
            folder.rmdir()  # empty, or this refuses
        os.replace(unfinished, folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _spread(work: partial[tuple[int, list[str]]], places: list[Place], workers: int) -> Iterator[tuple[int, list[str]]]:
    """The outcomes of `work` on every place, in order."""
    if workers == 1:
        yield from map(work, places)
        return
    context = multiprocessing.get_context("spawn")  # a fork would inherit OpenCV's threads
    with ProcessPoolExecutor(workers, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        try:
            yield from pool.map(work, places)
        finally:
            pool.shutdown(cancel_futures=True)


def write_person(folder: Path, place: Place, size: int, seed: int) -> tuple[int, list[str]]:
    """Write both hands of a person.

    Returns:
        The person, and the names of the two image files, right hand first.
    """
    images = folder / place.split / "DCM" / place.folder
    labels = folder / ("train" if place.split == "train" else "test_truth") / "outputs_json" / place.folder
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    names = []
    for side, stamp in zip("RL", persons.time_stamps(seed, place), strict=True):
        hand, things, picture, identifiers = persons.draw_hand(seed, place, side)
        # Only the first person's files tell the side, spec 1.3.
        name = f"image{stamp}{f'_{side}' if place.number == 1 else ''}.png"
        plane = render(hand, things, size, picture)
        encoded = cv2.imencode(".png", cv2.merge([plane, plane, plane]), PNG)[1]
        (images / name).write_bytes(encoded.tobytes())
        text = json.dumps(annotation(hand, name, place, size, identifiers), separators=(",", ":"))
        (labels / name).with_suffix(".json").write_text(text, encoding="utf-8")
        names.append(name)
    return place.person, names


def annotation(hand: Hand, name: str, place: Place, size: int, generator: np.random.Generator) -> dict[str, object]:
    """The label file of one image (spec 1.4)."""

    def identifier() -> str:
        return generator.bytes(12).hex()

    return {
        "annotations": [
            {
                "id": identifier(),
                "type": "poly_seg",
                "attributes": {},
                "points": pixels(clip_to_frame(bone.ring), size).tolist(),
                "label": bone.name,
            }
            for bone in hand.bones
        ],
        "attributes": {},
        "file_id": identifier(),
        "filename": name,
        "parent_path": f"/{place.folder}",
        "last_modifier_id": identifier(),
        "metadata": {"height": size, "width": size},
        "last_workers": identifier(),
    }


def _write_table(file: Path, places: list[Place], seed: int) -> None:
    """The table of people; numbers without a folder have their row as well (spec 1.8)."""
    by_number = {place.number: place.person for place in places}
    rows: list[tuple[int | float | str, ...]] = []
    for number in range(1, places[-1].number + 1):
        traits, _ = persons.draw_traits(seed, by_number.get(number, 10**6 + number))
        note = persons.NAIL_NOTE if traits.nails else ""
        rows.append((number, traits.age, traits.sex, traits.weight, traits.height, note))
    write_table(file, rows)


def _write_sample(file: Path, places: list[Place], names: dict[int, list[str]]) -> None:
    """A row for every test image and class, without runs."""
    images = [name for place in places if place.split == "test" for name in names[place.person]]
    rows = [f"{image},{label}," for image in images for label in NAMES]
    file.write_text("\n".join(["image_name,class,rle", *rows, ""]), encoding="utf-8", newline="\n")
