"""Space: what a study searches, held against the experiment's schema before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from phalanx.commands._experiment import Experiment
from phalanx.commands._study import StudyConfig
from phalanx.core import catalogue, config
from phalanx.core.errors import ConfigError

# What trials are measured on, and what makes one luckier than another, is no parameter.
_FIXED = (
    "run", "runs", "members", "submit", "data.dataset", "data.folds", "data.limit", "data.cache", "data.unreadable",
    "train.workers",
)  # fmt: skip


class Space:
    """The keys of a study over what it starts from.

    Args:
        study: its configuration.
        schema: what judges a trial: `Experiment` or `Postprocess`.
        start: the unchanged configuration as plain data.

    Raises:
        ConfigError: a key that must not be tuned, or one that waits for itself.
    """

    def __init__(self, study: StudyConfig, schema: type[BaseModel], start: dict[str, Any]) -> None:
        self.axes, self.schema, self.start = study.space, schema, start
        for key in self.axes:
            if key.split(".")[-1] == "seed":
                fix = "remove it; a study repeats the unchanged configuration with several seeds (repeats: 3) instead"
                raise ConfigError("a seed is no parameter: tuning it picks the luckiest trial", key, fix)
            if schema is Experiment and any(key == fixed or key.startswith(f"{fixed}.") for fixed in _FIXED):
                raise ConfigError("this key decides what trials are measured on", key, "give it on the command line")
        self.order = self._ordered()

    def check(self) -> None:
        """Hold the experiment against its schema at each low, high and choice.

        Raises:
            ConfigError: naming the key, and the nearest valid one.
        """
        for key in self.order:
            for label in self.axes[key].ends:
                labels = self._reached(key) | {key: label}
                try:
                    self._judge(self.values(labels))
                except ConfigError as error:
                    said = f"{error.wrong}: {error.seen}" if error.seen else error.wrong
                    raise ConfigError(f"the study's {key}={label} does not fit", said, error.fix) from None

    def active(self, key: str, labels: Mapping[str, Any]) -> bool:
        """Whether a key matters when the others have these labels."""
        for other, wanted in self.axes[key].when.items():
            if other in self.axes and other not in labels:
                return False
            seen = labels[other] if other in self.axes else at(self.start, other)
            if seen not in (wanted if isinstance(wanted, list | tuple) else [wanted]):
                return False
        return True

    def values(self, labels: Mapping[str, Any]) -> dict[str, Any]:
        """The whole configuration with these suggestions."""
        found = self.start
        for key in self.order:
            if key in labels:
                found = put(self.schema, found, key.split("."), self.axes[key].value(labels[key]))
        return found

    def defaults(self) -> dict[str, Any]:
        """What the unchanged configuration has in place of each key; for choices with labels, the value."""
        return {key: at(self.start, key) for key in self.order}

    def _judge(self, values: dict[str, Any]) -> None:
        config.validate(self.schema, values)
        if self.schema is Experiment and any(key.startswith("views.") for key in self.axes):
            from phalanx.data.views import Views

            views = values["views"]
            Views(views["train"], views["mean"], views["std"])
            Views(views["evaluate"], views["mean"], views["std"], section="views.evaluate", geometric=False)

    def _reached(self, key: str) -> dict[str, Any]:
        """Labels of other keys with which this one matters."""
        found: dict[str, Any] = {}
        for other, wanted in self.axes[key].when.items():
            if other in self.axes:
                first = wanted[0] if isinstance(wanted, list | tuple) else wanted
                found |= self._reached(other) | {other: first}
        return found

    def _ordered(self) -> list[str]:
        """Keys, those that others wait for first."""
        done: list[str] = []
        waiting = dict(self.axes)
        while waiting:
            ready = [key for key, axis in waiting.items() if not set(axis.when) & set(waiting)]
            if not ready:
                raise ConfigError("keys of the study wait for each other", ", ".join(waiting), "mend their when:")
            done += ready
            waiting = {key: axis for key, axis in waiting.items() if key not in ready}
        for key in done:
            self._check_when(key)
        return done

    def _check_when(self, key: str) -> None:
        for other, wanted in self.axes[key].when.items():
            if other not in self.axes:
                if at(self.start, other) is None:
                    hint = catalogue.nearest(other, list(self.axes))
                    raise ConfigError(f"{key} waits for a key that nobody has", other, hint)
                continue
            axis = self.axes[other]
            for label in wanted if isinstance(wanted, list | tuple) else [wanted]:
                if axis.choices is not None and label not in axis.labels:
                    hint = catalogue.nearest(str(label), [str(one) for one in axis.labels])
                    raise ConfigError(f"{key} waits for a choice that {other} does not have", label, hint)


def at(values: Any, key: str) -> Any:
    """What stands at a dotted key; None where there is nothing."""
    for part in key.split("."):
        if isinstance(values, dict):
            values = values.get(part)
        elif isinstance(values, list) and part.isdigit() and int(part) < len(values):
            values = values[int(part)]
        else:
            return None
    return values


def put(schema: type[BaseModel], values: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """A copy of `values` with another value at `path`.

    A changed `name:` keeps those keys of its mapping that the new entry knows as well and forgets the others.
    """

    def walk(now: Any, place: int) -> Any:
        part, is_last = path[place], place + 1 == len(path)
        if isinstance(now, list):
            if not part.isdigit() or int(part) >= len(now):
                fix = f"{'.'.join(path[:place])} has {len(now)} entries, counted from 0"
                raise ConfigError("no such place in a list", ".".join(path), fix)
            index = int(part)
            inner = _laid(now[index], value) if is_last else walk(now[index], place + 1)
            return [*now[:index], inner, *now[index + 1 :]]
        now = now if isinstance(now, dict) else {}
        if not is_last:
            return {**now, part: walk(now.get(part), place + 1)}
        if part == "name" and now.get("name") not in (None, value):
            valid = config.keys_at(schema, tuple(path[:-1]), _renamed(values, path[:-1], value))
            return {"name": value} | {key: kept for key, kept in now.items() if key in valid and key != "name"}
        return {**now, part: _laid(now.get(part), value)}

    return walk(values, 0)


def _laid(now: Any, value: Any) -> Any:
    """A mapping is laid over the one that stands there, unless it is an entry of another name."""
    if not (isinstance(now, dict) and isinstance(value, dict)):
        return value
    same = value.get("name", now.get("name")) == now.get("name")
    return config.merge(now, value) if same else value


def _renamed(whole: Any, above: list[str], name: Any) -> Any:
    """`whole` with another `name:` in the mapping at `above`, for whoever looks up its schema."""
    if not above:
        return {**whole, "name": name}
    if isinstance(whole, dict):
        return {**whole, above[0]: _renamed(whole.get(above[0]), above[1:], name)}
    return whole


def lines(space: Space) -> Iterator[tuple[str, str, str, str]]:
    """Key, values, the experiment's own value, and the condition of each axis."""
    own = space.defaults()
    for key in space.order:
        axis = space.axes[key]
        when = ", ".join(f"{other}={wanted}" for other, wanted in axis.when.items())
        yield key, str(axis), "" if isinstance(own[key], dict | list) else str(own[key]), when
