"""Contents: what a store holds, told without decoding a prediction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.store.predictions import Store


@dataclass(frozen=True)
class Entry:
    """A case of a store.

    Args:
        case: its id.
        shape: `(c, h, w)` of its logits.
        geometry: the way back to its image.
        stored: bytes on disk.
    """

    case: str
    shape: tuple[int, int, int]
    geometry: Geometry
    stored: int

    @property
    def plain(self) -> int:
        """Bytes of the same logits as plain float32."""
        return 4 * self.shape[0] * self.shape[1] * self.shape[2]


def entries(store: Store) -> Iterator[Entry]:
    """The cases in the order of the store. Sizes come from the arrays' headers; no digest is compared.

    Raises:
        StoreError: a case of the manifest is not there, or its header cannot be read.
    """
    for case, kept in store.cases.items():
        folder = store.path / kept["array"]
        try:
            header = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))
            channels, height, width = header["shape"]
            geometry = Geometry.from_dict(header["attributes"]["geometry"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            seen = f"{case} in {store.path} ({type(error).__name__})"
            raise StoreError("a stored case is damaged", seen, "predict again") from None
        yield Entry(case, (channels, height, width), geometry, on_disk(folder))


def on_disk(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
