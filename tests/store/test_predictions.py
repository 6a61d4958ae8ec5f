"""Store: what is kept, what is refused, and what a killed writer leaves."""

from pathlib import Path

import numpy as np
import pytest

from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.store import predictions
from phalanx.store.predictions import Store, Writer

LABELS = LabelSpace(("radius", "ulna"))
GEOMETRY = Geometry.fit((50, 70), (32, 64), keep_aspect=True)


def logits(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=4, size=(2, 32, 64)).astype(np.float32)


def test_codes_keep_the_sign_and_half_a_level() -> None:
    values = np.array([-9.0, -0.001, 0.0, 0.001, 0.0625, 7.99, 20.0], np.float32)
    codes = predictions.quantise(values)
    assert codes.tolist() == [-128, -1, 0, 0, 1, 127, 127]
    restored = predictions.restore(codes)
    assert ((restored > 0) == (values >= 0)).all()
    inside = np.abs(values) < 8
    assert np.abs(restored - values)[inside].max() <= 0.5 / 16


@pytest.mark.parametrize(("dtype", "tolerance"), [("int8", 1 / 32), ("float16", 4e-3)])
def test_round_trip(tmp_path: Path, dtype, tolerance: float) -> None:
    writer = Writer(tmp_path / "oof.zarr", LABELS, {"kind": "out-of-fold"}, dtype)
    for name, seed in (("b/../c", 1), ("a,b\nc", 2)):
        writer.write(name, np.clip(logits(seed), -7.9, 7.9), GEOMETRY)
    writer.close()
    store = Store(tmp_path / "oof.zarr")
    assert list(store) == ["a,b\nc", "b/../c"]
    assert store.labels == LABELS
    assert store.attributes["kind"] == "out-of-fold"
    back, geometry = store.read("b/../c")
    assert geometry == GEOMETRY
    np.testing.assert_allclose(back, np.clip(logits(1), -7.9, 7.9), atol=tolerance)
    # A case id is a key: nothing was written outside the store.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["oof.zarr"]


def test_an_interrupted_writer_goes_on(tmp_path: Path) -> None:
    first = Writer(tmp_path / "oof.zarr", LABELS, {"seed": 1})
    first.write("a", logits(1), GEOMETRY)
    (first.partial / ".making-123").mkdir()
    with pytest.raises(StoreError, match=r"not a finished store.*running its command again"):
        Store(tmp_path / "oof.zarr")
    second = Writer(tmp_path / "oof.zarr", LABELS, {"seed": 1})
    assert not (second.partial / ".making-123").exists()
    assert "a" in second
    assert "b" not in second
    second.write("a", logits(9), GEOMETRY)  # kept as it was
    second.write("b", logits(2), GEOMETRY)
    second.close()
    unbroken = Writer(tmp_path / "whole.zarr", LABELS, {"seed": 1})
    for name, seed in (("b", 2), ("a", 1)):
        unbroken.write(name, logits(seed), GEOMETRY)
    unbroken.close()
    assert Store(tmp_path / "oof.zarr").digest() == Store(tmp_path / "whole.zarr").digest()


def test_going_on_with_other_settings_is_refused(tmp_path: Path) -> None:
    Writer(tmp_path / "oof.zarr", LABELS, {"seed": 1})
    with pytest.raises(StoreError, match="other settings"):
        Writer(tmp_path / "oof.zarr", LABELS, {"seed": 2})


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "oof.zarr", LABELS, {})
    writer.write("a", logits(), GEOMETRY)
    writer.close()
    manifest = tmp_path / "oof.zarr" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": "', '"format": "later-', 1))
    with pytest.raises(StoreError, match="format this version cannot read"):
        Store(tmp_path / "oof.zarr")


def test_a_finished_store_is_never_overwritten(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "oof.zarr", LABELS, {})
    writer.write("a", logits(), GEOMETRY)
    writer.close()
    with pytest.raises(StoreError, match="exists"):
        Writer(tmp_path / "oof.zarr", LABELS, {})


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_damage_is_found(tmp_path: Path, damage: str) -> None:
    writer = Writer(tmp_path / "oof.zarr", LABELS, {})
    writer.write("a", logits(), GEOMETRY)
    writer.close()
    store = Store(tmp_path / "oof.zarr")
    store.read("a")
    chunk = next(path for path in (tmp_path / "oof.zarr").rglob("c/*/*/*"))
    if damage == "missing":
        chunk.unlink()
    else:
        chunk.write_bytes(chunk.read_bytes()[:-7])
    with pytest.raises(StoreError, match="changed after it was written: a in"):
        store.read("a")
    with pytest.raises(StoreError, match="no such case"):
        store.read("b")


def test_int8_is_much_smaller_than_float32(tmp_path: Path) -> None:
    """A saturated background, as a trained network has it."""
    y, x = np.mgrid[:256, :192]
    distance = 40 - np.hypot(y - 128, x - 96)
    stack = np.stack([distance, -np.abs(distance)]).astype(np.float32)
    writer = Writer(tmp_path / "oof.zarr", LABELS, {})
    writer.write("a", stack, Geometry.fit((512, 384), (256, 192), keep_aspect=False))
    writer.close()
    size = sum(path.stat().st_size for path in (tmp_path / "oof.zarr").rglob("*") if path.is_file())
    assert size < stack.nbytes / 25
