"""What `phalanx store` says of a whole store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from phalanx.core.progress import track
from phalanx.store import contents
from phalanx.store.predictions import Store

# Classes and sizes that are named; the rest is counted.
_CLASSES, _SIZES = 40, 5


def facts(store: Store) -> Table:
    """What the store holds, a line a fact."""
    entries = list(track(contents.entries(store), "reading", len(store)))
    held, plain = contents.on_disk(store.path), sum(entry.plain for entry in entries)
    names, kind = store.labels.names, "one a pixel" if store.labels.exclusive else "may overlap"
    listed = ", ".join(names[:_CLASSES]) + f" and {len(names) - _CLASSES} more" * (len(names) > _CLASSES)
    values = {
        "store": str(store.path),
        "predicts": _predicts(store.attributes),
        "cases": f"{len(entries):,}",
        "classes": f"{len(names)} ({kind}): {listed}",
        "network size": _sizes(Counter(entry.shape[1:] for entry in entries)),
        "image sizes": _sizes(Counter(entry.geometry.original for entry in entries)),
        "logits": _dtype(store.attributes),
        "on disk": f"{_bytes(held)}, {_bytes(held / max(len(entries), 1))} a case, {_smaller(plain, held)}",
        **_configuration(store.attributes),
        "digest": store.digest(),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, Text(value))
    return table


def cases(store: Store) -> Iterator[str]:
    """A line a case; the id stands last and is never cut, so that it can be copied."""
    yield f"{'image':>13}  {'network':>13}  {'on disk':>9}  {'smaller':>7}  case"
    for entry in contents.entries(store):
        sizes = f"{_size(entry.geometry.original):>13}  {_size(entry.shape[1:]):>13}  {_bytes(entry.stored):>9}"
        yield f"{sizes}  {f'{entry.plain / max(entry.stored, 1):.0f}x':>7}  {plain(entry.case)}"


def plain(case: str) -> str:
    """An id on one line, whatever it holds."""
    return case if case.isprintable() else repr(case)


def _predicts(attributes: Mapping[str, Any]) -> str:
    parts = [str(attributes.get("kind") or "not told")]
    if attributes.get("member"):
        parts.append(f"member {attributes['member']}")
    folds = attributes.get("folds")
    if isinstance(folds, list) and folds:
        parts.append(f"folds {', '.join(map(str, folds))}")
    if attributes.get("phalanx"):
        parts.append(f"by Phalanx {attributes['phalanx']}")
    return ", ".join(parts)


def _configuration(attributes: Mapping[str, Any]) -> dict[str, str]:
    """The configuration that the store came from, as far as it is told."""
    config = attributes.get("config")
    told = {
        "run": _words(config, "run", "seed"),
        "data": _words(config, "data.dataset.name", "data.dataset.root", "data.fit", "data.limit"),
        "network": _words(config, "model.name", "model.encoder", "model.weights", "method.name"),
        "training": _words(config, "train.epochs", "train.batch_size", "train.optimiser.name", "train.optimiser.lr"),
        "prediction": _words(config, "predict.flips"),
    }
    return {name: text for name, text in told.items() if text}


def _words(config: Any, *keys: str) -> str:
    """`unet, encoder resnet18` of `model.name` and `model.encoder`; what is not told is left out."""
    words = []
    for key in keys:
        value: Any = config
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        last = key.rsplit(".", 1)[-1].replace("_", " ")
        if value not in (None, "", [], {}):
            words.append(str(value) if last in ("name", "run") else f"{last} {value}")
    return ", ".join(words)


def _dtype(attributes: Mapping[str, Any]) -> str:
    if attributes.get("dtype") != "int8":
        return str(attributes.get("dtype"))
    levels, clip = attributes.get("levels", "?"), attributes.get("clip", "?")
    return f"int8, {levels:g} levels a unit, clipped at {clip:g}"


def _sizes(counts: Counter[tuple[int, ...]]) -> str:
    common = counts.most_common()
    if len(common) == 1:
        return _size(common[0][0])
    listed = ", ".join(f"{_size(size)} ({count})" for size, count in common[:_SIZES])
    return listed + f" and {len(common) - _SIZES} more" * (len(common) > _SIZES)


def _size(size: tuple[int, ...]) -> str:
    return f"{size[0]} x {size[1]}"


def _smaller(plain: float, held: float) -> str:
    return f"{plain / held:.0f} times smaller than float32 ({_bytes(plain)})" if held else "empty"


def _bytes(amount: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3g} GB" if amount < 1000 else f"{amount:,.0f} GB"
