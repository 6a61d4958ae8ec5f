"""Every network: the seam, sizes, gradients, save and load, on odd channel counts and non-square images."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from phalanx.core import catalogue
from phalanx.core.errors import ConfigError, WeightsError

SMALL = {"encoder": "resnet18", "weights": None, "depth": 3, "decoder_channels": (16, 8, 4)}


def network(name: str, **changes):
    config = catalogue.entry("models", name).Config(**{**SMALL, **changes})
    return catalogue.build("models", config).build(5)


@pytest.mark.parametrize("name", catalogue.names("models"))
@pytest.mark.parametrize("channels", [1, 3])
def test_forward_is_decode_of_encode(name: str, channels: int) -> None:
    net = network(name, channels=channels).eval()
    x = torch.randn(2, channels, 32, 64)
    features = net.encode(x)
    decoded = net.decode(features)
    assert decoded.logits.shape == (2, 5, 32, 64)
    assert decoded.embed.shape[0] == 2
    assert features[-1].shape[-1] < features[0].shape[-1]
    assert torch.equal(net(x), decoded.logits)


@pytest.mark.parametrize("name", catalogue.names("models"))
def test_every_parameter_learns(name: str) -> None:
    net = network(name)
    net(torch.randn(2, 3, 32, 64)).square().mean().backward()
    still = [key for key, parameter in net.named_parameters() if parameter.grad is None]
    # With depth 3 the encoder's last stage lies beyond what the decoder asks for.
    assert all("encoder.layer" in key or "encoder.fc" in key for key in still)


@pytest.mark.parametrize("name", catalogue.names("models"))
def test_save_and_load_give_the_same_logits(name: str) -> None:
    first, second, x = network(name).eval(), network(name).eval(), torch.randn(1, 3, 32, 64)
    assert not torch.equal(first(x), second(x))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))


@pytest.mark.parametrize("name", catalogue.names("models"))
@pytest.mark.parametrize("exclusive", [False, True])
def test_the_head_starts_at_the_class_prior(name: str, exclusive: bool) -> None:
    net = network(name)
    shares = torch.tensor([0.9, 0.05, 0.03, 0.015, 0.005])
    net.start_at_prior(shares, exclusive)
    bias = net.output_bias()
    started = bias.softmax(0) if exclusive else bias.sigmoid()
    torch.testing.assert_close(started, shares, rtol=1e-4, atol=1e-6)


def test_an_unknown_encoder_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no encoder has this name: resnet43.*resnet34"):
        network("unet", encoder="resnet43")


def test_a_decoder_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be built"):
        network("unet", decoder_channels=(16, 8))


def test_weights_from_a_file_are_loaded_and_checked(tmp_path: Path) -> None:
    donor = network("unet")
    state = {name: tensor.contiguous() for name, tensor in donor.model.encoder.state_dict().items()}
    save_file(state, tmp_path / "encoder.safetensors")
    loaded = network("unet", weights=str(tmp_path / "encoder.safetensors"))
    assert all(torch.equal(loaded.model.encoder.state_dict()[name], tensor) for name, tensor in state.items())
    state.pop("conv1.weight")
    save_file(state, tmp_path / "short.safetensors")
    with pytest.raises(WeightsError, match=r"does not fit the encoder.*conv1\.weight"):
        network("unet", weights=str(tmp_path / "short.safetensors"))


def test_a_missing_or_hostile_weights_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        network("unet", weights=str(tmp_path / "none.pth"))
    (tmp_path / "bad.pth").write_bytes(b"cos\nsystem\n(S'echo hostile'\ntR.")
    with pytest.raises(WeightsError, match="cannot be read"):
        network("unet", weights=str(tmp_path / "bad.pth"))


def test_weights_that_cannot_be_fetched_say_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import segmentation_models_pytorch as smp

    def offline(*arguments, **keywords):
        raise OSError("no route to host")

    monkeypatch.setattr(smp.encoders, "get_encoder", offline)
    with pytest.raises(WeightsError) as error:
        network("unet", weights="imagenet")
    assert "cannot be fetched: no route to host" in str(error.value)
    assert "model.weights=null" in str(error.value)


@pytest.mark.parametrize("norm", ["group", "instance"])
def test_norms_that_look_at_one_image_alone(norm: str) -> None:
    net, x = network("unet", norm=norm), torch.randn(2, 3, 64, 64)
    assert not [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    alone = net(x[:1])
    assert torch.allclose(net(torch.cat([x[:1], 50 * x[1:]]))[:1], alone, atol=1e-4)
    mixed = network("unet")
    assert not torch.allclose(mixed(torch.cat([x[:1], 50 * x[1:]]))[:1], mixed(x[:1]), atol=1e-2)
