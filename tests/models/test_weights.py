"""Pretrained weights: every tensor of a file accounted for, whatever stands before its names."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from phalanx.core import catalogue, config
from phalanx.core.errors import WeightsError
from phalanx.models import _weights

SMALL = {"encoder": "resnet18", "weights": None, "depth": 3, "decoder_channels": (16, 8, 4)}
TIMM = {"encoder": "tu-test_resnet", "weights": None, "depth": 4, "decoder_channels": (16, 8, 4, 4)}


def network(values, **changes):
    settings = catalogue.entry("models", "unet").Config.model_validate({**values, **changes})
    return catalogue.build("models", settings).build(5)


def state_of(net) -> dict[str, torch.Tensor]:
    return {name: tensor.contiguous() for name, tensor in net.model.encoder.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def write(path: Path, state: dict) -> str:
    if path.suffix == ".safetensors":
        save_file({name: tensor.clone() for name, tensor in state.items()}, path)
    else:
        torch.save(state, path)
    return str(path)


@pytest.mark.parametrize(
    ("values", "prefix"),
    [(SMALL, ""), (SMALL, "model.encoder."), (SMALL, "module.")]
    + [(TIMM, prefix) for prefix in ("", "encoder.", "model.encoder.", "module.", "module.model.encoder.", "net.")],
)
def test_a_prefix_is_found(values, prefix: str, tmp_path: Path) -> None:
    state = state_of(network(values))
    held = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    if prefix.endswith("encoder."):
        held["decoder.blocks.0.conv1.0.weight"] = torch.zeros(3, 2, 1, 1)
    loaded = network(values, weights=write(tmp_path / "net.safetensors", held))
    assert same(state_of(loaded), state)


def test_a_shallow_encoder_takes_the_weights_of_a_whole_one(tmp_path: Path, monkeypatch) -> None:
    """From a file and from a hub, and again from a file of its own."""
    whole = state_of(network({**SMALL, "depth": 5, "decoder_channels": (8,) * 5}))
    shallow = network(SMALL, weights=write(tmp_path / "whole.safetensors", whole))
    found = state_of(shallow)
    assert len(found) < len(whole) and same(found, {name: whole[name] for name in found})
    assert not [name for name in found if name.startswith(("layer3", "layer4"))]
    assert same(state_of(network(SMALL, weights=write(tmp_path / "own.safetensors", found))), found)
    monkeypatch.setattr(_weights, "fetched", lambda *_: whole)
    assert same(state_of(network(SMALL, weights="imagenet")), found)
    shallow.model.encoder.load_state_dict({name: tensor + 1 for name, tensor in whole.items()})
    assert same(state_of(shallow), {name: whole[name] + 1 for name in found})
    with pytest.raises(WeightsError, match="has 1 tensors that the encoder has not, first layer5.x"):
        network(SMALL, weights=write(tmp_path / "odd.safetensors", {**whole, "layer5.x": torch.zeros(1)}))


@pytest.mark.parametrize("inside", ["state_dict", "model", ""])
def test_a_training_checkpoint_is_opened(inside: str, tmp_path: Path) -> None:
    state = state_of(network(SMALL))
    held = {inside: state, "epoch": 3} if inside else state
    assert same(state_of(network(SMALL, weights=write(tmp_path / "net.pth", held))), state)


@pytest.mark.parametrize(
    ("architecture", "depth"), [("test_resnet", 4), ("test_convnext", 5), ("test_efficientnet", 5)]
)
def test_a_classifier_of_timm_is_taken_without_its_head(architecture: str, depth: int, tmp_path: Path) -> None:
    """Names that the feature extractor changes (`stages_0` for `stages.0`), stages that it leaves out, the head."""
    import timm

    whole = timm.create_model(architecture)
    values = {**TIMM, "encoder": f"tu-{architecture}", "depth": depth, "decoder_channels": (4,) * depth}
    net = network(values, weights=write(tmp_path / "timm.safetensors", whole.state_dict()))
    x = torch.randn(1, 3, 64, 96)
    features = timm.create_model(architecture, features_only=True, out_indices=(0, 1, 2))
    wanted = {name: whole.state_dict()[_weights._spelt_plainly(name)] for name in features.state_dict()}
    features.load_state_dict(wanted)
    found = [feature for feature in net.eval().encode(x)[1:] if feature.shape[1]]
    for first, second in zip(found, features.eval()(x), strict=False):
        assert torch.equal(first, second)


def test_missing_tensors_are_named(tmp_path: Path) -> None:
    state = state_of(network(SMALL))
    state.pop("conv1.weight")
    with pytest.raises(WeightsError, match=r"does not fit the encoder.*lacks 1 of \d+ tensors, first conv1\.weight"):
        network(SMALL, weights=write(tmp_path / "short.safetensors", state))


def test_another_shape_is_named(tmp_path: Path) -> None:
    state = state_of(network(SMALL))
    state["layer1.0.conv1.weight"] = torch.zeros(64, 32, 3, 3)
    said = r"1 tensors in another shape, first layer1\.0\.conv1\.weight, \(64, 32, 3, 3\) instead of \(64, 64, 3, 3\)"
    with pytest.raises(WeightsError, match=said):
        network(SMALL, weights=write(tmp_path / "wrong.safetensors", state))


def test_a_larger_network_of_the_same_kind_is_refused(tmp_path: Path) -> None:
    """All that resnet18 needs is in resnet34, in the same shapes."""
    state = state_of(network(SMALL, encoder="resnet34"))
    with pytest.raises(WeightsError, match=r"has \d+ tensors that the encoder has not, first layer1\.2"):
        network(SMALL, weights=write(tmp_path / "resnet34.safetensors", state))


def test_heads_and_counters_are_no_matter(tmp_path: Path) -> None:
    state = state_of(network(SMALL))
    held = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    held |= {"fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}
    loaded = state_of(network(SMALL, weights=write(tmp_path / "net.safetensors", held)))
    assert all(torch.equal(loaded[name], state[name]) for name in held.keys() & state.keys())


def test_two_encoders_in_one_file_are_not_guessed_about(tmp_path: Path) -> None:
    state = state_of(network(SMALL))
    held = {f"{whose}.{name}": tensor + (whose == "b") for name, tensor in state.items() for whose in "ab"}
    with pytest.raises(WeightsError, match="several encoders of this kind"):
        network(SMALL, weights=write(tmp_path / "two.safetensors", held))


@pytest.mark.parametrize("values", [SMALL, TIMM], ids=["smp", "timm"])
def test_a_colour_encoder_looks_at_grey_images(values, tmp_path: Path) -> None:
    """The sum of the kernels: on a grey image it answers as the colour encoder does on three copies of it."""
    colour = network(values).eval()
    grey = network(values, channels=1, weights=write(tmp_path / "net.safetensors", state_of(colour))).eval()
    x = torch.randn(2, 1, 32, 64)
    for first, second in zip(grey.encode(x)[1:], colour.encode(x.repeat(1, 3, 1, 1))[1:], strict=True):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)
    again = network(values, channels=3, weights=write(tmp_path / "grey.safetensors", state_of(grey))).eval()
    for first, second in zip(again.encode(x.repeat(1, 3, 1, 1))[1:], grey.encode(x)[1:], strict=True):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def test_the_first_layer_in_numbers() -> None:
    colour = torch.tensor([1.0, 2, 6, -1, 0, 4]).reshape(2, 3, 1, 1)
    assert torch.equal(_weights.adapted(colour, 1), torch.tensor([9.0, 3]).reshape(2, 1, 1, 1))
    assert torch.equal(_weights.adapted(colour, 3), colour)
    grey = torch.tensor([6.0, -3]).reshape(2, 1, 1, 1)
    assert torch.equal(_weights.adapted(grey, 3), torch.tensor([2.0, 2, 2, -1, -1, -1]).reshape(2, 3, 1, 1))


def test_weights_of_a_run_with_other_norms(tmp_path: Path) -> None:
    """A run with group norms has no running statistics; those of a batch norm are not needed by a group norm."""
    run = network(SMALL, norm="group")
    path = write(tmp_path / "group.safetensors", state_of(run))
    assert same(state_of(network(SMALL, norm="group", weights=path)), state_of(run))
    with pytest.raises(WeightsError, match=r"lacks \d+ .*running_mean"):
        network(SMALL, weights=path)
    batch = network(SMALL)
    loaded = network(SMALL, norm="group", weights=write(tmp_path / "batch.safetensors", state_of(batch)))
    assert torch.equal(state_of(loaded)["layer1.0.conv1.weight"], state_of(batch)["layer1.0.conv1.weight"])


def test_a_missing_or_hostile_weights_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        network(SMALL, weights=str(tmp_path / "none.pth"))
    (tmp_path / "bad.pth").write_bytes(b"cos\nsystem\n(S'echo hostile'\ntR.")
    with pytest.raises(WeightsError, match="cannot be read"):
        network(SMALL, weights=str(tmp_path / "bad.pth"))
    with pytest.raises(WeightsError, match="it holds no tensors"):
        network(SMALL, weights=write(tmp_path / "empty.pth", {"epoch": 3}))


def test_weights_that_cannot_be_fetched_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import segmentation_models_pytorch as smp

    def offline(*arguments, **keywords):
        raise OSError("no route to host")

    monkeypatch.setattr(smp.encoders, "get_encoder", offline)
    for values in (SMALL, TIMM):
        with pytest.raises(WeightsError) as error:
            network(values, weights="imagenet")
        assert "cannot be fetched: no route to host" in str(error.value)
        assert "model.weights=null" in str(error.value)


def test_names_of_weights_are_looked_up_before_anything_is_fetched() -> None:
    assert _weights.hub_name("tu-convnext_tiny", "imagenet") == "tu-convnext_tiny"
    assert _weights.hub_name("tu-convnext_tiny", "fb_in22k") == "tu-convnext_tiny.fb_in22k"
    assert _weights.hub_name("tu-convnext_tiny.fb_in1k", "imagenet") == "tu-convnext_tiny.fb_in1k"
    with pytest.raises(WeightsError, match=r"no weights of this name: fb_in22\. Did you mean .*fb_in22k"):
        _weights.hub_name("tu-convnext_tiny", "fb_in22")
    with pytest.raises(WeightsError, match="timm has no weights for encoder tu-coatnet_0_224"):
        _weights.hub_name("tu-coatnet_0_224", "imagenet")
    with pytest.raises(WeightsError, match="no weights of this name: imagenette"):
        network(SMALL, weights="imagenette")


def test_weights_of_a_hub_are_loaded_and_adapted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What timm fetches is a file; here it lies where timm is told to look."""
    import timm

    whole = timm.create_model("test_resnet")
    path = write(tmp_path / "model.pth", whole.state_dict())
    original, asked = timm.create_model, []

    def from_file(name: str, pretrained: bool = False, **keywords):
        asked.append((name, pretrained))
        overlay = {"pretrained_cfg_overlay": {"file": path}} if pretrained else {}
        return original(name, pretrained=pretrained, **overlay, **keywords)

    monkeypatch.setattr(timm, "create_model", from_file)
    net = network(TIMM, channels=1, weights="r160_in1k")
    assert ("test_resnet.r160_in1k", True) in asked
    expected = whole.state_dict()["conv1.0.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(state_of(net)["model.conv1.0.weight"], expected)
    name = "model.layer1.0.conv1.weight"
    assert torch.equal(state_of(net)[name], whole.state_dict()[name.removeprefix("model.")])


CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_weights_that_configurations_name_exist(path: Path) -> None:
    from segmentation_models_pytorch.encoders import encoders

    model = config.load(path.parent, path.stem)["model"]
    encoder, weights = model["encoder"], model["weights"]
    if weights is not None and encoder.startswith("tu-"):
        assert _weights.hub_name(encoder, weights).startswith(encoder)
    elif weights is not None:
        assert weights in encoders[encoder]["pretrained_settings"]
    else:
        assert encoder in encoders
