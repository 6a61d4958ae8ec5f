"""`phalanx store`: look into a store of predictions, threshold it anew, export it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from phalanx.store.predictions import Store

# The options that each way of calling takes, besides the one that calls for it.
_TAKES = {
    "--export": {"--case", "--format", "--what", "--size", "--threshold", "--overwrite"},
    "--case": {"-o", "--images", "--threshold", "--overwrite"},
    "-o": {"--threshold", "--dialect", "--overwrite"},
    "--cases": set(),
}


def store(
    path: Annotated[Path, typer.Argument(metavar="STORE", help="A store, such as runs/phantom/unet/oof.zarr.")],
    *,
    cases: Annotated[bool, typer.Option("--cases", help="List every case with its sizes.")] = False,
    case: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Show a case; with --export, may be repeated.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A picture (.png) of --case; else a submission (.csv)."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="PROBABILITY", help="A pixel belongs to a class above it. Default 0.5.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Images to draw --case over; else the ground is plain.")
    ] = None,
    dialect: Annotated[
        str | None, typer.Option(help="How the submission is written; as the store's run did, else handbone.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write a file (.npz, .nii, .nii.gz), or a folder with one a case."),
    ] = None,
    form: Annotated[
        Literal["npz", "nifti"] | None, typer.Option("--format", help="Of the files in a folder. Default npz.")
    ] = None,
    what: Annotated[
        Literal["logits", "probability", "mask"] | None, typer.Option(help="What is exported. Default logits.")
    ] = None,
    size: Annotated[
        Literal["network", "original"] | None,
        typer.Option(help="As the network saw it, padding included, or of the image. Default network."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what -o and --export name.")] = False,
) -> None:
    """Look into a store of predictions: what it holds, one case of it, a submission at another threshold, an export.

    NPZ holds plain arrays (c, h, w); NIfTI has the axes x, y, slice, channel. Examples:

    phalanx store runs/phantom/unet/oof.zarr

    phalanx store runs/phantom/unet/test.zarr --case hand_001.png -o case.png --images data/hands/test_images

    phalanx store runs/phantom/unet/test.zarr --threshold 0.4 -o submission_040.csv

    phalanx store runs/phantom/unet/test.zarr --export out --format nifti --what probability --size original
    """
    given = {
        "--cases": cases or None, "--case": case or None, "-o": output, "--threshold": threshold, "--images": images,
        "--dialect": dialect, "--export": export, "--format": form, "--what": what, "--size": size,
        "--overwrite": overwrite or None,
    }  # fmt: skip
    way = _way({name for name, value in given.items() if value is not None})
    logit = 0.0 if threshold is None else _logit(threshold)
    opened = _open(path)
    if logit:
        _check_threshold(opened, logit)
    if export is not None:
        if what != "mask" and threshold is not None:
            raise typer.BadParameter("belongs to --what mask", param_hint="--threshold")
        _export(opened, case or [], (export, form, what or "logits", size or "network", logit, overwrite))
    elif way == "--case":
        _case(opened, case or [], output, images, 0.5 if threshold is None else threshold, overwrite=overwrite)
    elif way == "-o":
        from phalanx.commands import _store_files

        assert output
        print(_store_files.submission(opened, output, dialect, logit, overwrite=overwrite))
    else:
        _list(opened, every=way == "--cases")


def _way(given: set[str]) -> str:
    """The option that says what is to be done; "" to list."""
    for way, takes in _TAKES.items():
        if way not in given:
            continue
        strange = sorted(given - takes - {way})
        if strange:
            raise typer.BadParameter(f"does not go with {way}", param_hint=strange[0])
        return way
    if given:
        needs = {"--threshold": "-o SUB.csv, --case or --export", "--images": "--case", "--dialect": "-o SUB.csv"}
        first = min(given)
        raise typer.BadParameter(f"needs {needs.get(first, '-o or --export')}", param_hint=first)
    return ""


def _logit(threshold: float) -> float:
    if not 0 < threshold < 1:
        raise typer.BadParameter(f"{threshold:g} is not a probability between 0 and 1", param_hint="--threshold")
    return math.log(threshold / (1 - threshold))


def _open(path: Path) -> Store:
    from phalanx.core.errors import StoreError
    from phalanx.store.predictions import Store

    if path.suffix != ".zarr" and path.is_dir() and not (path / "manifest.json").is_file():
        inside = sorted(path.glob("*.zarr")) + sorted(path.glob("*/*.zarr"))
        if inside:
            raise StoreError("this folder is no store", path, f"name one of {', '.join(map(str, inside[:6]))}")
    if not path.exists() and not path.with_name(f"{path.name}.partial").exists():
        raise StoreError("there is no such store", path, "check the name")
    return Store(path)


def _check_threshold(opened: Store, logit: float) -> None:
    from phalanx.core.errors import StoreError
    from phalanx.store.predictions import CLIP

    if opened.labels.exclusive:
        fix = "leave --threshold out"
        raise StoreError("exclusive classes have no threshold: the likeliest class wins", opened.path, fix)
    if opened.attributes.get("dtype") == "int8" and abs(logit) >= CLIP - 1 / 16:
        seen, low = f"{1 / (1 + math.exp(-logit)):g} in {opened.path}", 1 / (1 + math.exp(CLIP))
        fix = f"stay within {low:.4f} and {1 - low:.4f}, or predict with predict.dtype=float16"
        raise StoreError("the store is clipped and cannot tell such probabilities apart", seen, fix)


def _known(opened: Store, cases: list[str]) -> list[str]:
    """The cases that were named, or all."""
    from phalanx.core.errors import StoreError
    from phalanx.datasets import _base

    for name in cases:
        if name not in opened.cases:
            fix = f"see --cases; {_base.hint(name, list(opened)[:5000])}"
            raise StoreError("the store has no such case", f"{name} in {opened.path}", fix)
    return list(dict.fromkeys(cases)) or list(opened)


def _export(opened: Store, cases: list[str], told: tuple[Any, ...]) -> None:
    from phalanx.commands import _store_files

    print(_store_files.export(opened, _known(opened, cases), _store_files.Plan(*told)))


def _case(
    opened: Store, cases: list[str], output: Path | None, images: Path | None, threshold: float, *, overwrite: bool
) -> None:
    from rich.console import Console

    from phalanx.commands import _results, _store_case

    if len(cases) > 1:
        raise typer.BadParameter("show one case at a time; --export takes several", param_hint="--case")
    if output is None and images is not None:
        raise typer.BadParameter("needs -o PICTURE.png", param_hint="--images")
    if output is not None and output.suffix.lower() != ".png":
        raise typer.BadParameter(f"{output} must end in .png; a submission has every case", param_hint="-o")
    _results.check({"-o": output}, [opened.path], overwrite)
    shown = _store_case.read(opened, _known(opened, cases)[0], threshold)
    console = Console()
    console.print(_store_case.title(shown), markup=False, highlight=False, soft_wrap=True)
    console.print(_store_case.table(shown), highlight=False)
    if output is not None:
        from phalanx.commands import _store_picture

        _store_picture.write(shown, output, images)
        print(f"Wrote {output}")


def _list(opened: Store, *, every: bool) -> None:
    from rich.console import Console

    from phalanx.commands import _store_listing

    if not every:
        Console().print(_store_listing.facts(opened), highlight=False)
        return
    for line in _store_listing.cases(opened):
        print(line)
