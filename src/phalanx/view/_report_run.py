"""The last section of a report: time and memory of each stage, versions, machine, the resolved configuration."""

from __future__ import annotations

from collections.abc import Mapping

from phalanx.view import _format, _html
from phalanx.view._html import Cell, escape

Memory = Mapping[str, Mapping[str, int]]
_TITLES = {"host": "memory", "device": "GPU memory"}


def section(
    timings: Mapping[str, float],
    memory: Memory,
    versions: Mapping[str, str],
    machine: Mapping[str, str],
    *,
    config_yaml: str,
) -> str:
    """HTML of the section; what is not known is left out.

    Args:
        timings: stage -> seconds.
        memory: stage -> peak in bytes, `host` and `device`.
        versions: package -> version.
        machine: name -> value.
        config_yaml: the resolved configuration.
    """
    times = _stages(timings, memory)
    packages = [[Cell.text(name), Cell.text(version)] for name, version in versions.items()]
    listed = _html.table(("package", "version"), packages, sortable=False)
    found = f"<h3>Versions</h3>{listed}" if packages else ""
    found += f"<h3>Machine</h3>{_html.facts(machine)}" if machine else ""
    pair = f'<div class="pair">{times}<div>{found}</div></div>' if times or found else ""
    return pair + _config(config_yaml)


def peak(memory: Memory) -> str:
    """The highest peak of all stages in words; without any, what the tile says of the time."""
    tops = {
        kind: max((part[kind] for part in memory.values() if kind in part), default=0) for kind in ("host", "device")
    }
    said = [f"{_bytes(tops[kind])} {title}" for kind, title in _TITLES.items() if tops[kind]]
    return "at most " + ", ".join(said) if said else "all stages together"


def _stages(timings: Mapping[str, float], memory: Memory) -> str:
    if not timings:
        return ""
    longest = max(timings.values()) or 1
    kinds = [kind for kind in _TITLES if any(kind in part for part in memory.values())]
    rows = [
        [
            Cell.text(stage),
            Cell(_format.duration(seconds), float(seconds)),
            Cell(f'<span class="meter"><b style="width:{100 * seconds / longest:.1f}%"></b></span>', float(seconds)),
            *(_peak(memory.get(stage, {}).get(kind)) for kind in kinds),
        ]
        for stage, seconds in timings.items()
    ]
    heads = ("stage", "time", "", *(_TITLES[kind] for kind in kinds))
    note = '<p class="lead">Memory is the peak of the main process; its loader workers are not counted.</p>'
    return f"<div><h3>Time and memory</h3>{note if kinds else ''}{_html.table(heads, rows, sortable=False)}</div>"


def _config(text: str) -> str:
    lines = text.strip("\n")
    if not lines:
        return ""
    counted = _format.count(lines.count("\n") + 1, "line")
    summary = f"<summary>Resolved configuration ({counted})</summary>"
    return f"<details>{summary}<pre><code>{escape(lines)}</code></pre></details>"


def _peak(amount: int | None) -> Cell:
    return Cell(_format.NONE, float("nan")) if amount is None else Cell(_bytes(amount), float(amount))


def _bytes(amount: float) -> str:
    return f"{amount / 2**30:.2f} GiB" if amount >= 2**30 else f"{amount / 2**20:.0f} MiB"
