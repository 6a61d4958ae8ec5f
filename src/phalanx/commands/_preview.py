"""Preview: what the network will be shown, as a picture, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from phalanx.commands import _cases, _experiment
from phalanx.commands._experiment import Experiment
from phalanx.commands._run_folder import LOG
from phalanx.core import catalogue
from phalanx.core.case import Batch, Case, Dataset
from phalanx.core.errors import DataError
from phalanx.core.labels import LabelSpace
from phalanx.data.cache import Item
from phalanx.data.loader import CaseDataset
from phalanx.data.mixed import MixedCases
from phalanx.data.views import Views
from phalanx.view import sheet

# Cases of a sheet, a row each, and how often each is drawn.
_ROWS, _DRAWS = 4, 5


def write(experiment: Experiment) -> list[Path]:
    """Write `preview.png` into the run's folder: some cases, each as it is and as training will show it.

    Members that are shown the same share a sheet.

    Raises:
        PhalanxError: the data set or the views are at fault.
    """
    dataset: Dataset = catalogue.build("datasets", experiment.data.dataset).read()
    if not dataset.train:
        raise DataError("no labelled case to show", experiment.data.dataset.name, "run phalanx check on the data set")
    folder, written = experiment.runs / experiment.run, []
    sheets = _different(experiment)
    for name, member in sheets.items():
        path = folder / (f"preview_{name}.png" if len(sheets) > 1 else "preview.png")
        sheet.write(path, _draw(member, dataset, f"{experiment.run} {name}" if len(sheets) > 1 else experiment.run))
        LOG.info("Look at %s", path)
        written.append(path)
    return written


def _different(experiment: Experiment) -> dict[str, Experiment]:
    """Members whose networks are shown something different, the first of each kind."""
    found: dict[str, tuple[str, Experiment]] = {}
    for name, member in _experiment.members(experiment).items():
        shown = [member.views.model_dump(), member.data.model_dump(), getattr(member.model, "channels", 3)]
        found.setdefault(repr(shown), (name, member))
    return dict(found.values())


def _draw(member: Experiment, dataset: Dataset, title: str) -> np.ndarray:
    views, labels = member.views, dataset.labels
    if member.data.mirror is not None:
        member.data.mirror.check(dataset.train)
    cache = _cases.cache_of(member, labels)
    cases = []
    for case in _spread(dataset.train):
        try:
            cache.item(case)
        except DataError:
            if member.data.unreadable != "skip":
                raise
            continue
        cases.append(case)
        if len(cases) == _ROWS:
            break
    training = Views(views.train, views.mean, views.std)
    data = CaseDataset(cases, cache, training, labels, member.seed, window=member.data.window)
    mixed = MixedCases(data, views, labels)
    batches = [mixed.__getitems__([(draw, place) for place in range(len(cases))]) for draw in range(_DRAWS)]
    rows = []
    for place, case in enumerate(cases):
        item = data.item(place)
        first = item.image[..., 0] if item.image.shape[2] == 1 else item.image
        size = "x".join(map(str, item.geometry.original))
        mirrored = ", mirrored" if item.geometry.mirrored else ""
        tiles = [sheet.Tile(sheet.stretched(first, first), _masks(item, labels), caption=f"as it is{mirrored}")]
        tiles += [_tile(batch, place, first, labels, views) for batch in batches]
        rows.append((f"{case.id}   {size}", tiles))
    return sheet.draw(f"{title}: what the network is shown", rows, list(_notes(member)), labels)


def _spread(cases: Sequence[Case]) -> Iterator[Case]:
    """All cases, the first few far apart in their order."""
    ordered = sorted(cases, key=lambda case: case.id)
    first = np.linspace(0, len(ordered) - 1, min(_ROWS, len(ordered))).astype(int).tolist()
    for place in [*first, *(place for place in range(len(ordered)) if place not in set(first))]:
        yield ordered[place]


def _tile(batch: Batch, place: int, first: np.ndarray, labels: LabelSpace, views: Any) -> sheet.Tile:
    """One image of a batch as a picture."""
    shown = batch.x[place].numpy() * np.reshape(views.std, (-1, 1, 1)) + np.reshape(views.mean, (-1, 1, 1))
    image = np.clip(np.rint(shown * 255), 0, 255).astype(np.uint8)
    image = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
    caption = f"{image.shape[0]}x{image.shape[1]}"
    faint: Mapping[str, np.ndarray] = {}
    masks = _planes(batch.y[place], labels)
    if batch.other is not None:
        faint = _planes(batch.other[place], labels)
        masks, faint = (masks, faint) if batch.share >= 0.5 else (faint, masks)
        caption += f"   mixup {batch.share:.2f}"
    return sheet.Tile(sheet.stretched(image, first), masks, faint, caption)


def _masks(item: Item, labels: LabelSpace) -> dict[str, np.ndarray]:
    return {name: mask > 0 for name, mask in zip(labels.scored_names, item.masks().transpose(2, 0, 1), strict=True)}


def _planes(target: Tensor, labels: LabelSpace) -> dict[str, np.ndarray]:
    """Masks of one image's labels, those that are not empty."""
    planes = labels.planes(labels.unpack(target[None]))[0].numpy() > 0
    return {labels.names[channel]: planes[channel] for channel in labels.scored if planes[channel].any()}


def _notes(member: Experiment) -> Iterator[str]:
    """The settings, a line each."""
    views, data = member.views, member.data
    yield f"data: size {data.size[0]}x{data.size[1]}, {data.fit}" + (
        f", {data.mirror.column} {data.mirror.value} mirrored" if data.mirror else ""
    )
    if data.window is not None:
        yield f"data.window: {_said(data.window.model_dump())}"
    for item in views.prepare:
        yield f"views.prepare: {_said(item)}"
    for item in views.train:
        yield f"views.train: {_said(item)}"
    for name in ("copy_paste", "cutmix", "mixup"):
        if (part := getattr(views, name)) is not None:
            yield f"views.{name}: {_said(part.model_dump())}"
    if views.multi_scale:
        yield f"views.multi_scale: {views.multi_scale[0]:g} to {views.multi_scale[1]:g}"
    yield f"mean {', '.join(map(str, views.mean))}; std {', '.join(map(str, views.std))}"


def _said(item: Mapping[str, Any]) -> str:
    """A transform and its arguments in words."""
    parts = [str(item["name"])] if "name" in item else []
    for key, value in item.items():
        if key == "transforms":
            parts.append(f"[{'; '.join(map(_said, value))}]")
        elif key != "name" and value not in ((), []):
            parts.append(f"{key} {_value(value)}")
    return ", ".join(parts)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(inner)}" for key, inner in value.items())
    return " to ".join(map(str, value)) if isinstance(value, list | tuple) and len(value) == 2 else str(value)
