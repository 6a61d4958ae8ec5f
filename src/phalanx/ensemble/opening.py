"""Opening: a soft recipe's members found, checked against their digests, and put together to a pipeline."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from phalanx.core import files
from phalanx.core.errors import ConfigError, StoreError, SubmissionError
from phalanx.core.labels import LabelSpace
from phalanx.ensemble import pipeline, soft_recipe
from phalanx.ensemble import recipe as recipes
from phalanx.ensemble.members import MaskMember, Member, SheetMasks, StoreMember, VoteMasks
from phalanx.ensemble.nested import BlendMember, PipelineMasks
from phalanx.ensemble.pipeline import Pipeline
from phalanx.ensemble.recipe import HardRecipe
from phalanx.ensemble.soft import Blend
from phalanx.ensemble.soft_recipe import SoftRecipe
from phalanx.ensemble.vote import Poll
from phalanx.mask import dialect as dialects
from phalanx.mask.sheet import Sheet
from phalanx.store.predictions import Store

Part = Literal["oof", "test"]
# What checkpoints have predicted: the folder and the folds, and the digest of each part.
Predicted = Mapping[tuple[Path, tuple[int, ...]], Mapping[Part, str]]

_STEPS = ("steps", "joint")


class Ground(NamedTuple):
    """What all members of an ensemble share.

    Args:
        labels: classes.
        cases: ids.
        size_of: the image size of a case.
    """

    labels: LabelSpace
    cases: Sequence[str]
    size_of: Callable[[str], tuple[int, int]]


class Opener:
    """Finds what recipes name.

    Args:
        part: which store of a run's folder is meant.
        stack: closes the files.
        predict: makes a store of checkpoints; None: there can be none.
    """

    def __init__(
        self, part: Part, stack: ExitStack, predict: Callable[[soft_recipe.CheckpointsMember], Store] | None = None
    ) -> None:
        self.part: Part = part
        self._stack, self._predict = stack, predict
        # Recipes being opened, the outermost first; those in files of their own.
        self._depth, self._trail = 0, list[Path]()
        self.files: list[Path] = []
        self.predicted: dict[tuple[Path, tuple[int, ...]], dict[Part, str]] = {}

    def open(self, recipe: SoftRecipe, parent: Ground | None = None) -> Pipeline:
        """Put a recipe together.

        Args:
            recipe: its paths begin here.
            parent: of the ensemble it is a member of.

        Raises:
            PhalanxError: a member that is missing, changed, or does not fit the others.
        """
        if self._depth == soft_recipe.DEPTH:
            fix = "make it simpler"
            raise ConfigError("recipes lie too deep within recipes", f"more than {soft_recipe.DEPTH}", fix)
        self._depth += 1
        stores = {place: self._store(member) for place, member in enumerate(recipe.members) if _is_stored(member)}
        ground = parent or self._ground(recipe, stores)
        labels = ground.labels
        members = [
            StoreMember(stores[place], labels) if place in stores else self._other(member, recipe, ground)
            for place, member in enumerate(recipe.members)
        ]
        unknown = sorted(set(recipe.classes) - set(labels.scored_names))
        if unknown:
            seen = f"{unknown[0]!r}; there are {', '.join(labels.scored_names[:5])} ..."
            raise ConfigError(
                "the recipe has settings for a class that is not there", seen, "write it as the stores do"
            )
        blend = Blend(
            tuple(members), labels, _weights(recipe, labels),
            tuple(getattr(member, "temperature", 1.0) for member in recipe.members), recipe.space,
        )  # fmt: skip
        own = recipe.classes
        thresholds = pipeline.by_class(
            labels, recipe.threshold, {name: one.threshold for name, one in own.items() if one.threshold is not None}
        )
        steps = pipeline.by_class(
            labels, recipe.steps, {n: one.steps for n, one in own.items() if one.steps is not None}
        )
        self._depth -= 1
        return Pipeline(blend, thresholds, [pipeline.build(row) for row in steps], pipeline.build(recipe.joint))

    def _store(self, member: Any) -> Store:
        if isinstance(member, soft_recipe.CheckpointsMember):
            if self._predict is None:
                raise ConfigError("checkpoints cannot be predicted here", member.checkpoints, "name its stores")
            store = self._predict(member)
            digest = store.digest()
            if member.sha256.get(self.part, digest) != digest:
                fix = "bring the old networks, data and machine back, or take out the sha256 of the recipe"
                raise StoreError("checkpoints predict other than in the recipe", member.checkpoints, fix)
            self.predicted[member.checkpoints, member.folds] = {**member.sha256, self.part: digest}
            return store
        if isinstance(member, soft_recipe.StoreMember):
            return _verified(Store(member.store), member.sha256)
        return _verified(Store(_of_run(member, self.part)), member.sha256.get(self.part, ""))

    def _ground(self, recipe: SoftRecipe, stores: dict[int, Store]) -> Ground:
        """Classes and cases of the whole: those of the first store, here or in a nested recipe."""
        if stores:
            first = next(iter(stores.values()))
            return Ground(first.labels, list(first), _kept(lambda case: first.open(case).geometry.original))
        for member in recipe.members:
            with self._nested(member) as nested:
                if isinstance(nested, SoftRecipe) and not _of_masks(nested):
                    return _ground_of(self.open(nested).blend)
        raise ConfigError(
            "an ensemble of masks alone is a vote", recipe.members[0], "write kind: hard, or use phalanx vote"
        )

    @contextmanager
    def _nested(self, member: Any) -> Iterator[Any]:
        """The recipe that a member stands for, while what it names is opened."""
        if not isinstance(member, soft_recipe.FileRecipe):
            yield member
            return
        self._trail.append(member.recipe.resolve())
        if self._trail.count(self._trail[-1]) > 1:
            raise ConfigError("a recipe is a member of itself", member.recipe, "take it out")
        self.files.append(member.recipe)
        check_file(member.recipe, member.sha256)
        yield soft_recipe.load(member.recipe)
        self._trail.pop()

    def _other(self, member: Any, recipe: SoftRecipe, ground: Ground) -> Member:
        labels, cases, size_of = ground
        name = str(getattr(member, "recipe", "a recipe within the recipe"))
        if isinstance(member, soft_recipe.SheetMember):
            dialect = dialects.named(recipe.dialect)
            self.files.append(member.file)
            digest = check_file(member.file, member.sha256)
            sheet = self._stack.enter_context(Sheet(member.file, dialect))
            return MaskMember(SheetMasks(sheet, digest, labels, cases, size_of), labels, cases, member.soft)
        with self._nested(member) as nested:
            if isinstance(nested, HardRecipe):
                found = VoteMasks(*self._vote(nested), labels, cases, size_of)
                return MaskMember(found, labels, cases, _needed(member, name))
            inner = self.open(nested, ground)
        if inner.bare and member.soft is None:
            return BlendMember(inner.blend, name)
        return MaskMember(PipelineMasks(inner, name), labels, cases, _needed(member, name))

    def _vote(self, recipe: HardRecipe) -> tuple[Poll, str]:
        self.files += [member.file for member in recipe.files()]
        described = _without_paths(recipes.with_digests(recipe, Path()))
        opened = self._stack.enter_context(recipes.opened(recipe, dialects.named(recipe.dialect)))
        return Poll(opened), hashlib.sha256(repr(described).encode()).hexdigest()


def described(recipe: SoftRecipe, folder: Path, predicted: Predicted | None = None) -> dict[str, Any]:
    """The recipe as plain values, its members by digest and by path from `folder`; what `load` reads back.

    Args:
        recipe: its paths begin here.
        folder: where the description will lie.
        predicted: what its checkpoints have predicted; see `Opener.predicted`.

    Raises:
        PhalanxError: a member is not there.
    """
    values = recipe.model_dump(mode="json", exclude={"members"}, exclude_defaults=True)
    for given, place in (
        (recipe, values),
        *((recipe.classes[name], own) for name, own in values.get("classes", {}).items()),
    ):
        # A step's name is a default of its own, and other defaults may change with the version.
        place.update(
            {key: [step.model_dump(mode="json") for step in getattr(given, key)] for key in _STEPS if place.get(key)}
        )
    members = [_described(member, folder, predicted or {}) for member in recipe.members]
    return {"kind": "soft", "space": recipe.space, "dialect": recipe.dialect, "members": members, **values}


def _described(member: Any, folder: Path, predicted: Predicted) -> dict[str, Any]:
    if isinstance(member, soft_recipe.FileRecipe):
        # What it says, with the digests of all that it names: its own alone would not tell when one of them changes.
        check_file(member.recipe, member.sha256)
        nested = soft_recipe.load(member.recipe)
        if isinstance(nested, SoftRecipe):
            own = {"weight": member.weight, "soft": member.soft}
            return described(nested.model_copy(update=own), folder, predicted)
        values = recipes.with_digests(nested.model_copy(update={"weight": member.weight}), folder)
        return {**values, "soft": _needed(member, str(member.recipe))}
    if isinstance(member, SoftRecipe):
        return described(member, folder, predicted)
    if isinstance(member, soft_recipe.SoftVote):
        return {**recipes.with_digests(member, folder), "soft": member.soft}
    values = member.model_dump(mode="json", exclude_defaults=True)
    key = next(key for key in ("run", "store", "checkpoints", "file") if hasattr(member, key))
    values[key] = os.path.relpath(getattr(member, key).resolve(), folder.resolve())
    return values | {"sha256": _digests(member, getattr(member, key), predicted)}


def _digests(member: Any, path: Path, predicted: Predicted) -> str | dict[Part, str]:
    if isinstance(member, soft_recipe.SheetMember):
        return check_file(path, member.sha256)
    if isinstance(member, soft_recipe.StoreMember):
        return Store(path).digest()
    if isinstance(member, soft_recipe.CheckpointsMember):
        return dict(predicted.get((path, member.folds), member.sha256))
    parts: tuple[Part, ...] = ("oof", "test")
    return {part: Store(path / f"{part}.zarr").digest() for part in parts if (path / f"{part}.zarr").is_dir()}


def _weights(recipe: SoftRecipe, labels: LabelSpace) -> tuple[tuple[Any, ...], ...]:
    common = tuple(member.weight for member in recipe.members)
    own = {name: one.weights for name, one in recipe.classes.items() if one.weights is not None}
    if labels.exclusive:
        if own:
            fix = "give one weight a member"
            raise ConfigError("classes that exclude each other have no weights of their own", next(iter(own)), fix)
        return (common,)
    return tuple(own.get(name, common) for name in labels.scored_names)


def _is_stored(member: Any) -> bool:
    return isinstance(member, (soft_recipe.RunMember, soft_recipe.StoreMember, soft_recipe.CheckpointsMember))


def _of_run(member: Any, part: Part) -> Path:
    path = member.run / f"{part}.zarr"
    if not path.is_dir():
        other = "oof" if part == "test" else "test"
        fix = f"say --part {other}" if (member.run / f"{other}.zarr").is_dir() else "finish its run first"
        raise StoreError(f"the member has no {part}.zarr", member.run, fix)
    return path


def _verified(store: Store, wanted: str) -> Store:
    if wanted and store.digest() != wanted:
        fix = "search or write the recipe anew, or bring the old store back"
        raise StoreError("a member is not the store of the recipe", store.path, fix)
    return store


def check_file(path: Path, wanted: str) -> str:
    """The digest of a file.

    Raises:
        SubmissionError: it is not there, or not the one that is wanted.
    """
    if not path.is_file():
        raise SubmissionError("there is no such file", path, "check the name")
    digest = files.digest(path)
    if wanted not in ("", digest):
        fix = "write the recipe anew without its sha256, or bring the old file back"
        raise SubmissionError("a member is not the file of the recipe", path, fix)
    return digest


def _needed(member: Any, name: str) -> float:
    if member.soft is None:
        fix = "give it soft: 2.0, the logit that stands for its masks"
        raise ConfigError("a member with thresholds, steps or votes of its own gives masks", name, fix)
    return float(member.soft)


def _kept(size_of: Callable[[str], tuple[int, int]]) -> Callable[[str], tuple[int, int]]:
    return lru_cache(64)(size_of)


def _ground_of(blend: Blend) -> Ground:
    return Ground(blend.labels, blend.cases, _kept(lambda case: blend.open(case).size))


def _of_masks(recipe: SoftRecipe) -> bool:
    """Whether no store says what classes and cases there are; one in a file of its own is looked into later."""
    masks = (soft_recipe.SheetMember, soft_recipe.SoftVote)
    return all(
        isinstance(member, masks) or (isinstance(member, SoftRecipe) and _of_masks(member)) for member in recipe.members
    )


def _without_paths(described: dict[str, Any]) -> dict[str, Any]:
    """A vote by the digests of its files, wherever they lie."""
    members = [_without_paths(member) for member in described.get("members", [])]
    return {**{key: value for key, value in described.items() if key != "file"}, "members": members}
