"""Viewed volumes: a scan and its label maps from NIfTI files, turned so that their axes run right, front, head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from phalanx.commands import _viewed
from phalanx.core.errors import DataError
from phalanx.view.volume import Labels, Volume

# Label maps of an atlas have hundreds of classes; more than this are most likely greys.
_CLASSES = 500
# Millimetres by which the corners of two files of one scan may differ: rounding in their headers.
_NEAR = 0.5


def is_volume(path: Path) -> bool:
    """Whether a file is NIfTI by its name."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def volume(files: Sequence[Path], image: Path, truth: Path | None) -> Volume:
    """Read a scan and its label maps.

    Args:
        files: label maps, at least one.
        image: the scan.
        truth: another label map.

    Raises:
        DataError: a file that cannot be read, files of different scans, or greys in place of labels.
    """
    greys, grid = _read(image, "scan")
    maps = []
    for path in [*files, *([truth] if truth else [])]:
        voxels, own = _read(path, "label map")
        _match(path, (voxels.shape, own), image, (greys.shape, grid))
        maps.append(_whole(voxels, path))
    values = sorted({int(value) for voxels in maps for value in np.unique(voxels)} - {0})
    if not values or len(values) > _CLASSES:
        seen = f"{len(values)} values beside 0 in {', '.join(path.name for path in files)}"
        raise DataError("a label map has no labels, or too many", seen, "name files of class numbers, 0 being none")
    names = [f"label {value}" for value in values]
    titles = _viewed.names([Path(path.name.removesuffix(".gz")) for path in files])
    members = [Labels(title, voxels) for title, voxels in zip(titles, maps, strict=False)]
    return Volume(
        title=image.name,
        image=greys,
        spacing=_spacing(grid),
        values=values,
        classes=names,
        colours=_viewed.colours(names),
        members=members,
        truth=Labels("truth", maps[-1]) if truth else None,
    )


def _read(path: Path, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Voxels float32 `(x, y, z)` towards right, front and head, and the 4 x 4 matrix from voxel to millimetre."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    if not path.is_file():
        raise DataError(f"the {what} does not exist", path, "check the name")
    try:
        turned = nibabel.as_closest_canonical(nibabel.load(path))
        voxels = np.asarray(turned.dataobj, np.float32)  # type: ignore[attr-defined]
    except (OSError, EOFError, ValueError, ImageFileError, HeaderDataError) as error:
        raise DataError(f"the {what} cannot be read", f"{path} ({error})", "name a whole NIfTI file") from error
    if voxels.ndim > 3 and set(voxels.shape[3:]) == {1}:
        voxels = voxels.reshape(voxels.shape[:3])
    if voxels.ndim != 3 or not voxels.size:
        raise DataError(f"the {what} is no volume", f"{path} has the shape {voxels.shape}", "name one of three axes")
    if not np.isfinite(voxels).all():
        voxels = np.nan_to_num(voxels, posinf=0, neginf=0)
    return voxels, np.asarray(turned.affine)  # type: ignore[attr-defined]


def _match(
    path: Path,
    own: tuple[tuple[int, ...], np.ndarray],
    image: Path,
    wanted: tuple[tuple[int, ...], np.ndarray],
) -> None:
    if own[0] != wanted[0]:
        seen = f"{path.name} has {own[0]} voxels, {image.name} {wanted[0]}"
        raise DataError("a label map is not of the scan", seen, "name the files of one scan")
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * [*wanted[0], 1]
    away = np.abs(corners @ (own[1] - wanted[1]).T).max()
    if away > _NEAR:
        seen = f"{path.name} lies {away:.1f} mm beside {image.name}"
        raise DataError("a label map is not of the scan", seen, "name the files of one scan, or copy its header")


def _whole(voxels: np.ndarray, path: Path) -> np.ndarray:
    """Labels as int32."""
    whole = np.rint(voxels)
    if (whole != voxels).any() or whole.min() < 0:
        odd = float(voxels[(whole != voxels) | (whole < 0)][0])
        raise DataError("a label map holds greys", f"{odd:g} in {path}", "name a file of class numbers, 0 being none")
    return whole.astype(np.int32)


def _spacing(grid: np.ndarray) -> tuple[float, float, float]:
    """Millimetres between voxels; 1 where a header says 0."""
    x, y, z = (float(side) or 1.0 for side in np.linalg.norm(grid[:3, :3], axis=0))
    return x, y, z
