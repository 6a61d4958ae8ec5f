"""Exports, read back by other programs' readers."""

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from phalanx.core.errors import StoreError
from phalanx.core.geometry import Geometry
from phalanx.core.labels import LabelSpace
from phalanx.store import export
from phalanx.store.export import Exported

# Every axis of another size: 3 classes, 4 rows, 6 columns.
VALUES = np.arange(72, dtype=np.float32).reshape(3, 4, 6) / 8 - 4
GEOMETRY = Geometry.fit((8, 10), (4, 6), keep_aspect=True)
ITEM = Exported("a/b", "logits", VALUES, ("radius", "ulna", "Mondbein ü"), GEOMETRY)


def test_npz_holds_plain_arrays(tmp_path: Path) -> None:
    export.write_npz(tmp_path / "one.npz", ITEM)
    with np.load(tmp_path / "one.npz", allow_pickle=False) as found:
        assert sorted(found) == ["case", "classes", "geometry", "logits"]
        assert found["logits"].dtype == np.float32
        np.testing.assert_array_equal(found["logits"], VALUES)
        assert found["classes"].tolist() == ["radius", "ulna", "Mondbein ü"]
        # 8 x 10 fits into 4 x 6 as 4 x 5; rows are original, network, inner.
        assert found["geometry"].tolist() == [[8, 10], [4, 6], [4, 5]]
        assert str(found["case"]) == "a/b"
    assert [path.name for path in tmp_path.iterdir()] == ["one.npz"]


@pytest.mark.parametrize("name", ["one.nii", "one.nii.gz", "one.NII.GZ"])
def test_nifti_has_columns_first_then_rows_then_channels(tmp_path: Path, name: str) -> None:
    export.write_nifti(tmp_path / name, ITEM)
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.lower().endswith(".gz")
    found = nibabel.load(tmp_path / name)
    assert found.shape == (6, 4, 1, 3)
    assert found.get_data_dtype() == np.float32
    np.testing.assert_array_equal(found.affine, np.eye(4))
    voxels = np.asarray(found.dataobj)
    # Channel 1, row 2, column 5 of the logits: (1 * 24 + 2 * 6 + 5) / 8 - 4.
    assert voxels[5, 2, 0, 1] == 41 / 8 - 4 == VALUES[1, 2, 5]
    np.testing.assert_array_equal(voxels[:, :, 0, :].transpose(2, 1, 0), VALUES)
    told = json.loads(found.header.extensions[0].get_content())
    assert told["classes"] == ["radius", "ulna", "Mondbein ü"]
    assert (told["case"], told["original"], told["inner"]) == ("a/b", [8, 10], [4, 5])


def test_a_mask_is_bool_in_npz_and_bytes_in_nifti(tmp_path: Path) -> None:
    item = Exported("a", "mask", VALUES > 0, ("radius", "ulna", "x"), GEOMETRY)
    export.write_npz(tmp_path / "one.npz", item)
    export.write_nifti(tmp_path / "one.nii.gz", item)
    with np.load(tmp_path / "one.npz") as found:
        assert found["mask"].dtype == np.bool_
    image = nibabel.load(tmp_path / "one.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert int(np.asarray(image.dataobj).sum()) == int((VALUES > 0).sum()) == 39


def test_equal_exports_are_equal_files(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        export.write_nifti(tmp_path / name, ITEM)
    first = (tmp_path / "a.nii.gz").read_bytes()
    assert first == (tmp_path / "b.nii.gz").read_bytes()
    assert first[4:8] == bytes(4), "no time in the header of gzip"


def test_an_image_too_large_for_nifti_is_refused(tmp_path: Path) -> None:
    item = Exported("a", "logits", np.zeros((1, 1, 32768), np.float32), ("x",), GEOMETRY)
    with pytest.raises(StoreError, match=r"NIfTI cannot hold.*32768"):
        export.write_nifti(tmp_path / "one.nii", item)
    assert list(tmp_path.iterdir()) == []


def test_probabilities() -> None:
    logits = np.array([[[0.0, 1000.0]], [[0.0, -1000.0]]], np.float32)
    apart = export.probability(logits, LabelSpace(("a", "b")))
    np.testing.assert_array_equal(apart, [[[0.5, 1]], [[0.5, 0]]])
    logits = np.log(np.array([[[1.0]], [[3.0]]], np.float32))
    together = export.probability(logits, LabelSpace(("background", "a"), exclusive=True))
    np.testing.assert_allclose(together.ravel(), [0.25, 0.75], atol=1e-6)
    assert apart.dtype == together.dtype == np.float32
    sure = export.probability(np.array([[[2000.0]], [[-2000.0]]], np.float32), LabelSpace(("x", "y"), exclusive=True))
    assert sure.ravel().tolist() == [1, 0]


def test_the_original_size_is_without_padding() -> None:
    stack = np.zeros((2, 4, 6), np.float32)
    stack[1, :, 5] = 99  # padding: the picture has 5 columns
    restored = export.logits(stack, GEOMETRY, "original")
    assert restored.shape == (2, 8, 10)
    assert restored.max() == 0
    np.testing.assert_array_equal(export.logits(stack, GEOMETRY, "network"), stack)


def test_names_are_no_paths_and_differ_on_every_file_system() -> None:
    cases = [
        "a.png",
        "../up",
        "/root",
        ".",
        "..",
        "",
        "A b\n",
        "x" * 300,
        "x" * 301,
        "Case",
        "case",
        "con",
        "nul.png",
        "é\0",
    ]
    found = export.names(cases, ".npz")
    assert found["a.png"] == "a.png.npz"
    assert found["../up"] == "%2E.%2Fup.npz"
    assert found["A b\n"] == "A%20b%0A.npz"
    assert found["con"].startswith("_con~")
    stems = [name.casefold() for name in found.values()]
    assert len(set(stems)) == len(cases)
    for name in found.values():
        assert not set(name) & set('/\\:*?"<>|\0\n') and not name.startswith(".") and len(name) < 200
    # A name does not depend on what else is exported, except where two could not be told apart.
    assert export.names(["a.png"], ".npz")["a.png"] == "a.png.npz"


def items(*cases: str):
    return (Exported(case, "logits", VALUES, ("a", "b", "c"), GEOMETRY) for case in cases)


def test_a_folder_says_which_file_is_which_case(tmp_path: Path) -> None:
    cases = ["b/x", 'a,"1"']
    export.write_folder(tmp_path / "out", items(*cases), export.names(cases, ".npz"), export.write_npz)
    with (tmp_path / "out" / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["height"], row["width"]) for row in rows] == [("b/x", "4", "6"), ('a,"1"', "4", "6")]
    for row in rows:
        with np.load(tmp_path / "out" / row["file"]) as found:
            assert str(found["case"]) == row["case"]
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_failed_export_leaves_nothing_and_spares_the_old_one(tmp_path: Path) -> None:
    def broken():
        yield from items("a")
        raise StoreError("damaged")

    names = export.names(["a", "b"], ".npz")
    with pytest.raises(StoreError):
        export.write_folder(tmp_path / "out", broken(), names, export.write_npz)
    assert list(tmp_path.iterdir()) == []
    export.write_folder(tmp_path / "out", items("b"), names, export.write_npz)
    with pytest.raises(StoreError):
        export.write_folder(tmp_path / "out", broken(), names, export.write_npz, overwrite=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b.npz", "cases.csv", "out"]


def test_only_an_export_is_replaced(tmp_path: Path) -> None:
    names = export.names(["a", "b"], ".npz")
    out = tmp_path / "out"
    out.mkdir()
    export.write_folder(out, items("a"), names, export.write_npz)
    with pytest.raises(StoreError, match="the folder exists already"):
        export.write_folder(out, items("b"), names, export.write_npz)
    export.write_folder(out, items("b"), names, export.write_npz, overwrite=True)
    assert sorted(path.name for path in out.iterdir()) == ["b.npz", "cases.csv"]
    link = tmp_path / "link"
    link.symlink_to(out)
    export.write_folder(link, items("a"), names, export.write_npz, overwrite=True)
    assert link.is_symlink() and sorted(path.name for path in out.iterdir()) == ["a.npz", "cases.csv"]
    (out / "thesis.txt").write_text("three years")
    with pytest.raises(StoreError, match=r"no export has written: thesis.txt in"):
        export.write_folder(out, items("a"), names, export.write_npz, overwrite=True)
    assert (out / "thesis.txt").read_text() == "three years"
