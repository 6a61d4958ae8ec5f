"""`run.py --preview`: a sheet of training samples, and nothing else, in the run's folder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phalanx.commands import _preview, run
from phalanx.commands._experiment import load
from phalanx.view import sheet

MIXED = (
    "views.copy_paste={p: 1.0}",
    "views.cutmix={p: 0.5}",
    "views.mixup={p: 1.0}",
    "views.multi_scale=[0.5, 1.5]",
    "data.mirror={}",
)


def preview(configs: Path, *arguments: str) -> int:
    return run.main(["config=tiny", "--preview", *arguments], configs)


def test_a_sheet_shows_samples_and_trains_nothing(configs: Path, tmp_path: Path, capsys) -> None:
    assert preview(configs) == 0
    folder = tmp_path / "runs" / "tiny"
    assert [path.name for path in folder.iterdir()] == ["preview.png"]
    assert str(folder / "preview.png") in capsys.readouterr().err
    with Image.open(folder / "preview.png") as picture:
        assert picture.width == 2 * 24 + 6 * 310 - 10
        assert picture.height > 4 * 300
    before = (folder / "preview.png").read_bytes()
    assert preview(configs) == 0
    assert (folder / "preview.png").read_bytes() == before


def test_rows_are_cases_and_tiles_are_draws(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {}

    def draw(title, rows, notes, labels):
        told.update(title=title, rows=rows, notes=notes)
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(sheet, "draw", draw)
    assert preview(configs, *MIXED) == 0
    assert len(told["rows"]) == 4
    assert len({heading for heading, _ in told["rows"]}) == 4
    sizes = set()
    for heading, tiles in told["rows"]:
        assert heading.endswith("128x128")
        assert len(tiles) == 6
        assert tiles[0].image.shape == (64, 64)
        assert len(tiles[0].masks) == 29
        for tile in tiles[1:]:
            sizes.add(tile.image.shape)
            assert tile.caption.startswith(f"{tile.image.shape[0]}x{tile.image.shape[1]}   mixup 0.")
            assert tile.masks.keys() & tile.faint.keys()
            assert all(mask.shape == tile.image.shape and mask.any() for mask in tile.masks.values())
    assert len(sizes) > 1
    assert {tiles[0].caption for _, tiles in told["rows"]} == {"as it is", "as it is, mirrored"}
    notes = "\n".join(told["notes"])
    for words in ("side left mirrored", "HorizontalFlip, p 0.5", "views.copy_paste: p 1.0, objects 1 to 3",
                  "views.cutmix: p 0.5", "views.mixup", "views.multi_scale: 0.5 to 1.5"):  # fmt: skip
        assert words in notes


def test_without_views_a_draw_is_the_image_itself(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    monkeypatch.setattr(sheet, "draw", lambda title, given, *rest: rows.extend(given) or np.zeros((4, 4, 3), np.uint8))
    assert preview(configs, "views.train=[]") == 0
    for _, tiles in rows:
        for tile in tiles[1:]:
            assert np.array_equal(tile.image, tiles[0].image)
            assert tile.masks.keys() == tiles[0].masks.keys()
            assert all(np.array_equal(mask, tiles[0].masks[name]) for name, mask in tile.masks.items())


def test_members_that_are_shown_the_same_share_a_sheet(configs: Path) -> None:
    members = "members={a: {seed: 1}, b: {seed: 2}, c: {data: {size: [32, 64]}}}"
    experiment = load(configs, "tiny", [members])
    assert list(_preview._different(experiment)) == ["a", "c"]
    written = _preview.write(experiment)
    assert [path.name for path in written] == ["preview_a.png", "preview_c.png"]
    assert all(path.is_file() for path in written)


def test_faults_are_one_line(configs: Path, capsys) -> None:
    assert preview(configs, "data.mirror.value=lft") == 1
    assert "no case has this side (data.mirror): lft. Did you mean left" in capsys.readouterr().err
    assert preview(configs, "views.copy_paste.classes=[Radus]") == 1
    assert "views.copy_paste.classes names no class: Radus. Did you mean Radius" in capsys.readouterr().err
    assert preview(configs, "views.train=[{name: HorizontalFlop}]") == 1
    assert "Did you mean HorizontalFlip" in capsys.readouterr().err
    assert run.main(["config=tiny", "--prevew"], configs) == 2
