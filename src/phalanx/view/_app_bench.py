"""The benches: the components that people look at and work with, of images and of volumes, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamlit.components.v2 import component

# Each is one script, in the order in which one part needs the other.
_SHARED = ("load", "paint", "stage", "classes", "layers")


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


def _script(*names: str) -> str:
    return "\n".join(_read(f"_app_{name}.js") for name in (*_SHARED, *names))


_bench = component(
    "phalanx_bench", html=_read("_app_bench.html"), css=_read("_app_bench.css"), js=_script("cases", "bench")
)
_volume = component("phalanx_volume", html=_read("_app_volume.html"), css=_read("_app_bench.css"), js=_script("volume"))


def mount(first: int) -> Chosen:
    """Put the bench on the page; the script runs again when something else is chosen.

    Args:
        first: place of the case that will be shown first.
    """
    state = _bench(
        key="bench",
        data={"first": first},
        default={"case": -1, "picked": []},
        on_case_change=_nothing,
        on_picked_change=_nothing,
    )
    return Chosen(int(state.case), tuple(int(place) for place in state.picked))


def _nothing() -> None:
    """Streamlit takes only states that have a callback."""


def mount_volume() -> None:
    """Put the three planes on the page; they tell nothing."""
    _volume(key="volume")
