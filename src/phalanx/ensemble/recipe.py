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

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from phalanx.core import files
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


def _written(number: Fraction) -> int | float | str:
    """The number as YAML shows it best; reads back as the same fraction."""
    if number.denominator == 1:
        return int(number)
    return float(number) if Fraction(str(float(number))) == number else str(number)


Weight = Annotated[Fraction, BeforeValidator(fraction), PlainSerializer(_written)]
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
    """Read a recipe; members' paths are made absolute or relative to here.

    Raises:
        ConfigError: no such file, not YAML, or a key or value that a recipe does not have.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("the recipe cannot be read", f"{path} ({error.strerror})", "check the name") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        seen = f"{path} ({' '.join(str(error).split())[:120]})"
        raise ConfigError("the recipe is not YAML", seen, "mend the line") from error
    if not isinstance(values, dict):
        raise ConfigError("the recipe is not a mapping", path, "see the head of phalanx/ensemble/recipe.py")
    try:
        return _placed(HardRecipe.model_validate(values), path.parent, _DEPTH)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("FileMember", "HardRecipe"))
        seen = f"{path}: {first['msg'].removeprefix('Value error, ')}"
        raise ConfigError(f"the recipe does not hold: {where or 'members'}", seen, "mend it") from None


def _placed(recipe: HardRecipe, folder: Path, depth: int) -> HardRecipe:
    if not depth:
        raise ConfigError("votes lie too deep within votes", f"more than {_DEPTH}", "make it simpler")
    members = tuple(
        member.model_copy(update={"file": folder / member.file})
        if isinstance(member, FileMember)
        else _placed(member, folder, depth - 1)
        for member in recipe.members
    )
    return recipe.model_copy(update={"members": members})


def open_vote(recipe: HardRecipe, dialect: Dialect) -> Vote:
    """The vote of a recipe, its files opened and indexed.

    Raises:
        SubmissionError: a file that cannot be read, or is another than the recipe says.
    """
    members: list[Sheet | Vote] = []
    for member in recipe.members:
        if isinstance(member, HardRecipe):
            members.append(open_vote(member, dialect))
            continue
        if member.sha256 and member.file.is_file() and (seen := files.digest(member.file)) != member.sha256:
            fix = "vote anew, or bring the old file back"
            raise SubmissionError("a member is not the file of the recipe", f"{member.file} ({seen[:12]}...)", fix)
        members.append(Sheet(member.file, dialect))
    return Vote(members, *recipe.rules())


def with_digests(recipe: HardRecipe, folder: Path) -> dict[str, Any]:
    """The recipe as plain values, its files by digest and by path from `folder`; what `load` reads back."""
    members: list[Any] = []
    for member in recipe.members:
        if isinstance(member, HardRecipe):
            members.append(with_digests(member, folder))
        else:
            path = Path(member.file).resolve()
            near = path.relative_to(folder.resolve(), walk_up=True) if hasattr(path, "walk_up") else _near(path, folder)
            written = {"file": str(near), "weight": _written(member.weight), "sha256": files.digest(member.file)}
            members.append(written)
    values = recipe.model_dump(mode="json", exclude={"members"}, exclude_defaults=True)
    return {"kind": "hard", "dialect": recipe.dialect, **values, "members": members}


def _near(path: Path, folder: Path) -> Path:
    import os

    return Path(os.path.relpath(path, folder.resolve()))
