"""Configuration: merging, and one clear line for every way of getting it wrong."""

from pathlib import Path

import pytest

from phalanx.commands import _experiment
from phalanx.core import config
from phalanx.core.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def test_base_is_extended_and_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    folder = write(tmp_path, low="a: {x: 1, y: 2}\nb: 1\n", high="base: low\na: {y: 3}\n")
    assert config.load(folder, "high", ["b=7", "a.z=1e-3"]) == {"a": {"x": 1, "y": 3, "z": 1e-3}, "b": 7}


def test_later_bases_win_over_earlier_ones(tmp_path: Path) -> None:
    folder = write(tmp_path, one="a: 1\nb: 1\n", two="a: 2\n", top="base: [one, two]\nc: 3\n")
    assert config.load(folder, "top") == {"a": 2, "b": 1, "c": 3}


def test_a_changed_name_starts_its_section_afresh(tmp_path: Path) -> None:
    folder = write(tmp_path, low="m: {name: unet, depth: 4}\n", high="base: low\nm: {name: fpn}\n")
    assert config.load(folder, "high") == {"m": {"name": "fpn"}}


@pytest.mark.parametrize(
    ("files", "name", "overrides", "message"),
    [
        ({"phantom": "a: 1\n"}, "phantm", [], "no configuration has this name: phantm. Did you mean phantom?"),
        ({"a": "base: b\n", "b": "base: a\n"}, "a", [], "in a circle: a -> b -> a"),
        ({"a": "x: 1\n"}, "a", ["x"], "must read key=value: x"),
        ({"a": "x: [1\n"}, "a", [], "not valid YAML: a.yaml"),
        ({"a": "x: 1\nx: 2\n"}, "a", [], "not valid YAML: a.yaml"),
        ({"a": "- 1\n"}, "a", [], "must be a mapping"),
        ({"a": "x: 1\n"}, "../../etc/passwd", [], "no configuration has this name"),
        ({"a": "x: 1\n", "study/nuclei": "x: 1\n"}, "nuclei", [], "has this name: nuclei. Choose one of a"),
        ({"study/ab": "x: 1\n"}, "study/ac", [], "Did you mean study/ab?"),
        ({"a": "x: ${nothing}\n"}, "a", [], "cannot be resolved"),
    ],
)
def test_a_broken_configuration_is_named(
    tmp_path: Path, files: dict[str, str], name: str, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        config.load(write(tmp_path, **files), name, overrides)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "wrong", "hint"),
    [
        ("trian.epochs=3", "unknown key: trian={'epochs': 3}", "train"),
        ("train.epocs=3", "unknown key: train.epocs=3", "epochs"),
        ("model.encodr=resnet18", "unknown key: model.encodr='resnet18'", "encoder"),
        ("train.optimiser.lrr=1", "unknown key: train.optimiser.lrr=1", "lr"),
        ("data.dataset.peple=3", "unknown key: data.dataset.peple=3", "people"),
        ("data.folds.cout=3", "unknown key: data.folds.cout=3", "count"),
        ("model.name=unett", "no entry of models/ is called 'unett'", "unet"),
        ("loss.name=dise", "no entry of losses/ is called 'dise'", "dice"),
        ("train.epochs=-1", "bad value for train.epochs", "greater than or equal to 1"),
        ("data.size=[100,128]", "contradicts itself", "ata.size must be a multiple of 16"),
        ("seed=abc", "bad value for seed", "integer"),
    ],
)
def test_a_typo_names_the_key_and_the_nearest_valid_one(override: str, wrong: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        _experiment.load(CONFIGS, "phantom", [override])
    assert wrong in str(error.value)
    assert hint in str(error.value).partition(wrong)[2]


def test_a_member_may_not_change_the_data_set() -> None:
    with pytest.raises(ConfigError, match="changes what all members share: dataset"):
        _experiment.load(CONFIGS, "phantom", ["members.unet.data.dataset.people=50"])


def test_a_member_inherits_what_it_does_not_change() -> None:
    experiment = _experiment.load(CONFIGS, "phantom", ["train.epochs=7"])
    built = _experiment.members(experiment)
    assert list(built) == ["unet", "unetplusplus"]
    # The command line has the last word, over what a member says for itself as well.
    assert {member.train.epochs for member in built.values()} == {7}
    assert {member.train.batch_size for member in built.values()} == {experiment.train.batch_size}
    assert built["unetplusplus"].model.name == "unetplusplus"
    assert built["unetplusplus"].seed != built["unet"].seed


def test_values_cannot_name_code() -> None:
    with pytest.raises(ConfigError, match="no entry of models/"):
        _experiment.load(CONFIGS, "phantom", ["model.name=phalanx.core.files"])


@pytest.mark.parametrize("name", sorted(config.available(CONFIGS)))
def test_every_experiment_is_valid_and_resolves_to_itself(name: str, tmp_path: Path) -> None:
    experiment = _experiment.load(CONFIGS, name, [])
    (tmp_path / "again.yaml").write_text(config.to_yaml(experiment))
    assert _experiment.load(tmp_path, "again", []) == experiment
