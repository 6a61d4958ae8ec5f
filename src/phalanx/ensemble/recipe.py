"""Recipes: an ensemble as a YAML file that can be run again.

kind: hard                      # a vote; the file's folder is where its members' paths begin
dialect: handbone
members:
  - fold0.csv                   # weight 1
  - {file: fold1.csv, weight: 2, sha256: 5e88...}
  - kind: hard                  # a vote within the vote
    members: [a.csv, b.csv, c.csv]
    threshold: 1/3
threshold: 0.5                  # share of all weight that must be exceeded
ties: drop                      # or keep: exactly the threshold is enough
classes:
  Pisiform: {weights: [1, 1, 2], threshold: 0.4}
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from phalanx.core import files, parallel
from phalanx.core.catalogue import Strict
from phalanx.core.errors import ConfigError, SubmissionError
from phalanx.ensemble.vote import Rule, Ties, Vote
from phalanx.mask.dialect import Dialect
from phalanx.mask.sheet import Sheet

_LARGEST = 10**9
_DEPTH = 16


def fraction(value: Any) -> Fraction:
    """A number as it is written: `0.1` is one tenth, `1/3` a third.

    Raises:
        ValueError: not a finite number between 0 and 10^9.
    """
    try:
        number = Fraction(str(value).strip())
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is not a number such as 2, 0.5 or 1/3") from None
    if isinstance(value, bool) or not 0 <= number <= _LARGEST or number.denominator > _LARGEST:
        raise ValueError(f"{value!r} is not a number from 0 to {_LARGEST}")
    return number


def written(number: Fraction) -> int | float | str:
    """The number as YAML shows it best; reads back as the same fraction."""
    if number.denominator == 1:
        return int(number)
    return float(number) if Fraction(str(float(number))) == number else str(number)


Weight = Annotated[Fraction, BeforeValidator(fraction), PlainSerializer(written)]
Share = Annotated[Weight, Field(ge=0, lt=1)]


class FileMember(Strict):
    """A CSV that votes.

    Args:
        file: path, from the recipe's folder.
        weight: what its vote counts.
        sha256: what the file must be; empty: any.
    """

    file: Path
    weight: Weight = Fraction(1)
    sha256: str = ""


class ClassRule(Strict):
    """A class with rules of its own; what is left out is as for every class."""

    weights: tuple[Weight, ...] | None = None
    threshold: Share | None = None
    ties: Ties | None = None


class HardRecipe(Strict):
    """A vote.

    Args:
        kind: `hard`.
        dialect: how the members are written, and the result.
        members: files, or votes within the vote.
        weight: what this vote counts within another.
        threshold: share of all weight that must be exceeded.
        ties: whether exactly the threshold is enough.
        classes: rules of their own, by class.
    """

    kind: Literal["hard"] = "hard"
    dialect: str = "handbone"
    members: tuple[FileMember | HardRecipe, ...] = Field(min_length=1)
    weight: Weight = Fraction(1)
    threshold: Share = Fraction(1, 2)
    ties: Ties = "drop"
    classes: dict[str, ClassRule] = {}

    @model_validator(mode="before")
    @classmethod
    def _paths(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("members"), list):
            named = [{"file": item} if isinstance(item, str) else item for item in values["members"]]
            return {**values, "members": named}
        return values

    @model_validator(mode="after")
    def _counts(self) -> HardRecipe:
        for name, rule in {"": ClassRule(weights=self.weights), **self.classes}.items():
            weights = self.weights if rule.weights is None else rule.weights
            if len(weights) != len(self.members):
                raise ValueError(f"{name}: {len(weights)} weights for {len(self.members)} members")
            if not any(weights):
                raise ValueError(f"{name}: every weight is zero" if name else "every weight is zero")
        return self

    @property
    def weights(self) -> tuple[Fraction, ...]:
        """One a member."""
        return tuple(member.weight for member in self.members)

    def rules(self) -> tuple[Rule, dict[str, Rule]]:
        """The rule of every class, and those of some."""
        own = {
            name: Rule(
                self.weights if rule.weights is None else rule.weights,
                self.threshold if rule.threshold is None else rule.threshold,
                self.ties if rule.ties is None else rule.ties,
            )
            for name, rule in self.classes.items()
        }
        return Rule(self.weights, self.threshold, self.ties), own

    def files(self) -> list[FileMember]:
        """Every file below, in order."""
        nested = [[member] if isinstance(member, FileMember) else member.files() for member in self.members]
        return [found for part in nested for found in part]


def load(path: Path) -> HardRecipe:
    """Read a recipe; its members' paths begin at the recipe's folder.

    Raises:
        ConfigError: no such file, not YAML, or a key or value that a recipe does not have.
    """
    return placed(_validated(mapping(path), str(path)), path.parent)


def load_weights(path: Path) -> dict[str, Any]:
    """Read `weights:` (one a member) and `classes:` from a YAML that holds nothing else.

    Raises:
        ConfigError: no such file, not YAML, or other keys.
    """
    values = mapping(path)
    strange = sorted(set(map(str, values)) - {"weights", "classes"})
    if strange or not values:
        raise ConfigError("a file of weights holds `weights:` and `classes:`", strange or "nothing", "mend the file")
    return values


def made(values: dict[str, Any], given: dict[str, Any]) -> HardRecipe:
    """A recipe of `members` and other keys, with what the command line gives on top.

    Args:
        values: keys of a recipe.
        given: keys of a recipe that win, and `weights`, one a member.

    Raises:
        ConfigError: a value that a recipe does not take.
    """
    members = [member if isinstance(member, dict) else member.model_dump() for member in values["members"]]
    weights = given.get("weights")
    if weights is not None:
        if not isinstance(weights, list) or len(weights) != len(members):
            seen = f"{len(weights) if isinstance(weights, list) else weights!r} for {len(members)} members"
            raise ConfigError("there must be one weight a member", seen, "write --weights 2,1,1 for three")
        members = [{**member, "weight": weight} for member, weight in zip(members, weights, strict=True)]
    others = {name: value for name, value in given.items() if name != "weights"}
    return _validated({**values, **others, "members": members}, "the command line")


def mapping(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        ConfigError: no such file, not YAML, or no mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("the recipe cannot be read", f"{path} ({error.strerror})", "check the name") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        seen = f"{path} ({' '.join(str(error).split())[:120]})"
        raise ConfigError("the recipe is not YAML", seen, "mend the line") from error
    if not isinstance(values, dict):
        raise ConfigError("the recipe is not a mapping", path, "write `members:` and a list of files")
    return values


def _validated(values: dict[str, Any], source: str) -> HardRecipe:
    try:
        return HardRecipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("FileMember", "HardRecipe"))
        seen = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{source} makes no vote{f', look at {where}' * bool(where)}", seen, "mend it") from None


def placed(recipe: HardRecipe, folder: Path, depth: int = _DEPTH) -> HardRecipe:
    """The recipe with its members' paths from here instead of from its folder.

    Raises:
        ConfigError: votes too deep within votes.
    """
    if not depth:
        raise ConfigError("votes lie too deep within votes", f"more than {_DEPTH}", "make it simpler")
    members = tuple(
        member.model_copy(update={"file": folder / member.file})
        if isinstance(member, FileMember)
        else placed(member, folder, depth - 1)
        for member in recipe.members
    )
    return recipe.model_copy(update={"members": members})


@contextmanager
def opened(recipe: HardRecipe, dialect: Dialect) -> Iterator[Vote]:
    """The vote of a recipe, its files indexed, and open while the block lasts.

    Raises:
        SubmissionError: a file that cannot be read.
    """
    with ExitStack() as stack:
        yield _opened(recipe, dialect, stack)


def _opened(recipe: HardRecipe, dialect: Dialect, stack: ExitStack) -> Vote:
    members = [
        _opened(member, dialect, stack)
        if isinstance(member, HardRecipe)
        else stack.enter_context(Sheet(member.file, dialect))
        for member in recipe.members
    ]
    return Vote(members, *recipe.rules())


def check_files(recipe: HardRecipe) -> None:
    """Refuse a recipe whose files are not all there.

    Raises:
        SubmissionError: naming the first that is not.
    """
    for member in recipe.files():
        if not member.file.is_file():
            raise SubmissionError("there is no such file", member.file, "check the name")


def with_digests(recipe: HardRecipe, folder: Path) -> dict[str, Any]:
    """The recipe as plain values, its files by digest and by path from `folder`; what `load` reads back.

    Raises:
        SubmissionError: a file is not there, or not the one whose digest the recipe holds.
    """
    check_files(recipe)
    paths = [member.file for member in recipe.files()]
    digests = dict(zip(paths, parallel.ordered(files.digest, paths), strict=True))
    for member in recipe.files():
        if member.sha256 not in ("", digests[member.file]):
            fix = "vote anew without its sha256, or bring the old file back"
            raise SubmissionError("a member is not the file of the recipe", member.file, fix)
    return _described(recipe, folder, digests)


def _described(recipe: HardRecipe, folder: Path, digests: dict[Path, str]) -> dict[str, Any]:
    members: list[Any] = []
    for member in recipe.members:
        if isinstance(member, HardRecipe):
            members.append(_described(member, folder, digests))
        else:
            near = os.path.relpath(member.file.resolve(), folder.resolve())
            members.append({"file": near, "weight": written(member.weight), "sha256": digests[member.file]})
    values = recipe.model_dump(mode="json", exclude={"members"}, exclude_defaults=True)
    return {"kind": "hard", "dialect": recipe.dialect, **values, "members": members}
