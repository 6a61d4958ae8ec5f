"""The web viewer: a gallery of cases held as runs, served on this machine alone.

Streamlit makes the page; the picture, the table of cases and the legend are one component of it (`_app_*.js`) that
asks the routes of `_app_routes.py` for a case at a time. So a case is sent once, and switching classes, layers and
zoom ask nobody.
"""

from __future__ import annotations

import errno
import socket
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from phalanx.core.errors import PhalanxError
from phalanx.view import _app_scores
from phalanx.view._app_scores import Scores
from phalanx.view.gallery import Gallery
from phalanx.view.volume import Volume

HOST = "127.0.0.1"
_FIRST_PORT, _PORTS = 8501, 50
# The colours of the report's page (page.css).
_THEMES = {
    "light": {"primaryColor": "#0b6a94", "linkColor": "#0b6a94", "backgroundColor": "#ffffff",
              "secondaryBackgroundColor": "#f5f7f9", "textColor": "#141a21"},
    "dark": {"primaryColor": "#63bde6", "linkColor": "#63bde6", "backgroundColor": "#0f1418",
             "secondaryBackgroundColor": "#171d23", "textColor": "#e4eaf0"},
}  # fmt: skip


_held: list[tuple[Gallery, Scores] | Volume] = []


def held() -> tuple[Gallery, Scores] | Volume:
    """The gallery that is being served with its scores, or the volume: for the page's script, run in this process."""
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


def serve(shown: Gallery | Volume, port: int, *, headless: bool, say: Callable[[str], None]) -> None:
    """Serve the page until it is interrupted.

    Args:
        shown: what to show.
        port: of 127.0.0.1.
        headless: open no browser.
        say: told the page's address once it answers.
    """
    import streamlit as st
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from phalanx.view import _app_routes, _app_volume

    if isinstance(shown, Volume):
        _held.append(shown)
        routes = _app_volume.routes(shown)
    else:
        scores = _app_scores.measure(shown)
        _held.append((shown, scores))
        routes = _app_routes.routes(shown, scores)
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
    served = st.App(script, lifespan=lifespan, routes=routes, middleware=[hosts])
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
        **{f"theme.{name}.{key}": colour for name, theme in _THEMES.items() for key, colour in theme.items()},
    }
