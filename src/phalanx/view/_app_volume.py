"""Volumes in the viewer: the routes of slices, and the component of three planes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phalanx.core.errors import PhalanxError
from phalanx.mask import contour
from phalanx.mask import runs as run_lengths
from phalanx.view import _app_pack, volume
from phalanx.view._app_routes import guarded, packed
from phalanx.view.volume import Volume


def routes(shown: Volume) -> list[Route]:
    """The routes of a volume."""

    def facts(_: Request) -> Response:
        return packed(_app_pack.pack(_facts(shown), shown.dice().astype(np.float32)))

    def cut(request: Request) -> Response:
        axis, index = (int(request.path_params[name]) for name in ("axis", "index"))
        if axis > 2 or index >= shown.image.shape[axis]:
            raise PhalanxError("there is no such slice", f"{index} across axis {axis}", "ask for one of the volume")
        return packed(slice_of(shown, axis, index))

    named: list[tuple[str, Callable[[Request], Response]]] = [("facts", facts), ("slice/{axis:int}/{index:int}", cut)]
    return [Route(f"/viewer/{path}", guarded(answer)) for path, answer in named]


def _facts(shown: Volume) -> dict[str, object]:
    return {
        "title": shown.title,
        "shape": list(shown.image.shape),
        "spacing": list(shown.spacing),
        "planes": [list(plane) for plane in volume.PLANES],
        "span": list(shown.span),
        "window": list(shown.window),
        "classes": list(shown.classes),
        "colours": list(shown.colours),
        "members": [member.name for member in shown.members],
        "truth": shown.truth.name if shown.truth else None,
    }


def slice_of(shown: Volume, axis: int, index: int) -> bytes:
    """One slice, packed as `_app_pack.case` packs a case; in front of the masks stand the greys, as bits of float32."""
    greys = volume.cut(shown.image, axis, index)
    parts = [greys.astype("<f4").ravel().view("<i4")]
    filled, sources = greys.size, []
    for source in shown.sources:
        plane = volume.cut(source.voxels, axis, index)
        there = set(np.unique(plane).tolist())
        entries = []
        for label, value in enumerate(shown.values):
            if value not in there:
                continue
            runs = run_lengths.from_mask(plane == value)
            numbers = (runs.ravel().astype(np.int32), _app_pack.rings(contour.outlines(runs, greys.shape)))
            middle, end = filled + len(numbers[0]), filled + len(numbers[0]) + len(numbers[1])
            entries.append([label, filled, middle, end])
            parts += numbers
            filled = end
        sources.append({"masks": entries, "missing": []})
    header = {"size": list(greys.shape), "sources": sources}
    return _app_pack.pack(header, np.concatenate(parts))
