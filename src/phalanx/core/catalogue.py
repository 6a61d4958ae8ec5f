"""Catalogues: rooms whose files are entries, found by name and never listed.

To add an entry, add a file: `models/unet.py` holds one public class with a nested `Config`; the configuration picks it
by the file's name (`name: unet`). A name is looked up among the files of the room, so a configuration cannot reach any
other code.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, SerializeAsAny
from pydantic_core import PydanticCustomError

from phalanx.core.errors import ConfigError

ROOMS = ("datasets", "models", "losses", "metrics", "methods", "steps")


class Strict(BaseModel):
    """Base of every `Config`: unknown keys are refused, values are frozen once validated."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


@dataclass(frozen=True)
class Room:
    """Marks a field as chosen from a catalogue, for whoever explains an error in it."""

    room: str


@cache
def names(room: str) -> tuple[str, ...]:
    """Entries of a room, sorted: its files, those with a leading underscore apart."""
    folder = Path(__file__).parents[1] / room
    return tuple(sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")))


def nearest(word: str, choices: tuple[str, ...] | list[str]) -> str:
    """A hint for a misspelt word: the closest choices, or all of them when none is close."""
    close = difflib.get_close_matches(word, choices, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"choose one of {', '.join(choices)}"


@cache
def entry(room: str, name: str) -> type[Any]:
    """The class of an entry.

    Raises:
        ConfigError: the room has no entry of that name.
    """
    if name not in names(room):
        raise ConfigError(f"no entry of {room}/ has this name", name, nearest(name, names(room)))
    module = importlib.import_module(f"phalanx.{room}.{name}")
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and "Config" in vars(value)
    ]
    assert len(classes) == 1, f"{module.__name__} must hold one class with a nested Config, has {classes}"
    return classes[0]


def build(room: str, config: Strict, *arguments: Any, **keywords: Any) -> Any:
    """Construct the entry a validated `Config` belongs to: `Entry(config, *arguments, **keywords)`."""
    return entry(room, config.name)(config, *arguments, **keywords)  # type: ignore[attr-defined]


def choice(room: str) -> Any:
    """A Pydantic field type: a mapping with `name:` becomes the `Config` of that entry of the room."""

    def validate(value: Any) -> Strict:
        if isinstance(value, Strict):
            return value
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise PydanticCustomError(
                "catalogue_name", "{hint}", {"hint": f"a 'name:' is needed; choose one of {', '.join(names(room))}"}
            )
        name = value["name"]
        if name not in names(room):
            hint = f"no entry of {room}/ is called {name!r}; {nearest(name, names(room))}"
            raise PydanticCustomError("catalogue_name", "{hint}", {"hint": hint})
        return entry(room, name).Config.model_validate(value)

    # Pydantic merges a nested ValidationError into the outer one, with the full key.
    return Annotated[SerializeAsAny[Strict], BeforeValidator(validate), Room(room)]
