"""Soft members of a vote: written as submissions beside its result, so that the vote is one of files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from phalanx.commands import _ensembled
from phalanx.core.errors import ConfigError
from phalanx.ensemble import opening, soft_recipe
from phalanx.ensemble import recipe as recipes
from phalanx.ensemble.opening import Part
from phalanx.ensemble.recipe import HardRecipe
from phalanx.ensemble.soft_recipe import SoftRecipe


@contextmanager
def only_files(path: Path, output: Path, part: Part, *, overwrite: bool, threads: int) -> Iterator[Path]:
    """A vote whose members are files; soft members are written beside the result, with recipes of their own.

    When the block ends in an error, these files are what they were before, or not there.

    Args:
        path: the recipe of the vote.
        output: the CSV of the result, which gives the others their names.
        part: which store of a run's folder is meant.
        overwrite: replace what is there.
        threads: 0: one a core.

    Raises:
        PhalanxError: an input is at fault.
    """
    values = recipes.mapping(path)
    places = list(_places(values, ""))
    if not places:
        yield path
        return
    dialect = str(values.get("dialect", "handbone"))
    nested = [soft_member(members[place], path, dialect) for members, place, _ in places]
    made = [output.with_name(f"{output.stem}.member{name}.csv") for *_, name in places]
    # Of the whole vote: a member that is made may not replace one that another is made of.
    inputs = {path, *_files(values, path.parent)}.union(*(_inputs(recipe, set()) for recipe in nested))
    _ensembled.check_names(output, output.with_suffix(".yaml"), [path], overwrite)
    for file in made:
        _ensembled.check_names(file, file.with_suffix(".yaml"), inputs, overwrite)
    with _as_before([*made, *(file.with_suffix(".yaml") for file in made)]):
        for (members, place, _), recipe, file in zip(places, nested, made, strict=True):
            _ensembled.write(recipe, [path], file, part, sample=None, overwrite=overwrite, threads=threads)
            members[place] = {"file": str(file.resolve()), **_weight(members[place])}
        # Beside the recipe, so that the paths of its other members stay right.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".vote-", suffix=".yaml") as plain:
            plain.write(yaml.safe_dump(values, allow_unicode=True))
            plain.flush()
            yield path.parent / Path(plain.name).name


@contextmanager
def _as_before(paths: Sequence[Path]) -> Iterator[None]:
    """Files that hold what they held before when the block ends in an error: another result may need them."""
    with tempfile.TemporaryDirectory(prefix="phalanx-") as aside:
        kept = {path: shutil.copy2(path, aside) for path in paths if path.exists()}
        try:
            yield
        except BaseException:
            for path in paths:
                path.unlink(missing_ok=True)
                if path in kept:
                    shutil.copy2(kept[path], path)
            raise


def _places(values: dict[str, Any], above: str, depth: int = soft_recipe.DEPTH) -> Iterator[tuple[list[Any], int, str]]:
    """Where soft members stand in a vote and the votes within it: the list, the place in it, and a name for both."""
    members = values.get("members")
    if not isinstance(members, list) or not depth:
        return
    for place, member in enumerate(members):
        if _is_soft(member):
            yield members, place, f"{above}{place}"
        elif isinstance(member, dict) and member.get("kind") == "hard":
            yield from _places(member, f"{above}{place}.", depth - 1)


def _is_soft(member: Any) -> bool:
    if isinstance(member, str):
        return member.lower().endswith(_ensembled.YAML)
    return isinstance(member, dict) and ("recipe" in member or member.get("kind") == "soft")


def _files(values: dict[str, Any], folder: Path, depth: int = soft_recipe.DEPTH) -> Iterator[Path]:
    """The files that vote themselves."""
    members = values.get("members")
    for member in members if isinstance(members, list) and depth else []:
        if isinstance(member, dict) and member.get("kind") == "hard":
            yield from _files(member, folder, depth - 1)
        elif not _is_soft(member):
            yield folder / str(member.get("file", "") if isinstance(member, dict) else member)


def _inputs(recipe: SoftRecipe, seen: set[Path]) -> set[Path]:
    """The files and recipes that a soft recipe names, here or in recipes of its own."""
    for member in recipe.members:
        nested: Any = member
        if isinstance(member, soft_recipe.SheetMember):
            seen.add(member.file)
        elif isinstance(member, soft_recipe.FileRecipe) and member.recipe not in seen:
            seen.add(member.recipe)
            nested = soft_recipe.load(member.recipe)
        if isinstance(nested, HardRecipe):
            seen.update(file.file for file in nested.files())
        elif isinstance(nested, SoftRecipe):
            _inputs(nested, seen)
    return seen


def soft_member(member: dict[str, Any] | str, path: Path, dialect: str) -> SoftRecipe:
    """The soft recipe that a member of a vote stands for, in the dialect of the vote.

    Args:
        member: as the vote's recipe says it.
        path: of that recipe.
        dialect: of the vote.

    Raises:
        PhalanxError: it is another file than the one that is meant, no soft recipe, or of another dialect.
    """
    values: Any = member if isinstance(member, str) else {key: member[key] for key in member if key != "weight"}
    if isinstance(values, dict) and "recipe" not in values:
        values.setdefault("dialect", dialect)
    one: Any = soft_recipe.placed(soft_recipe.validated({"members": [values]}, str(path)), path.parent).members[0]
    found = one
    if isinstance(one, soft_recipe.FileRecipe):
        opening.check_file(one.recipe, one.sha256)
        found = soft_recipe.load(one.recipe)
    if not isinstance(found, SoftRecipe):
        raise ConfigError("a vote within a vote is written in place", one.recipe, "write kind: hard, members:")
    if found.dialect != dialect:
        seen = f"{found.dialect} in a vote of {dialect}"
        raise ConfigError("the members of a vote must be of one dialect", seen, "write the vote's in the recipe")
    return found


def _weight(member: dict[str, Any] | str) -> dict[str, Any]:
    return {"weight": member["weight"]} if isinstance(member, dict) and "weight" in member else {}
