"""The image size is held against what the chosen network asks for, before anything is built."""

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
