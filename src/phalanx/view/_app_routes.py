"""Routes of the viewer beside Streamlit's own: facts, cases, images, doubt. Cases are asked for by their place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phalanx.core.errors import PhalanxError
from phalanx.view import _app_pack
from phalanx.view._app_scores import Scores
from phalanx.view.gallery import Doubt, Gallery

# Encodings other than identity would spend more time than the loopback takes.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Encoding": "identity",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_PACKED = "application/octet-stream"
# Cases whose doubt is kept: 29 classes at 1024 x 1024 are 30 MB.
_KEPT = 2


def routes(gallery: Gallery, scores: Scores) -> list[Route]:
    """The routes of a gallery. What is wrong with a case is answered as `{"error": line}` with status 422."""
    kept = lru_cache(_KEPT)(gallery.doubt) if gallery.doubt else None

    def facts(_: Request) -> Response:
        return packed(_app_pack.pack(_facts(gallery), np.concatenate([scores.dice.ravel(), scores.apart.ravel()])))

    def case(request: Request) -> Response:
        return packed(_app_pack.case(gallery, _place(request, gallery)))

    def image(request: Request) -> Response:
        content, kind = gallery.photo(_place(request, gallery))
        return Response(content, media_type=kind, headers=_HEADERS)

    def doubt(request: Request) -> Response:
        if kept is None:
            raise PhalanxError("there is no store", "", "start the viewer with --store")
        return _doubt(kept(_place(request, gallery)), _classes(request, gallery))

    named: list[tuple[str, Callable[[Request], Response]]] = [
        ("facts", facts), ("case/{place:int}", case), ("image/{place:int}", image), ("doubt/{place:int}", doubt),
    ]  # fmt: skip
    return [Route(f"/viewer/{path}", guarded(answer)) for path, answer in named]


def guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """An answer that tells what is at fault with the input."""

    def told(request: Request) -> Response:
        try:
            return answer(request)
        except PhalanxError as error:
            return JSONResponse({"error": str(error)}, 422, _HEADERS)

    return told


def packed(content: bytes) -> Response:
    """Packed numbers as an answer."""
    return Response(content, media_type=_PACKED, headers=_HEADERS)


def _facts(gallery: Gallery) -> dict[str, object]:
    return {
        "title": gallery.title,
        # The browser remembers picked cases by it.
        "token": hashlib.sha256("\n".join(gallery.cases).encode()).hexdigest()[:16],
        "cases": list(gallery.cases),
        "classes": list(gallery.classes),
        "colours": list(gallery.colours),
        "members": [member.name for member in gallery.members],
        "truth": gallery.truth.name if gallery.truth else None,
        "doubt": gallery.doubt is not None,
        "notes": list(gallery.notes),
    }


def _place(request: Request, gallery: Gallery) -> int:
    place = int(request.path_params["place"])
    if place >= len(gallery.cases):
        raise PhalanxError("there is no such case", place, f"ask for 0 to {len(gallery.cases) - 1}")
    return place


def _classes(request: Request, gallery: Gallery) -> list[int]:
    text = request.query_params.get("classes", "")
    known = {str(place): place for place in range(len(gallery.classes))}
    return [known[part] for part in text.split(",") if part in known]


def _doubt(doubt: Doubt, classes: list[int]) -> Response:
    """The largest level of any of the classes as a grey PNG, and its place in the image as a header."""
    levels = doubt.levels[classes].max(0) if classes else np.zeros(doubt.levels.shape[1:], np.uint8)
    done, content = cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done, "OpenCV cannot write PNG"
    headers = {**_HEADERS, "X-Box": ",".join(map(str, doubt.box))}
    return Response(content.tobytes(), media_type="image/png", headers=headers)
