"""`phalanx vote`: hard-vote ensemble of submissions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from phalanx.ensemble.recipe import HardRecipe
    from phalanx.ensemble.vote import Poll
    from phalanx.mask.dialect import Dialect

_YAML = (".yaml", ".yml")


def vote(
    members: Annotated[
        list[Path], typer.Argument(metavar="A.csv B.csv ...", help="Submissions, or recipes (.yaml) of votes.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.csv", help="The submission to write.")],
    weights: Annotated[
        str | None,
        typer.Option(metavar="2,1,1", help="One a member; or a YAML with `weights:` and `classes:` of their own."),
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Share of all weight to be exceeded: 0.5, 1/3. Default 0.5.")
    ] = None,
    ties: Annotated[
        Literal["drop", "keep"] | None, typer.Option(help="Whether exactly the threshold is enough. Default drop.")
    ] = None,
    dialect: Annotated[str | None, typer.Option(help="How the files are written. Default handbone.")] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="image,class,rle", help="Names of the columns, where they differ.")
    ] = None,
    order: Annotated[str | None, typer.Option(metavar="row|column", help="How pixels are counted.")] = None,
    base: Annotated[int | None, typer.Option(help="Number of the first pixel, 0 or 1.")] = None,
    empty: Annotated[str | None, typer.Option(metavar="TEXT", help="What stands for an empty mask.")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Height x width of every image; runs are then held to it.")
    ] = None,
    same_file: Annotated[bool, typer.Option("--same-file", help="Let a file vote more than once.")] = False,
    any_size: Annotated[
        bool, typer.Option("--any-size", help="Do not ask whether all files are of images of one size.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.csv.")] = False,
    threads: Annotated[int, typer.Option(min=0, help="Threads; one a core if not told.")] = 0,
) -> None:
    """Vote: keep the pixels that members with more than half of the weight mark. An empty mask votes against.

    Rows are matched by image and class. Beside OUT.csv a recipe OUT.yaml says what went into it; `phalanx vote OUT.yaml
    -o AGAIN.csv` gives the same bytes, or refuses when a file has changed. Examples:

    phalanx vote fold0.csv fold1.csv fold2.csv -o ensemble.csv

    phalanx vote a.csv b.csv c.csv -o ensemble.csv --weights 2,1,1 --threshold 0.5 --size 2048x2048
    """
    from concurrent.futures import ThreadPoolExecutor

    from phalanx.commands import _dialect
    from phalanx.ensemble import recipe as recipes
    from phalanx.ensemble.vote import Poll, check_sizes

    recipe = _recipe(members, weights, {"threshold": threshold, "ties": ties, "dialect": dialect})
    written = _dialect.chosen(recipe.dialect, columns, order, base, empty)
    pixels = None if size is None else _dialect.parse_size(size)
    manifest = output.with_suffix(".yaml")
    _check_names(recipe, members, output, manifest, overwrite=overwrite)
    recipes.check_files(recipe)
    with ThreadPoolExecutor(1) as pool:
        # Digests let go of the interpreter: they take little time beside the indexing.
        waiting = pool.submit(recipes.with_digests, recipe, output.parent)
        with recipes.opened(recipe, written) as opened:
            described = waiting.result()
            if not same_file:
                _check_twins(described)
            poll = Poll(opened, pixels)
            if not any_size:
                check_sizes(poll)
            _write(poll, output, written, pixels, threads)
    _keep(described, manifest)
    _summary(poll, recipe, output, manifest)


def _recipe(members: list[Path], weights: str | None, told: dict[str, Any]) -> HardRecipe:
    """The recipe that the command line amounts to; what it tells wins over what a lone recipe says."""
    from phalanx.core.errors import ConfigError
    from phalanx.ensemble import recipe as recipes

    given = {name: value for name, value in told.items() if value is not None} | _weights(weights)
    if len(members) == 1 and members[0].suffix.lower() in _YAML:
        base = recipes.load(members[0])
        if not given:
            return base
        values = base.model_dump(exclude_defaults=True) | {"members": list(base.members)}
    else:
        found = [recipes.load(path) if path.suffix.lower() in _YAML else {"file": path} for path in members]
        dialects = {member.dialect for member in found if isinstance(member, recipes.HardRecipe)}
        if dialects and "dialect" not in given:
            given["dialect"] = dialects.pop()
        if dialects - {given.get("dialect")}:
            seen = " and ".join(sorted(dialects | {given["dialect"]}))
            raise ConfigError("recipes of different dialects cannot vote together", seen, "convert one of them")
        values = {"members": found}
    return recipes.made(values, given)


def _weights(text: str | None) -> dict[str, Any]:
    """`weights` and `classes` of the option: a list, or a YAML file."""
    if text is None:
        return {}
    if not text.lower().endswith(_YAML):
        return {"weights": text.split(",")}
    from phalanx.ensemble import recipe as recipes

    return recipes.load_weights(Path(text))


def _check_names(recipe: HardRecipe, members: list[Path], output: Path, manifest: Path, *, overwrite: bool) -> None:
    from phalanx.core.errors import SubmissionError

    if output.suffix.lower() in _YAML:
        raise typer.BadParameter(f"{output} would be overwritten by its own recipe; name a .csv", param_hint="-o")
    inputs = {path.resolve() for path in (*members, *(member.file for member in recipe.files()))}
    for path in (output, manifest):
        if path.resolve() in inputs:
            raise SubmissionError("the result cannot replace one of its members", path, "choose another name")
    for path in (output, manifest):
        if path.exists() and not overwrite:
            raise SubmissionError("the file exists already", path, "choose another name, or say --overwrite")


def _check_twins(described: dict[str, Any]) -> None:
    """Refuse the same content twice anywhere in the recipe."""
    from phalanx.core.errors import SubmissionError

    seen: dict[str, str] = {}
    for member in _files(described):
        other = seen.setdefault(member["sha256"], member["file"])
        if other is not member["file"]:
            fix = "leave one out, give it more weight, or say --same-file"
            raise SubmissionError("the same file votes twice", f"{other} and {member['file']}", fix)


def _files(described: dict[str, Any]) -> list[dict[str, Any]]:
    nested = [[member] if "file" in member else _files(member) for member in described["members"]]
    return [found for part in nested for found in part]


def _write(poll: Poll, output: Path, dialect: Dialect, size: tuple[int, int] | None, threads: int) -> None:
    from phalanx.core import files, parallel, progress
    from phalanx.submit import write

    def part(keys: tuple[int, int]) -> bytes:
        return write.lines(poll.keys[slice(*keys)], poll.count(keys), dialect, size)

    parts = poll.slices()
    with files.whole(output) as temporary, temporary.open("wb") as file:
        file.write(write.header(dialect))
        for text in progress.track(parallel.ordered(part, parts, threads), "voting", len(parts)):
            file.write(text)


def _keep(described: dict[str, Any], manifest: Path) -> None:
    import yaml

    from phalanx.core import files

    head = f"# How {manifest.with_suffix('.csv').name} was made. Again: phalanx vote {manifest.name} -o AGAIN.csv\n"
    files.write_text(manifest, head + yaml.safe_dump(described, sort_keys=False, allow_unicode=True))


def _summary(poll: Poll, recipe: HardRecipe, output: Path, manifest: Path) -> None:
    """Who voted with which weight, and how often for nothing."""
    from rich.console import Console
    from rich.table import Table

    total = sum(recipe.weights)
    table = Table("member", "weight", "share", "empty masks", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for member, weight, tally in zip(recipe.members, recipe.weights, poll.tallies, strict=True):
        name = getattr(member, "file", None) or f"vote of {len(getattr(member, 'members', ()))}"
        table.add_row(str(name), str(weight), f"{float(weight / total):.3f}", str(tally.empty))
    console = Console()
    console.print(table, highlight=False, markup=False)
    images = len({image for image, _ in poll.keys})
    console.print(
        f"{output}: {len(poll.keys)} rows of {images} images; recipe in {manifest}", markup=False, soft_wrap=True
    )
    for member, tally in zip(recipe.members, poll.tallies, strict=True):
        if tally.same and len(recipe.members) > 1:
            name = getattr(member, "file", "a vote within the vote")
            console.print(f"warning: the result equals {name}: the others change nothing", markup=False, soft_wrap=True)
