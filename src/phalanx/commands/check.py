"""`phalanx check`: everything wrong or odd about a data set, before a GPU is warmed up for it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from phalanx.core.case import Dataset, Finding
    from phalanx.data.quality import Checked

# Findings of one kind that are shown; the rest is counted.
SHOWN = 10


def check(
    data: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    *,
    reader: Annotated[
        str | None,
        typer.Option(help="Reader to use (handbone, coco, mask_folder ...); guessed from the layout if not told."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            help="An option of the reader as key=value; may be repeated. NAME.html is taken as --page.",
        ),
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Write a page with a picture of each finding.")] = None,
    patch: Annotated[
        Path | None, typer.Option(help="Corrections of labels to apply first, as data.patch does.")
    ] = None,
    suggest: Annotated[
        Path | None, typer.Option(help="Write a patch of the findings whose remedy is obvious; look at it before use.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Run folder: hold its out-of-fold predictions against the labels.")
    ] = None,
    decode: Annotated[
        bool, typer.Option("--decode/--headers", help="Decode every image and mask, or only read their headers.")
    ] = True,
    unreadable: Annotated[
        Literal["error", "skip"], typer.Option(help="Unreadable and truncated images are errors, or are left out.")
    ] = "error",
    rasteriser: Annotated[Literal["opencv", "coco"], typer.Option(help="How outlines become pixels.")] = "opencv",
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; one a core if not told.")] = None,
) -> None:
    """Check a data set: missing, broken and contradictory files, odd labels, near twins, classes and their areas.

    Of hands also the bend of the wrists, and with --run how far those to predict are bent otherwise. Exits with 1 when
    there is an error. Examples:

    phalanx check data/hands --page hands.html --suggest fixes.yaml

    phalanx check data/hands --patch fixes.yaml --run runs/unetpp_hrnet

    phalanx check data/nuclei --reader kaggle_rle --option labels=train.csv --option dialect=dsb2018
    """
    page, options = _page(page, option or [])
    asked = _Asked(data, settings(data, reader, options), rasteriser, page=page, patch=patch, suggest=suggest, run=run)
    if _work(asked, decode, unreadable, workers):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Asked:
    """What the command line asks for."""

    data: Path
    config: Any
    rasteriser: str
    page: Path | None
    patch: Path | None
    suggest: Path | None
    run: Path | None


def _work(asked: _Asked, decode: bool, unreadable: Literal["error", "skip"], workers: int | None) -> int:
    """Check, say what was found, and write what was asked for; the number of errors."""
    from rich.console import Console

    from phalanx.core import catalogue
    from phalanx.data import quality
    from phalanx.view import _format

    dataset = _patched(catalogue.build("datasets", asked.config).read(), asked.patch, asked.rasteriser)
    checked = quality.examine(dataset, asked.rasteriser, decode, workers, unreadable)
    console = Console()
    console.print(_summary(asked.data, asked.config.name, dataset), highlight=False, markup=False, soft_wrap=True)
    if checked.shares:
        _show_classes(console, dataset, checked)
    judged = None
    if asked.run is not None:
        from phalanx.commands import _check_run

        # What has errors is told of already, and may not decode.
        broken = checked.leave_out | {item.case for item in checked.findings if item.level == "error"}
        judged = _check_run.judge(asked.run, dataset, asked.rasteriser, broken)
        checked = replace(checked, findings=[*checked.findings, *judged.findings])
    wrists = None
    if checked.wrists:
        from phalanx.commands import _check_wrists

        wrists = _check_wrists.compared(dataset, checked.wrists, judged)
        console.print(_check_wrists.told(wrists), highlight=False, markup=False, soft_wrap=True)
    _show_findings(console, checked.findings)
    errors = sum(finding.level == "error" for finding in checked.findings)
    warnings = len(checked.findings) - errors
    said = (_format.count(errors, "error"), _format.count(warnings, "warning"))
    console.print(", ".join((*said, f"{_format.count(len(checked.leave_out), 'image')} to leave out")), highlight=False)
    if asked.suggest is not None:
        _write_patch(asked.suggest, dataset, checked)
    if asked.page is not None:
        from phalanx.commands import _check_page

        _check_page.write(
            asked.page, dataset, checked, rasteriser=asked.rasteriser, title=asked.data.resolve().name,
            command=f"phalanx check {asked.data}", facts=_facts(asked.config.name, dataset), wrists=wrists,
        )  # fmt: skip
        print(f"Wrote {asked.page}")
    return errors


def _page(page: Path | None, options: list[str]) -> tuple[Path | None, list[str]]:
    """The page, and the options without it: `-o` names the output of every other command."""
    pages = [text for text in options if text.endswith(".html") and "=" not in text]
    return page or (Path(pages[-1]) if pages else None), [text for text in options if text not in pages]


def _patched(dataset: Dataset, patch: Path | None, rasteriser: str) -> Dataset:
    from phalanx.data import patch as patches

    return dataset if patch is None else patches.applied(dataset, patches.load(patch), rasteriser)


def _write_patch(target: Path, dataset: Dataset, checked: Checked) -> None:
    """Write the suggested patch; an empty one says that nothing was obvious."""
    import yaml

    from phalanx.core import files
    from phalanx.data import patch as patches
    from phalanx.view import _format

    suggestion = patches.suggested(dataset, checked.findings)
    text = yaml.safe_dump(suggestion, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
    head = (
        "# Suggested by phalanx check: look at each case before you use it, and strike out what is right as it is.\n"
        "# Use it with phalanx check --patch FILE, or run.py data.patch=FILE.\n"
    )
    files.write_text(target, head + text)
    print(f"Wrote {target}: {_format.count(len(suggestion['cases']), 'case')}")


def settings(data: Path, reader: str | None, options: list[str]) -> Any:
    """Validated `Config` of the reader: what the layout suggests, with the options laid over it.

    Raises:
        ConfigError: no such reader or option.
        DataError: no reader fits and none was told.
    """
    from phalanx.core import catalogue
    from phalanx.core.config import validate
    from phalanx.core.errors import ConfigError, DataError
    from phalanx.datasets import _guess

    given = _parse(options)
    if reader is None:
        guessed = _guess.guess(data)
        reader = str(guessed["name"])
    else:
        catalogue.entry("datasets", reader)
        try:
            guessed = _guess.guess(data)
        except DataError:
            # The reader itself says what of its layout is missing.
            guessed = {}
        if guessed.get("name") != reader:
            guessed = {}
    values = {**guessed, "name": reader, "root": data, **given}
    unknown = [key for key in given if key not in catalogue.entry("datasets", reader).Config.model_fields]
    if unknown:
        known = tuple(catalogue.entry("datasets", reader).Config.model_fields)
        raise ConfigError(f"the reader {reader} has no such option", unknown[0], catalogue.nearest(unknown[0], known))
    return validate(catalogue.entry("datasets", reader).Config, values)


def _parse(options: list[str]) -> dict[str, Any]:
    import yaml

    from phalanx.core.errors import ConfigError

    values: dict[str, Any] = {}
    for text in options:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError("an option of the reader must read key=value", text, "write for example classes=[a,b]")
        try:
            values[key.strip()] = yaml.safe_load(value) if value.startswith(("[", "{")) else _scalar(value)
        except yaml.YAMLError:
            raise ConfigError(
                "the value of an option is not valid YAML", text, "write for example classes=[a,b]"
            ) from None
    return values


def _scalar(value: str) -> Any:
    """Numbers and truth values are left to Pydantic, which knows the field's type; only `null` needs a meaning here."""
    return None if value in ("null", "") else value


def _summary(data: Path, reader: str, dataset: Dataset) -> str:
    sizes: dict[str, int] = defaultdict(int)
    for case in (*dataset.train, *dataset.test):
        if "image_height" in case.metadata:
            sizes[f"{case.metadata['image_height']} x {case.metadata['image_width']}"] += 1
    common = sorted(sizes, key=lambda size: -sizes[size])
    listed = ", ".join(f"{size} ({sizes[size]})" for size in common[:5]) + (
        f" and {len(common) - 5} more" if common[5:] else ""
    )
    kind = "one class a pixel" if dataset.labels.exclusive else "classes may overlap"
    groups = len({case.group for case in dataset.train})
    return (
        f"{data} as {reader}: {len(dataset.train)} labelled cases of {groups} groups, "
        f"{len(dataset.test)} to predict, {len(dataset.labels.scored)} classes ({kind}).\nSizes: {listed or 'unknown'}."
    )


def _facts(reader: str, dataset: Dataset) -> dict[str, object]:
    return {
        "Reader": reader,
        "Labelled cases": len(dataset.train),
        "Groups": len({case.group for case in dataset.train}),
        "Cases to predict": len(dataset.test),
        "Classes": len(dataset.labels.scored),
        "Labels": "one class a pixel" if dataset.labels.exclusive else "classes may overlap",
    }


def _show_classes(console: Console, dataset: Dataset, checked: Checked) -> None:
    import numpy as np
    from rich.table import Table

    train = [checked.shares[case.id] for case in dataset.train if case.id in checked.shares]
    if not train:
        return
    shares = np.stack(train)
    table = Table(title=f"Classes of {len(shares)} labelled cases")
    for heading in ("class", "cases", "mean share", "smallest", "largest"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for name, column in zip(dataset.labels.scored_names, shares.T, strict=True):
        present = column[column > 0]
        areas = (present.mean(), present.min(), present.max()) if len(present) else ()
        table.add_row(name, str(len(present)), *(f"{area:.3%}" for area in areas))
    console.print(table)


def _show_findings(console: Console, findings: list[Finding]) -> None:
    from rich.markup import escape
    from rich.table import Table

    kinds: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        kinds[finding.level, finding.kind].append(finding)
    for (level, kind), members in sorted(kinds.items()):
        colour = "red" if level == "error" else "yellow"
        console.print(f"[{colour}]{level}[/{colour}]: {escape(kind)} ({len(members)})", highlight=False, soft_wrap=True)
        table = Table()
        table.add_column("case", overflow="fold")
        table.add_column("what was seen", overflow="fold")
        for finding in members[:SHOWN]:
            table.add_row(escape(finding.case or "-"), escape(finding.message.removeprefix(kind).lstrip(": ")))
        if len(members) > SHOWN:
            table.add_row("...", f"and {len(members) - SHOWN} more")
        console.print(table)
