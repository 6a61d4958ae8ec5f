"""The web viewer: a gallery of cases held as runs, served on this machine alone.

Streamlit makes the page; the picture, the table of cases and the legend are one component of it (`_app_*.js`) that
asks the routes of `_app_routes.py` for a case at a time. So a case is sent once, and switching classes, layers and
zoom ask nobody.
"""

from __future__ import annotations

import errno
import socket
import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from phalanx.core.errors import PhalanxError
from phalanx.mask import runs as run_lengths
from phalanx.mask.pile import Pile

HOST = "127.0.0.1"
_FIRST_PORT, _PORTS = 8501, 50


@dataclass(frozen=True, eq=False)
class Member:
    """The masks of one source.

    Args:
        name: as the page shows it.
        masks: a mask for each case and class, the classes of the first case first.
        present: bool `(cases, classes)`, False where the source has no such row; the mask is empty there.
    """

    name: str
    masks: Pile
    present: np.ndarray


@dataclass(frozen=True, eq=False)
class Doubt:
    """Where a network is undecided.

    Args:
        levels: uint8 `(classes, h, w)`, 255 where the probability p is one half: `4 p (1 - p)`.
        box: `(top, left, bottom, right)` of the image that it covers, the last two exclusive.
    """

    levels: np.ndarray
    box: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Gallery:
    """All that the viewer shows. Cases and classes are named by their place in the lists.

    Args:
        title: of the page.
        cases: ids.
        sizes: `(height, width)` of each image.
        classes: names.
        colours: `#rrggbb`, one a class.
        members: predictions, at least one.
        truth: labels, if there are any.
        by_columns: whether runs count pixels along columns.
        photo: content and media type of a case's image, as a browser shows it.
        pixels: the same image as uint8 `(h, w)` or `(h, w, 3)`, RGB.
        doubt: where the network of a store is undecided; None: no store.
        notes: what was left out, a sentence each.
    """

    title: str
    cases: Sequence[str]
    sizes: Sequence[tuple[int, int]]
    classes: Sequence[str]
    colours: Sequence[str]
    members: Sequence[Member]
    truth: Member | None
    by_columns: bool
    photo: Callable[[int], tuple[bytes, str]]
    pixels: Callable[[int], np.ndarray]
    doubt: Callable[[int], Doubt] | None = None
    notes: Sequence[str] = field(default=())

    @property
    def sources(self) -> list[Member]:
        """The members, and behind them the truth."""
        return [*self.members, *([self.truth] if self.truth else [])]

    def mask(self, member: Member, case: int, label: int) -> np.ndarray:
        """Row-major runs of one mask.

        Raises:
            PhalanxError: the mask leaves the image.
        """
        runs = member.masks.runs(case * len(self.classes) + label)
        height, width = self.sizes[case]
        if len(runs) and runs[-1, 1] > height * width:
            seen = f"{self.classes[label]} of {self.cases[case]} in {member.name} ends at pixel {runs[-1, 1]}, the "
            seen += f"image is {height} x {width}"
            raise PhalanxError("a mask leaves its image", seen, "name the folder of the images that were predicted")
        return run_lengths.transpose(runs, (width, height)) if self.by_columns and len(runs) else runs


_held: list[Gallery] = []


def held() -> Gallery:
    """The gallery that is being served, for the page's script, which Streamlit runs in this process."""
    return _held[-1]


def free_port(wanted: int | None) -> int:
    """The port to serve on: the one that is wanted, or the first free one from 8501 on.

    Raises:
        PhalanxError: it is taken, or all of them are.
    """
    tried = [wanted] if wanted is not None else range(_FIRST_PORT, _FIRST_PORT + _PORTS)
    for port in tried:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
                continue
            return int(probe.getsockname()[1])
    seen = str(wanted) if wanted is not None else f"{_FIRST_PORT} to {_FIRST_PORT + _PORTS - 1}"
    raise PhalanxError("the port is taken", seen, "choose another with --port, or close the other viewer")


def serve(gallery: Gallery, port: int, *, headless: bool, say: Callable[[str], None]) -> None:
    """Serve the page until it is interrupted.

    Args:
        gallery: what to show.
        port: of 127.0.0.1.
        headless: open no browser.
        say: told the page's address once it answers.
    """
    import streamlit as st
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from phalanx.view import _app_routes

    _held.append(gallery)
    address = f"http://{HOST}:{port}"

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
        say(address)
        if not headless:
            webbrowser.open(address)
        yield {}

    # A page of another site cannot reach these routes by a name of its own that leads to this machine.
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    script = Path(__file__).with_name("_app_page.py")
    served = st.App(script, lifespan=lifespan, routes=_app_routes.routes(gallery), middleware=[hosts])
    served.run(config=settings(port))


def settings(port: int) -> dict[str, Any]:
    """Streamlit's options: this machine alone, nothing sent out, nothing watched."""
    return {
        "server.address": HOST,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.enableAgentApi": False,
        "server.enableStaticServing": False,
        "browser.serverAddress": HOST,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "type",
        "logger.hideWelcomeMessage": True,
        "logger.level": "error",
        "runner.magicEnabled": False,
    }
