"""Soft recipes: a weighted mean and what comes after it, as a YAML file that can be run again.

kind: soft                      # the file's folder is where its members' paths begin
space: logits                   # or probability: what is averaged
dialect: handbone               # how the submission is written
members:
  - {run: ../runs/phantom/unet, weight: 2, temperature: 1.3, sha256: {oof: 5e88..., test: 77ab...}}
  - {store: ../runs/other/test.zarr, sha256: 9f2c...}
  - {file: a.csv, soft: 2.0}    # masks as a member: logit +2 inside, -2 outside
  - {recipe: other.yaml}        # a recipe as a member; one with thresholds or steps, or a vote, needs soft: too
  - {kind: soft, members: [...]}
  - {kind: hard, members: [b.csv, c.csv, d.csv], soft: 1.5}
threshold: 0.5                  # probability
steps: [{name: fill_holes}]     # of every class
classes:
  Pisiform: {weights: [1, 1, 2, 1, 1, 1], threshold: 0.4, steps: [{name: keep_largest}]}
joint: [{name: anatomy}]        # steps that see all classes
scores: [...]                   # what was measured; read by people
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from phalanx.core import catalogue
from phalanx.core.catalogue import Strict
from phalanx.core.errors import ConfigError
from phalanx.ensemble import recipe as recipes
from phalanx.ensemble.recipe import FileMember, HardRecipe, Weight

Step = catalogue.choice("steps")
Probability = Annotated[float, Field(gt=0, lt=1)]
Temperature = Annotated[float, Field(gt=0, le=1000)]
Soft = Annotated[float, Field(gt=0, le=1000)]

_KINDS = ("run", "store", "file", "recipe", "checkpoints")
DEPTH = 16


class RunMember(Strict):
    """A folder with `oof.zarr` and `test.zarr`: one network of a run.

    Args:
        run: path, from the recipe's folder.
        weight: what it counts.
        temperature: what its logits are divided by.
        sha256: of each store's manifest, by `oof` and `test`.
    """

    run: Path
    weight: Weight = Fraction(1)
    temperature: Temperature = 1.0
    sha256: dict[Literal["oof", "test"], str] = {}


class StoreMember(Strict):
    """A prediction store."""

    store: Path
    weight: Weight = Fraction(1)
    temperature: Temperature = 1.0
    sha256: str = ""


class CheckpointsMember(Strict):
    """A network of a run, predicted on the way instead of read from a store.

    Args:
        checkpoints: the folder of the network, with `fold0`, `fold1` ...
        folds: which of them; all when left out.
        sha256: of the manifest of what they predict, by `oof` and `test`.
    """

    checkpoints: Path
    folds: tuple[int, ...] = ()
    weight: Weight = Fraction(1)
    temperature: Temperature = 1.0
    sha256: dict[Literal["oof", "test"], str] = {}


class SheetMember(Strict):
    """A CSV, with the logit that stands for its masks."""

    file: Path
    soft: Soft
    weight: Weight = Fraction(1)
    sha256: str = ""


class FileRecipe(Strict):
    """A recipe in a file of its own."""

    recipe: Path
    weight: Weight = Fraction(1)
    soft: Soft | None = None
    sha256: str = ""


class SoftVote(HardRecipe):
    """A hard vote, with the logit that stands for its masks."""

    soft: Soft


class ClassSettings(Strict):
    """A class with settings of its own; what is left out is as for every class."""

    weights: tuple[Weight, ...] | None = None
    threshold: Probability | None = None
    steps: tuple[Step, ...] | None = None  # type: ignore[valid-type]


class SoftRecipe(Strict):
    """A weighted mean and what comes after it; see the head of this file."""

    kind: Literal["soft"] = "soft"
    space: Literal["logits", "probability"] = "logits"
    dialect: str = "handbone"
    members: tuple[
        RunMember | StoreMember | CheckpointsMember | SheetMember | FileRecipe | SoftVote | SoftRecipe, ...
    ] = Field(min_length=1)
    weight: Weight = Fraction(1)
    soft: Soft | None = None
    threshold: Probability = 0.5
    steps: tuple[Step, ...] = ()  # type: ignore[valid-type]
    classes: dict[str, ClassSettings] = {}
    joint: tuple[Step, ...] = ()  # type: ignore[valid-type]
    scores: list[dict[str, Any]] = []

    @model_validator(mode="before")
    @classmethod
    def _members(cls, values: Any) -> Any:
        """Tell the kinds apart first, so that an error is about the one that was meant."""
        if not isinstance(values, dict) or not isinstance(values.get("members"), (list, tuple)):
            return values
        return {**values, "members": [_member(member, place) for place, member in enumerate(values["members"])]}

    @model_validator(mode="after")
    def _counts(self) -> SoftRecipe:
        common = tuple(member.weight for member in self.members)
        for name, own in {"": ClassSettings(), **self.classes}.items():
            weights = common if own.weights is None else own.weights
            if len(weights) != len(self.members):
                raise ValueError(f"{name}: {len(weights)} weights for {len(self.members)} members")
            if not any(weights):
                raise ValueError(f"{name}: every weight is zero".removeprefix(": "))
        return self


def validated(values: dict[str, Any], source: str) -> SoftRecipe:
    """A soft recipe of plain values.

    Raises:
        ConfigError: naming the key.
    """
    _check_depth(values, DEPTH)
    try:
        return SoftRecipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in _MODELS)
        seen = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{source} makes no ensemble{f', look at {where}' * bool(where)}", seen, "mend it") from None


def load(path: Path) -> SoftRecipe | HardRecipe:
    """Read a recipe of either kind; its members' paths begin at the recipe's folder.

    Raises:
        ConfigError: no such file, not YAML, or a key or value that a recipe does not have.
    """
    values = recipes.mapping(path)
    if values.get("kind", "hard") == "hard":
        return recipes.load(path)
    return placed(validated(values, str(path)), path.parent)


def _check_depth(values: Any, depth: int) -> None:
    """Refuse recipes too deep within recipes; an anchor of YAML can make a circle of them."""
    members = values.get("members") if isinstance(values, dict) and values.get("kind") != "hard" else None
    if not isinstance(members, (list, tuple)):
        return
    if not depth:
        raise ConfigError("recipes lie too deep within recipes", f"more than {DEPTH}", "make it simpler")
    for member in members:
        _check_depth(member, depth - 1)


def placed(recipe: SoftRecipe, folder: Path) -> SoftRecipe:
    """The recipe with its members' paths from here instead of from its folder."""
    members: list[Any] = []
    for member in recipe.members:
        key = next((kind for kind in _KINDS if hasattr(member, kind)), None)
        if isinstance(member, SoftRecipe):
            members.append(placed(member, folder))
        elif isinstance(member, SoftVote):
            members.append(recipes.placed(member, folder))
        else:
            assert key is not None
            members.append(member.model_copy(update={key: folder / getattr(member, key)}))
    return recipe.model_copy(update={"members": tuple(members)})


def _member(value: Any, place: int) -> Any:
    """A member as the class that was meant."""
    if isinstance(value, (str, Path)):
        path = Path(value)
        kind = {".zarr": "store", ".yaml": "recipe", ".yml": "recipe", ".csv": "file"}.get(path.suffix.lower(), "run")
        value = {kind: path}
    if not isinstance(value, dict):
        return value
    kind = next((kind for key, kind in _CHOSEN.items() if key in value), _NESTED.get(str(value.get("kind"))))
    if kind is None:
        needs = f"one of {', '.join(_KINDS)}, or kind: soft or hard"
        raise ValueError(f"member {place + 1} needs {needs}, has {', '.join(map(str, value)) or 'nothing'}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        lines = [
            InitErrorDetails(
                type=PydanticCustomError("member", "{said}", {"said": line["msg"]}),
                loc=("members", place, *line["loc"]),
                input=line["input"],
            )
            for line in error.errors()
        ]
        raise ValidationError.from_exception_data(kind.__name__, lines) from None


_CHOSEN: dict[str, type[Strict]] = {
    "run": RunMember, "store": StoreMember, "checkpoints": CheckpointsMember, "file": SheetMember, "recipe": FileRecipe,
}  # fmt: skip
_NESTED: dict[str, type[Strict]] = {"hard": SoftVote, "soft": SoftRecipe}
_MODELS = {kind.__name__ for kind in (*_CHOSEN.values(), *_NESTED.values(), FileMember, HardRecipe)}
