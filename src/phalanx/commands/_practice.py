"""Practice: made-up submissions and stores for phantom hands, so that all but training can be tried at once."""

from __future__ import annotations

from pathlib import Path

from phalanx.core import catalogue
from phalanx.core.case import Case, Dataset, Polygons
from phalanx.core.geometry import Geometry
from phalanx.core.progress import track
from phalanx.mask import polygon
from phalanx.mask.dialect import named
from phalanx.store.predictions import Writer
from phalanx.submit import practice, write


def submissions(folder: Path, size: int, seed: int, count: int) -> None:
    """DIR/submissions/model1.csv ..., the last one poor, and the truth in DIR/test_truth/truth.csv.

    Args:
        folder: of the phantoms.
        size: of the images.
        seed: of the errors.
        count: how many; 0: none.
    """
    if not count:
        return
    hands = _read(folder)
    outlines = {case.id: _rings(case) for case in hands.test}
    frame = (size, size)
    for model in range(1, count + 1):
        path = folder / "submissions" / f"model{model}.csv"
        rows = (
            (case, frame, practice.masks(rings, frame, (seed, model, place), _error(model, count)))
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


def stores(folder: Path, size: int, seed: int, count: int) -> None:
    """DIR/predictions/model1/oof.zarr and test.zarr ..., at half the images' size; the last one poor.

    Args:
        folder: of the phantoms.
        size: of the images.
        seed: of the errors.
        count: how many; 0: none.
    """
    if not count:
        return
    hands = _read(folder)
    side = max(32, size // 2)
    geometry = Geometry.fit((size, size), (side, side), keep_aspect=False)
    for model in range(1, count + 1):
        for part, cases in (("oof", hands.train), ("test", hands.test)):
            path = folder / "predictions" / f"model{model}" / f"{part}.zarr"
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = Writer(path, hands.labels, {"kind": part, "member": f"model{model}", "made_up": True})
            for place, case in enumerate(track(cases, f"model {model}, {part}", len(cases))):
                rings = {name: [ring * (side / size) for ring in found] for name, found in _rings(case).items()}
                made_of = (seed, model, place, part == "oof")
                writer.write(case.id, practice.logits(rings, (side, side), made_of, _error(model, count)), geometry)
            writer.close()
            print(f"Wrote {path}")


def _read(folder: Path) -> Dataset:
    config = catalogue.entry("datasets", "handbone").Config(root=folder)
    return catalogue.build("datasets", config).read()


def _rings(case: Case) -> dict[str, list]:
    assert isinstance(case.labels, Polygons)
    return dict(case.labels.rings)


def _error(model: int, count: int) -> float:
    return 6.0 if model == count > 2 else 1.0 + 0.5 * model
