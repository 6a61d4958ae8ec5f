"""The bench: the component of table, picture and legend, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamlit.components.v2 import component

# One script, in the order in which one needs the other.
_SCRIPTS = ("load", "paint", "stage", "cases", "classes", "bench")


@dataclass(frozen=True)
class Chosen:
    """What the person at the page chose.

    Args:
        case: place of the case that is shown.
        picked: places of the cases on the list, in the order they were picked.
    """

    case: int
    picked: tuple[int, ...]


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


_component = component(
    "phalanx_bench",
    html=_read("_app_bench.html"),
    css=_read("_app_bench.css"),
    js="\n".join(_read(f"_app_{name}.js") for name in _SCRIPTS),
)


def mount(first: int) -> Chosen:
    """Put the bench on the page; the script runs again when something else is chosen.

    Args:
        first: place of the case that will be shown first.
    """
    state = _component(
        key="bench",
        data={"first": first},
        default={"case": -1, "picked": []},
        on_case_change=_nothing,
        on_picked_change=_nothing,
    )
    return Chosen(int(state.case), tuple(int(place) for place in state.picked))


def _nothing() -> None:
    """Streamlit takes only states that have a callback."""
