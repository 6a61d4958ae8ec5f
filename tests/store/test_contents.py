"""What a store says of itself without decoding a prediction."""

from pathlib import Path

import numpy as np
import pytest

from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.store import contents
from phalanx.store.predictions import Store, Writer


def make(path: Path) -> Store:
    writer = Writer(path, LabelSpace(("a", "b", "c")), {})
    for case, width in (("z", 10), ("a/b", 20)):
        writer.write(case, np.ones((3, 4, 6), np.float32), Geometry.fit((8, width), (4, 6), keep_aspect=False))
    writer.close()
    return Store(path)


def test_entries(tmp_path: Path) -> None:
    store = make(tmp_path / "s.zarr")
    found = list(contents.entries(store))
    assert [(entry.case, entry.shape, entry.geometry.original) for entry in found] == [
        ("a/b", (3, 4, 6), (8, 20)),
        ("z", (3, 4, 6), (8, 10)),
    ]
    assert found[0].plain == 4 * 3 * 4 * 6
    folders = [tmp_path / "s.zarr" / kept["array"] for kept in store.cases.values()]
    for entry, folder in zip(found, folders, strict=True):
        assert entry.stored == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) > 100
    # The manifest and the group's own header are the rest.
    own = sum((tmp_path / "s.zarr" / name).stat().st_size for name in ("manifest.json", "zarr.json"))
    assert contents.on_disk(store.path) == own + sum(entry.stored for entry in found)


@pytest.mark.parametrize("damage", ["missing", "cut", "list"])
def test_a_damaged_case_is_named(tmp_path: Path, damage: str) -> None:
    store = make(tmp_path / "s.zarr")
    header = store.path / store.cases["z"]["array"] / "zarr.json"
    if damage == "missing":
        header.unlink()
    elif damage == "list":
        header.write_text("[]")
    else:
        header.write_text(header.read_text()[:-20])
    with pytest.raises(StoreError, match="a stored case is damaged: z in"):
        list(contents.entries(store))
