"""Entry: a cached case as it lies on disk, in strips of rows that are unpacked one by one.

A window needs the strips it touches and no others, and an entry that stays packed takes little memory: of a hand of
2048 px with 29 classes, 20 MiB as arrays, 2.6 MB.

Measured on one core (2048 px, 29 classes): all rows 5 ms, 1024 of them 3 ms; a compressed `.npz`, which has to be
unpacked whole, 47 ms.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numcodecs import Blosc

from phalanx.core import files
from phalanx.core.geometry import Geometry

# Rows of a strip.
_ROWS = 256
# Grey values hardly shrink, however hard one tries, and LZ4 is ten times as fast; masks do.
_IMAGE = Blosc("lz4", clevel=5, shuffle=Blosc.NOSHUFFLE)
_MASKS = Blosc("zstd", clevel=3, shuffle=Blosc.NOSHUFFLE)
# NumPy reads the head of an array by `ast.literal_eval`, which Python 3.11.7 was seen to fail at in two threads at once
# ("AST constructor recursion depth mismatch").
_READING = threading.Lock()


@dataclass(frozen=True)
class Entry:
    """A packed case.

    Args:
        image: strips of the image, packed.
        bits: strips of the masks, packed; None when the case is unlabelled.
        channels: channels of the image, and planes of the masks.
        geometry: the way back to the original size. When it says `mirrored`, pixels come out so.
        truth: one run array a scored class at the original size, upright, or None.
    """

    image: tuple[bytes, ...]
    bits: tuple[bytes, ...] | None
    channels: tuple[int, int]
    geometry: Geometry
    truth: list[np.ndarray] | None

    @classmethod
    def of(
        cls, image: np.ndarray, bits: np.ndarray | None, geometry: Geometry, truth: list[np.ndarray] | None
    ) -> Entry:
        """Pack uint8 `(h, w, k)` and `(h, w, planes)`."""
        masks = None if bits is None else _packed(bits, _MASKS)
        return cls(
            _packed(image, _IMAGE), masks, (image.shape[2], 0 if bits is None else bits.shape[2]), geometry, truth
        )

    @property
    def nbytes(self) -> int:
        """Bytes in memory, roughly."""
        return sum(map(len, (*self.image, *(self.bits or ())))) + sum(run.nbytes for run in self.truth or ())

    def rows(self, first: int, end: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Image and masks of the rows from `first` to before `end` of the network's frame.

        Returns:
            uint8 `(end - first, w, k)` and `(end - first, w, planes)`, or None.
        """
        image = self._rows(self.image, self.channels[0], (first, end))
        return image, None if self.bits is None else self._rows(self.bits, self.channels[1], (first, end))

    def _rows(self, strips: tuple[bytes, ...], channels: int, rows: tuple[int, int]) -> np.ndarray:
        (first, end), (height, width) = rows, self.geometry.network
        start = first // _ROWS
        stop = -(-end // _ROWS)
        found = np.empty((min(stop * _ROWS, height) - start * _ROWS, width, channels), np.uint8)
        for number in range(start, stop):
            row = (number - start) * _ROWS
            _IMAGE.decode(strips[number], found[row : row + _ROWS])
        found = found[first - start * _ROWS : end - start * _ROWS]
        if not self.geometry.mirrored:
            return found
        height, width = max(self.geometry.inner[0] - first, 0), self.geometry.inner[1]
        turned = found.copy()
        turned[:height, :width] = found[:height, :width][:, ::-1]
        return turned

    def write(self, path: Path) -> None:
        """Write the entry under a temporary name and rename it."""
        arrays = {"geometry": np.array([*self.geometry.to_dict().values()]), "channels": np.array(self.channels)}
        arrays |= _strips("image", self.image)
        if self.bits is not None and self.truth is not None:
            arrays |= _strips("bits", self.bits)
            arrays["lengths"] = np.array([len(run) for run in self.truth])
            runs = np.concatenate([*self.truth, np.empty((0, 2), np.int64)])
            arrays["runs"] = np.frombuffer(_MASKS.encode(runs), np.uint8)
        with files.whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def read(cls, path: Path) -> Entry:
        """Read an entry.

        Raises:
            OSError, ValueError, KeyError, BadZipFile, EOFError, RuntimeError: it is absent or damaged.
        """
        # From memory: NumPy leaves the file open when a damaged archive stops it half-way.
        data = io.BytesIO(path.read_bytes())
        with _READING, np.load(data, allow_pickle=False) as arrays:
            geometry = Geometry(*(tuple(pair) for pair in arrays["geometry"].tolist()))  # type: ignore[arg-type]
            first, second = (int(number) for number in arrays["channels"])
            image = _loaded("image", arrays)
            if "lengths" not in arrays:
                return cls(image, None, (first, second), geometry, None)
            runs = np.frombuffer(_MASKS.decode(arrays["runs"].tobytes()), np.int64).reshape(-1, 2)
            truth = np.split(runs, np.cumsum(arrays["lengths"])[:-1])
            return cls(image, _loaded("bits", arrays), (first, second), geometry, list(truth))


def _packed(array: np.ndarray, codec: Blosc) -> tuple[bytes, ...]:
    return tuple(
        bytes(codec.encode(np.ascontiguousarray(array[row : row + _ROWS]))) for row in range(0, len(array), _ROWS)
    )


def _strips(name: str, strips: tuple[bytes, ...]) -> dict[str, np.ndarray]:
    return {f"{name}{number}": np.frombuffer(strip, np.uint8) for number, strip in enumerate(strips)}


def _loaded(name: str, arrays: np.lib.npyio.NpzFile) -> tuple[bytes, ...]:
    count = sum(key.startswith(name) for key in arrays.files)
    return tuple(arrays[f"{name}{number}"].tobytes() for number in range(count))
