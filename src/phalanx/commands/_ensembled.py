"""Ensembled: the work of `phalanx ensemble`, and how its outcome is said."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from phalanx.commands import _oof
from phalanx.core import files
from phalanx.core.errors import ConfigError, SubmissionError
from phalanx.core.progress import track
from phalanx.ensemble import opening, soft_recipe
from phalanx.ensemble import recipe as recipes
from phalanx.ensemble.opening import Opener, Part
from phalanx.ensemble.pipeline import Done, Pipeline
from phalanx.ensemble.soft_recipe import CheckpointsMember, SoftRecipe
from phalanx.mask import dialect as dialects
from phalanx.submit import lint
from phalanx.submit import write as writer

if TYPE_CHECKING:
    from rich.table import Table

    from phalanx.store.predictions import Store

YAML = (".yaml", ".yml")
_SHOWN = 5


@dataclass
class Written:
    """What became of a recipe.

    Args:
        rows: of the submission.
        cases: images in it.
        members: name and share of the weight, mean over the classes.
        alone: the member that has all the weight, if there are others.
        equal: names of members that alone give the same masks.
        warnings: what steps found odd, with the case.
        odd: how many cases have such warnings.
    """

    rows: int
    cases: int
    members: list[tuple[str, float]]
    alone: list[str]
    equal: list[str]
    warnings: list[str]
    odd: int


def recipe(members: Sequence[Path], weights: str | None, told: dict[str, Any], part: Part) -> SoftRecipe | Path:
    """The recipe that the command line amounts to; the path of one of votes, which `phalanx vote` runs.

    Raises:
        PhalanxError: nothing of that name, or a value that a recipe does not take.
    """
    lone = members[0] if len(members) == 1 and members[0].suffix.lower() in YAML else None
    if lone is not None and recipes.mapping(lone).get("kind", "hard") == "hard":
        if told or weights is not None:
            raise ConfigError(
                "a vote takes no options but its recipe's", ", ".join(told) or "weights", "edit the recipe"
            )
        return lone
    if lone is not None:
        found = soft_recipe.load(lone)
        assert isinstance(found, SoftRecipe)
        if weights is not None:
            raise ConfigError("a recipe says its weights itself", weights, "edit the recipe")
        # What was measured is not true of another space or threshold.
        return found.model_copy(update={**told, "scores": []} if told else {})
    named = [_named(path, part) for path in members]
    flat = [member for part in named for member in part]
    if weights is not None:
        numbers = weights.split(",")
        if len(numbers) != len(flat):
            raise ConfigError("there must be one weight a member", f"{len(numbers)} for {len(flat)}", "write 2,1,1")
        flat = [{**member, "weight": number} for member, number in zip(flat, numbers, strict=True)]
    if "dialect" not in told:
        told = {**told, "dialect": _dialect(flat)}
    return soft_recipe.validated({"members": flat, **told}, "the command line")


def _named(path: Path, part: Part) -> list[dict[str, Any]]:
    """What a name on the command line stands for: a store, a recipe, or the members of a run."""
    if path.suffix.lower() in YAML:
        return [{"recipe": path}]
    if path.suffix.lower() == ".csv":
        raise ConfigError("a CSV holds masks, not predictions", path, "use phalanx vote, or a recipe with soft:")
    if path.suffix == ".zarr" or (path / "manifest.json").is_file():
        return [{"store": path}]
    return [{"run": store.parent} for store in _oof.stores([path], part)]


def _dialect(members: Sequence[dict[str, Any]]) -> str:
    """How the run of the first member writes its submission."""
    for member in members:
        path = member.get("run") or member.get("store")
        if path is not None:
            return _oof.dialect(path)
    return "handbone"


def write(
    recipe: SoftRecipe, inputs: Sequence[Path], output: Path, part: Part, *, sample: Path | None, overwrite: bool,
    threads: int,
) -> Written:  # fmt: skip
    """Run a recipe: the submission, linted, and its provenance.

    Args:
        recipe: its paths begin here.
        inputs: what was named on the command line, none of which may be replaced.
        output: the CSV.
        part: which predictions of a run.
        sample: a sample submission.
        overwrite: replace what is there.
        threads: 0: one a core.

    Raises:
        PhalanxError: an input is at fault.
    """
    manifest = output.with_suffix(".yaml")
    check_names(output, manifest, inputs, overwrite)
    dialects.named(recipe.dialect)
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="phalanx-") as scratch:

        def predicted(member: CheckpointsMember) -> Store:
            from phalanx.commands import _checkpoints

            return _checkpoints.predicted(member.checkpoints, member.folds, part, Path(scratch))

        opener = Opener(part, stack, predicted)
        pipeline = opener.open(recipe)
        check_names(output, manifest, [*inputs, *opener.files], overwrite)
        described = opening.described(recipe, output.parent, opener.predicted)
        watch = _Watch(pipeline)
        cases = list(pipeline.blend.cases)
        passing = watch.each(track(pipeline.run(cases, threads), "Ensemble", len(cases)))
        rows = ((done.case, done.size, done.masks) for done in passing)
        count = _lint_and_keep(output, recipe, rows, watch, sample)
    head = f"# How {output.name} was made. Again: phalanx ensemble {manifest.name} -o AGAIN.csv --part {part}\n"
    files.write_text(manifest, head + yaml.safe_dump(described, sort_keys=False, allow_unicode=True))
    return Written(count, len(cases), watch.shares(), watch.alone(), watch.equal(), watch.warnings, watch.odd)


def _lint_and_keep(output: Path, recipe: SoftRecipe, rows: Iterator[Any], watch: _Watch, sample: Path | None) -> int:
    """Write under another name, lint, and give it its name; one that is refused never has it."""
    dialect, names = dialects.named(recipe.dialect), watch.names
    making = output.with_name(f".{output.name}.making")
    try:
        count = writer.write(making, dialect, rows, names, overwrite=True)
        problems = lint.lint(making, dialect, watch.sizes, names, sample)
        errors = [problem for problem in problems if problem.level == "error"]
        if errors:
            raise SubmissionError("the submission would be refused", errors[0].message, "check --sample and the recipe")
        making.replace(output)
    finally:
        making.unlink(missing_ok=True)
    return count


class _Watch:
    """Looks at what passes: sizes, warnings, and whether a member alone says the same."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.sizes: dict[str, tuple[int, int]] = {}
        self.warnings: list[str] = []
        self.odd = 0
        self.names = pipeline.labels.scored_names
        self._pipeline = pipeline
        # Members that have given the same masks so far; in most ensembles none is left after the first image.
        count = len(pipeline.blend.members)
        self._equal = [] if count == 1 or self.alone() else list(range(count))

    def each(self, done: Iterator[Done]) -> Iterator[Done]:
        for one in done:
            self.sizes[one.case] = one.size
            self.odd += bool(one.warnings)
            self.warnings += [f"{one.case}: {warning}" for warning in one.warnings]
            self._equal = [place for place in self._equal if self._same(self._pipeline.alone(place), one)]
            yield one

    def shares(self) -> list[tuple[str, float]]:
        """Name and mean share of the weight of each member."""
        rows = np.array([[float(weight) for weight in row] for row in self._pipeline.blend.weights])
        shares = (rows / rows.sum(1, keepdims=True)).mean(0)
        return [(member.name, float(share)) for member, share in zip(self._pipeline.blend.members, shares, strict=True)]

    def alone(self) -> list[str]:
        """The one member that has all the weight, if there are others."""
        used = np.array([[weight > 0 for weight in row] for row in self._pipeline.blend.weights])
        if len(self._pipeline.blend.members) == 1 or used.any(0).sum() != 1:
            return []
        return [self._pipeline.blend.members[int(used.any(0).argmax())].name]

    def equal(self) -> list[str]:
        """Members that alone, after the same steps, give every mask as it is."""
        return list(dict.fromkeys(self._pipeline.blend.members[place].name for place in self._equal))

    @staticmethod
    def _same(alone: Pipeline, done: Done) -> bool:
        return all(np.array_equal(mask, done.masks[name]) for name, mask in alone.case(done.case).masks.items())


def check_names(output: Path, manifest: Path, inputs: Iterable[Path], overwrite: bool) -> None:
    """Refuse to write over an input, or over anything else unless told to.

    Raises:
        SubmissionError: naming the file.
    """
    taken = {path.resolve() for path in inputs}
    if output.suffix.lower() in YAML:
        raise SubmissionError("the result would be replaced by its own recipe", output, "name a .csv")
    for path in (output, manifest):
        if path.resolve() in taken:
            raise SubmissionError("the result cannot replace one of its members", path, "choose another name")
        if path.exists() and not overwrite:
            raise SubmissionError("the file exists already", path, "choose another name, or say --overwrite")


def dialect_of(output: Path) -> str:
    """The dialect that the recipe beside a submission names."""
    return str(recipes.mapping(output.with_suffix(".yaml")).get("dialect", "handbone"))


def table(written: Written) -> Table:
    """Members and their shares."""
    from rich.table import Table

    found = Table("member", "share", box=None, pad_edge=False)
    found.columns[1].justify = "right"
    for name, share in written.members:
        found.add_row(name, f"{share:.3f}")
    return found


def sentences(written: Written) -> list[str]:
    """What to be careful about."""
    said = [f"warning: {name} has all the weight; the others change nothing" for name in written.alone]
    said += [f"warning: the result equals {name}: the others change nothing" for name in written.equal]
    if written.warnings:
        kinds = Counter(line.partition(": ")[2].partition(" (")[0] for line in written.warnings)
        said.append(
            f"warning: {written.odd} of {written.cases} images look odd; most often: {kinds.most_common(1)[0][0]}"
        )
        said += [f"  {line}" for line in written.warnings[:_SHOWN]]
        said += [f"  ... and {len(written.warnings) - _SHOWN} more"] * (len(written.warnings) > _SHOWN)
    return said
