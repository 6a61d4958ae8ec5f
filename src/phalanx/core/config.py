"""Configuration: YAML files extend each other, the command line has the last word, Pydantic judges the sum.

`config=NAME` loads `configs/NAME.yaml`; `base:` names the file or files it extends; `key=value` overrides come last.
A configuration holds names and values only, so a stranger's file cannot run code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError
from yaml import YAMLError

from phalanx.core import catalogue
from phalanx.core.errors import ConfigError

Schema = TypeVar("Schema", bound=BaseModel)


def available(folder: Path) -> dict[str, str]:
    """Experiments of a configuration folder: name -> first line of its header comment."""
    found = {}
    for file in sorted(folder.glob("*.yaml")):
        first = file.read_text(encoding="utf-8").split("\n", 1)[0]
        found[file.stem] = first.lstrip("# ").strip() if first.startswith("#") else ""
    return found


def load(folder: Path, name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Merge `folder/name.yaml`, what it extends, and `key=value` overrides.

    Raises:
        ConfigError: no such file, malformed YAML, a circular `base:`, an override without `=`.
    """
    merged = _read(folder, name, ())
    for text in overrides:
        key, equals, _ = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError("an override must read key=value", text, "write for example train.epochs=20")
        try:
            merged = OmegaConf.merge(merged, OmegaConf.from_dotlist([text]))
        except (OmegaConfBaseException, YAMLError, AttributeError, TypeError, ValueError) as error:
            raise ConfigError(
                "an override cannot be applied", f"{text} ({_first(error)})", "check the key and the value"
            ) from None
    try:
        return OmegaConf.to_container(merged, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise ConfigError(
            "a configuration value cannot be resolved", _first(error), f"mend configs/{name}.yaml"
        ) from None


def merge(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with `changes` laid over it, mapping by mapping. A changed `name:` starts its mapping afresh."""
    merged = dict(values)
    for key, change in changes.items():
        present = merged.get(key)
        renamed = isinstance(change, dict) and isinstance(present, dict) and change.get("name", present.get("name"))
        if isinstance(change, dict) and isinstance(present, dict) and renamed == present.get("name"):
            merged[key] = merge(present, change)
        else:
            merged[key] = change
    return merged


def validate(schema: type[Schema], values: dict[str, Any]) -> Schema:
    """`values` as an instance of `schema`.

    Raises:
        ConfigError: naming every bad key, what it was, and the nearest valid ones.
    """
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        problems = [_problem(schema, values, item) for item in error.errors()]
    # Unknown keys first: they are typos, and often the cause of the rest.
    problems.sort(key=lambda problem: problem[0] != "unknown key")
    (wrong, seen, fix), others = problems[0], [": ".join(filter(None, problem[:2])) for problem in problems[1:4]]
    raise ConfigError(wrong, seen, f"{fix} Also: {'; '.join(others)}" if others else fix)


def keys_at(schema: type[BaseModel], path: tuple[Any, ...], values: Any) -> list[str]:
    """Valid keys of the mapping at `path`."""
    model: Any = schema
    for part in path:
        values = values.get(part) if isinstance(values, dict) else values[part] if isinstance(values, list) else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
        field = model.model_fields.get(str(part))
        if field is None:
            return []
        model = _model_of(field.annotation, field.metadata, values)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def to_yaml(values: Any) -> str:
    """A resolved configuration as YAML text, keys in their order."""
    plain = values.model_dump(mode="json") if isinstance(values, BaseModel) else values
    return OmegaConf.to_yaml(OmegaConf.create(plain))


def _read(folder: Path, name: str, above: tuple[str, ...]) -> DictConfig:
    if name in above:
        raise ConfigError(
            "configurations extend each other in a circle", " -> ".join((*above, name)), "remove one 'base:'"
        )
    path = folder / f"{name}.yaml"
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        # Folders inside hold other things (studies, patches); they are listed for a name that asks for one.
        files = folder.rglob("*.yaml") if "/" in name else folder.glob("*.yaml")
        known = tuple(str(file.relative_to(folder))[:-5] for file in sorted(files))
        where = f" ('base:' of {above[-1]})" if above else ""
        raise ConfigError(f"no configuration has this name{where}", name, catalogue.nearest(name, known))
    try:
        loaded = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(
            "a configuration is not valid YAML", f"{path.name}: {_first(error)}", "mend the file"
        ) from None
    if not isinstance(loaded, DictConfig):
        raise ConfigError("a configuration must be a mapping of keys", path.name, "write key: value lines")
    bases = loaded.pop("base", None) or []
    merged: Any = OmegaConf.create({})
    for base in [bases] if isinstance(bases, str) else bases:
        merged = OmegaConf.create(merge(_plain(merged), _plain(_read(folder, base, (*above, name)))))
    return OmegaConf.create(merge(_plain(merged), _plain(loaded)))


def _plain(config: Any) -> dict[str, Any]:
    return OmegaConf.to_container(config, resolve=False)  # type: ignore[return-value]


def _first(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _problem(schema: type[BaseModel], values: Any, item: Any) -> tuple[str, str, str]:
    """One validation error as (what was wrong, what was seen, what to do)."""
    path = tuple(part for part in item["loc"] if not _is_tag(part, item["loc"], values))
    key = ".".join(map(str, path))
    if item["type"] == "extra_forbidden":
        siblings = keys_at(schema, path[:-1], values)
        hint = catalogue.nearest(str(path[-1]), [".".join((*map(str, path[:-1]), name)) for name in siblings] or [key])
        close = catalogue.nearest(str(path[-1]), siblings) if siblings else hint
        return "unknown key", f"{key}={item['input']!r}", close
    if item["type"] == "catalogue_name":
        wrong, _, fix = item["msg"].partition("; ")
        return f"{key}: {wrong}", "", fix
    if item["type"] == "missing":
        return "a key is missing", key, f"add {key}: to the configuration"
    if not key:
        return "the configuration contradicts itself", "", item["msg"].replace("Value error, ", "")
    return f"bad value for {key}", repr(item["input"])[:80], item["msg"].replace("Value error, ", "")


def _is_tag(part: Any, loc: tuple[Any, ...], values: Any) -> bool:
    """True for the name that Pydantic puts into a location for a member of a tagged union."""
    at = values
    for step in loc[: loc.index(part)]:
        at = at.get(step, at) if isinstance(at, dict) else at
    return isinstance(part, str) and isinstance(at, dict) and part not in at and at.get("name") == part


def _model_of(annotation: Any, metadata: list[Any], values: Any) -> Any:
    """The model that judges `values` under a field's annotation: itself, a union's member, or a catalogue entry's."""
    name = values.get("name") if isinstance(values, dict) else None
    rooms = [item.room for item in metadata if isinstance(item, catalogue.Room)]
    if rooms and name in catalogue.names(rooms[0]):
        return catalogue.entry(rooms[0], name).Config
    members = get_args(annotation) if get_origin(annotation) is not None else (annotation,)
    for member in members:
        if get_origin(member) in (Union, type(int | str)):
            return _model_of(member, [], values)
        if isinstance(member, type) and issubclass(member, BaseModel):
            field = member.model_fields.get("name")
            if len(members) == 1 or field is None or field.default == name:
                return member
    return None
