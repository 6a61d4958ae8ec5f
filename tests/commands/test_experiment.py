"""Parts of a configuration are held against each other before anything is built."""

from pathlib import Path

import pytest

from phalanx.commands import _experiment
from phalanx.core.errors import ConfigError


def load(folder: Path, model: str, size: str):
    text = f"data: {{dataset: {{name: phantom}}, size: {size}}}\nmodel: {model}\n"
    (folder / "sized.yaml").write_text(text, encoding="utf-8")
    return _experiment.load(folder, "sized", [])


@pytest.mark.parametrize(
    ("model", "fits", "wrong", "said"),
    [
        ("{name: fpn, encoder: resnet18, depth: 4}", "[48, 80]", "[48, 72]", "a multiple of 16"),
        ("{name: deeplabv3, encoder: resnet18}", "[40, 72]", "[40, 76]", "a multiple of 8"),
        ("{name: deeplabv3plus, encoder: resnet18}", "[48, 80]", "[48, 72]", "a multiple of 16"),
        ("{name: dpt}", "[96, 160]", "[96, 144]", "a multiple of 32"),
        ("{name: pan, encoder: resnet18}", "[256, 272]", "[240, 272]", "a multiple of 16, 256 or more"),
        (
            "{name: pan, encoder: resnet18, output_stride: 32}",
            "[512, 544]",
            "[512, 256]",
            "a multiple of 32, 512 or more",
        ),
    ],
)
def test_sizes_by_network(tmp_path: Path, model: str, fits: str, wrong: str, said: str) -> None:
    assert load(tmp_path, model, fits).data.size == tuple(map(int, fits.strip("[]").split(", ")))
    with pytest.raises(ConfigError, match=rf"ata\.size must be {said} for this network, is"):
        load(tmp_path, model, wrong)


@pytest.mark.parametrize(
    ("mirror", "flips", "view", "fits"),
    [
        ("{}", "horizontal", "Rotate", False),
        ("{}", "both", "Rotate", False),
        ("{}", "both", "HorizontalFlip", True),
        ("{}", "vertical", "Rotate", True),
        ("null", "both", "Rotate", True),
    ],
)
def test_hands_turned_to_one_side_are_not_turned_back_to_predict(
    tmp_path: Path, mirror: str, flips: str, view: str, fits: bool
) -> None:
    (tmp_path / "sided.yaml").write_text(
        f"data: {{dataset: {{name: phantom}}, mirror: {mirror}}}\nviews: {{train: [{{name: {view}, p: 0.5}}]}}\n"
        f"model: {{name: unet}}\npredict: {{flips: {flips}}}\n",
        encoding="utf-8",
    )
    if fits:
        assert _experiment.load(tmp_path, "sided", []).predict.flips == flips
        return
    with pytest.raises(ConfigError, match=f"predict.flips={flips} the network sees the side that data.mirror keeps"):
        _experiment.load(tmp_path, "sided", [])
