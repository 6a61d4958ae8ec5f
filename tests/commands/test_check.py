"""`phalanx check` on folders that are sound, odd and hopeless."""

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from phalanx.commands.check import check
from phalanx.core.errors import ConfigError, DataError

APP = typer.Typer()
APP.command()(check)


@pytest.fixture
def nuclei(tmp_path):
    for name in ("a", "b"):
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.random.default_rng(ord(name)).integers(0, 256, (4, 6), np.uint8))
    (tmp_path / "train.csv").write_text("ImageId,EncodedPixels\na,1 6\nb,2 3\nb,9 3\n")
    return tmp_path


def run(*arguments):
    outcome = CliRunner().invoke(APP, [str(word) for word in arguments])
    if outcome.exception and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome.exit_code, outcome.output


def test_sound(nuclei):
    code, text = run(nuclei)
    assert code == 0
    assert "as kaggle_rle: 2 labelled cases of 2 groups" in text and "4 x 6 (2)" in text
    assert "25.000%" in text  # both masks hold 6 of 24 pixels
    assert "0 errors, 0 warnings, 0 images to leave out" in text


def test_errors_exit_with_1_and_are_counted(nuclei):
    (nuclei / "images" / "a.png").write_bytes(b"")
    code, text = run(nuclei)
    assert code == 1
    assert "error: the image cannot be read (1)" in text and "1 error, 0 warnings, 0 images" in text
    code, text = run(nuclei, "--unreadable", "skip", "--headers")
    assert code == 0 and "0 errors, 1 warning, 1 image to leave out" in text


def test_only_ten_of_a_kind_are_shown(nuclei):
    rows = [f"gone{index:02d},1 1" for index in range(13)]
    with (nuclei / "train.csv").open("a") as file:
        file.write("\n".join(rows))
    _, text = run(nuclei)
    assert "warning: rows without image (13)" in text and "and 3 more" in text
    assert "gone09" in text and "gone10" not in text


def test_options_reach_the_reader(nuclei):
    code, text = run(nuclei, "-o", "classes=[nucleus]", "-o", "exclude=[a.png]", "-o", "exclusive=true")
    assert code == 0 and "1 labelled cases" in text and "nucleus" in text and "one class a pixel" in text


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("-o", "clases=[x]"), ConfigError, "Did you mean classes"),
        (("-o", "classes"), ConfigError, "key=value"),
        (("-o", "classes=[x"), ConfigError, "not valid YAML"),
        (("--reader", "kagle_rle"), ConfigError, "Did you mean kaggle_rle"),
        (("--reader", "coco"), ConfigError, "annotations"),
        (("--reader", "mask_folder"), DataError, "folder of masks does not exist"),
        (("-o", "dialect=dsb"), ConfigError, "no dialect has this name"),
    ],
)
def test_wrong_usage_is_one_line(nuclei, arguments, error, says):
    with pytest.raises(error, match=says) as caught:
        run(nuclei, *arguments)
    assert "\n" not in str(caught.value)


def test_wrong_path(nuclei):
    with pytest.raises(DataError, match=f"the data folder does not exist.*[Dd]id you mean {nuclei.name}"):
        run(nuclei.parent / (nuclei.name + "x"))
