"""`phalanx view` as it is typed: what it refuses; and the page in a real browser."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from phalanx.commands import _found, _viewed, _viewed_volume
from phalanx.mask.dialect import named

HEAD = "image_name,class,rle\n"


@pytest.fixture
def call(typed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        status, _, error = typed("view", *arguments)
        return status, error

    return run


def picture(path: Path, height: int = 6, width: int = 9) -> None:
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width), 90, np.uint8))


def refused(status: int, error: str, *words: str) -> None:
    assert status == 1
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    for word in words:
        assert word in error


def test_a_csv_at_fault_is_told_before_the_page_is_served(call):
    picture(Path("images/a.png"))
    Path("broken.csv").write_text(f"{HEAD}a.png,x,1 4 9\n")
    refused(*call("broken.csv", "--images", "images"), "broken.csv, line 2 (a.png, x)")
    Path("long.csv").write_text(f"{HEAD}a.png,x,50 9\n")
    refused(*call("long.csv", "--images", "images"), "long.csv, line 2 (a.png, x)", "54")
    refused(*call("none.csv", "--images", "images"), "the CSV cannot be read", "none.csv")


def test_images_that_do_not_fit_are_told(call):
    Path("a.csv").write_text(f"{HEAD}a.png,x,1 4\nb.png,x,1 4\n")
    refused(*call("a.csv", "--images", "images"), "the folder of images does not exist")
    picture(Path("images/c.png"))
    refused(*call("a.csv", "--images", "images"), "no image of the submissions is in the folder", "2 in the files")
    picture(Path("images/a.png"))
    Path("truth.csv").write_text(f"{HEAD}b.png,x,1 4\n")
    refused(*call("a.csv", "--images", "images", "--truth", "truth.csv"), "the truth has no row of the predictions")
    refused(*call("a.csv", "--images", "images", "--store", "none.zarr"), "none.zarr")


def test_wrong_usage(call):
    picture(Path("images/a.png"))
    Path("a.csv").write_text(f"{HEAD}a.png,x,1 4\n")
    assert call("a.csv", "./a.csv", "--images", "images")[0] == 2
    assert call("a.csv")[0] == 2
    assert call("a.csv", "--images", "images", "--dialect", "nonsense")[0] == 2


def test_the_truth_is_shown_as_a_patch_corrects_it(call, phantom, monkeypatch):
    from phalanx.commands import check
    from phalanx.core import catalogue
    from phalanx.view import app

    case = catalogue.build("datasets", check.settings(phantom, None, [])).read().train[0]
    fix = {"expect": {"classes": 29}, "fixes": [{"swap": ["finger-9", "finger-10"]}]}
    Path("fixes.yaml").write_text(yaml.safe_dump({"format": "phalanx-patch/1", "cases": {case.id: fix}}))
    Path("a.csv").write_text(f"{HEAD}{Path(case.id).name},finger-9,1 4\n")
    served = []
    monkeypatch.setattr(app, "serve", lambda shown, *_, **__: served.append(shown))
    told = ["a.csv", "--images", phantom / "train", "--truth", phantom]
    assert [call(*told), call(*told, "--patch", "fixes.yaml")] == [(0, ""), (0, "")]
    plain, patched = ([shown.mask(shown.truth, 0, label).tolist() for label in range(29)] for shown in served)
    first, second = (served[0].classes.index(name) for name in ("finger-9", "finger-10"))
    assert plain[first] != plain[second]
    plain[first], plain[second] = plain[second], plain[first]
    assert patched == plain
    refused(*call(*told, "--patch", "none.yaml"), "none.yaml")
    assert call("a.csv", "--images", phantom / "train", "--patch", "fixes.yaml")[0] == 2


def test_rows_are_joined_by_key_and_what_a_file_lacks_is_no_empty_mask(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(Path("images/a.png"))
    picture(Path("images/deep/b.png"), 7, 8)
    Path("one.csv").write_text(f"{HEAD}a.png,x,1 4\na.png,y,\nb.png,y,3 2\nc.png,x,1 1\n")
    Path("two.csv").write_text(f"{HEAD}b.png,y,3 2\na.png,y,2 2\n")
    found = [_found.find(Path(name), named("handbone"), _found.Reading()) for name in ("one.csv", "two.csv")]
    shown = _viewed.gallery(found, None, Path("images"), None)
    assert list(shown.cases) == ["a.png", "b.png"]
    assert list(shown.sizes) == [(6, 9), (7, 8)]
    assert list(shown.classes) == ["x", "y"]
    assert shown.notes == ["1 of 3 images are not in images and left out: c.png"]
    one, two = shown.members
    assert one.present.tolist() == [[True, True], [False, True]]
    assert two.present.tolist() == [[False, True], [False, True]]
    assert shown.mask(one, 0, 0).tolist() == [[0, 4]]
    assert shown.mask(two, 0, 1).tolist() == [[1, 3]]
    assert shown.mask(two, 1, 1).tolist() == [[2, 4]]
    assert not len(shown.mask(two, 1, 0))


def test_colours_belong_to_names_and_not_to_their_order():
    assert _viewed.colours(["Ulna", "finger-2"]) == _viewed.colours(["finger-2", "Ulna"])[::-1]
    names = [f"organ-{number}" for number in range(1, 12)]
    assert _viewed.colours(names[::-1]) == _viewed.colours(names)[::-1]
    assert len(set(_viewed.colours(names))) == 11


def nifti(name: str, voxels: np.ndarray, affine: np.ndarray | None = None) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine), name)


def test_volumes_are_turned_to_right_front_and_head(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    # Stored with x to the left and slices first along y: the same scan as the plain one.
    turned = np.array([[-2, 0, 0, 2], [0, 0, 1.5, 0], [0, 3, 0, 0], [0, 0, 0, 1]])
    nifti("plain.nii.gz", voxels, np.diag([2, 1.5, 3, 1]))
    nifti("turned.nii.gz", voxels[::-1].transpose(0, 2, 1).copy(), turned)
    shown = _viewed_volume.volume([Path("turned.nii.gz")], Path("plain.nii.gz"), None)
    assert shown.spacing == (2, 1.5, 3)
    np.testing.assert_array_equal(shown.image, voxels)
    np.testing.assert_array_equal(shown.members[0].voxels, voxels)
    assert (shown.classes[0], len(shown.classes), shown.members[0].name) == ("label 1", 23, "turned")


def test_volumes_at_fault_are_told(call):
    nifti("scan.nii.gz", np.zeros((2, 3, 4), np.int16))
    nifti("small.nii.gz", np.ones((2, 3, 5), np.uint8))
    refused(*call("small.nii.gz", "--images", "scan.nii.gz"), "a label map is not of the scan", "(2, 3, 5)")
    nifti("beside.nii.gz", np.ones((2, 3, 4), np.uint8), np.diag([1, 1, 2, 1]))
    refused(*call("beside.nii.gz", "--images", "scan.nii.gz"), "beside.nii.gz lies 4.0 mm beside scan.nii.gz")
    nifti("greys.nii.gz", np.full((2, 3, 4), 0.5, np.float32))
    refused(*call("greys.nii.gz", "--images", "scan.nii.gz"), "a label map holds greys", "0.5")
    nifti("none.nii.gz", np.zeros((2, 3, 4), np.uint8))
    refused(*call("none.nii.gz", "--images", "scan.nii.gz"), "has no labels")
    nifti("four.nii.gz", np.zeros((2, 3, 4, 2), np.uint8))
    refused(*call("none.nii.gz", "--images", "four.nii.gz"), "the scan is no volume")
    Path("broken.nii.gz").write_bytes(b"no NIfTI")
    refused(*call("broken.nii.gz", "--images", "scan.nii.gz"), "the label map cannot be read")
    refused(*call("lost.nii.gz", "--images", "scan.nii.gz"), "the label map does not exist")
    Path("a.csv").write_text(f"{HEAD}a.png,x,1 4\n")
    assert call("a.csv", "scan.nii.gz", "--images", "scan.nii.gz")[0] == 2
