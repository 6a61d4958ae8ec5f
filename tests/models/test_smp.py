"""Networks on encoders of every build: any size, one size, no stride-2 stage, dilated; what does not go together."""

import warnings

import pytest
import torch

from phalanx.core import catalogue
from phalanx.core.errors import ConfigError
from phalanx.models import _recompute, _smp


def network(name: str, encoder: str, size: tuple[int, int] | None = None, classes: int = 2, **changes):
    values = {"name": name, "encoder": encoder, "weights": None, **changes}
    return catalogue.build("models", catalogue.entry("models", name).Config.model_validate(values)).build(classes, size)


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("unetplusplus", "tu-test_convnext"),
        ("unetplusplus", "tu-test_maxvit"),
        ("upernet", "tu-test_convnext"),
        ("upernet", "tu-pvt_v2_b0"),
        ("unet3plus", "tu-test_convnext"),
        ("unet3plus", "mobilenet_v2"),
    ],
)
def test_encoders_of_other_strides_give_logits_of_the_images_size(name: str, encoder: str) -> None:
    widths = {"width": 4} if name == "unet3plus" else {}
    size = (160, 96)
    net = network(name, encoder, size, channels=1, **widths).eval()
    with torch.no_grad():
        assert net(torch.randn(1, 1, *size)).shape == (1, 2, *size)


def test_an_encoder_made_for_one_size_is_fitted_to_the_images() -> None:
    """Attention windows of MaxViT are a part of the image: 160 x 96 does not go into those of 160 x 160."""
    net = network("unet", "tu-test_maxvit", (160, 96)).eval()
    with pytest.raises(ConfigError, match=r"built for images of another size: 128x96"):
        net(torch.randn(1, 3, 128, 96))


def test_a_transformer_takes_images_of_any_size_where_it_can() -> None:
    net = network("dpt", "tu-test_vit", (64, 96), widths=(4, 4, 8, 8), decoder_channels=8).eval()
    for size in ((64, 96), (96, 32)):
        assert net(torch.randn(1, 3, *size)).shape == (1, 2, *size)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_small_batches_can_be_learnt_from_where_features_are_pooled(norm: str) -> None:
    """A batch norm over one pixel an image has nothing to tell images apart by, and fails on a batch of one."""
    for name, size in (("deeplabv3plus", 64), ("upernet", 64), ("pan", 256)):
        net = network(name, "tu-test_resnet", decoder_channels=32, norm=norm).train()
        net(torch.randn(1, 3, size, size)).mean().backward()
        assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_replaced_norms_keep_the_activation_that_timm_puts_into_them() -> None:
    net = network("unet", "tu-test_efficientnet", norm="group")
    norms = [module for module in net.model.encoder.modules() if isinstance(module, torch.nn.GroupNorm)]
    assert {type(norm.act).__name__ for norm in norms} == {"SiLU", "Identity"}
    plain = network("unet", "tu-test_efficientnet")
    silent = [m for m in plain.model.encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert [type(norm.act).__name__ for norm in norms] == [type(norm.act).__name__ for norm in silent]
    x = torch.randn(2, norms[0].num_channels, 3, 4)
    expected = torch.nn.functional.silu(torch.nn.functional.group_norm(x, norms[0].num_groups, eps=norms[0].eps))
    torch.testing.assert_close(norms[0](x), expected)


@pytest.mark.parametrize(
    ("name", "encoder", "changes", "said"),
    [
        ("unet", "resnet43", {}, r"no encoder has this name: resnet43.*resnet34"),
        (
            "unet",
            "resnet18",
            {"decoder_channels": (16, 8)},
            "Unet cannot be built on encoder resnet18: Model depth is 5",
        ),
        ("deeplabv3plus", "densenet121", {}, "needs an encoder that can be dilated: densenet121"),
        ("deeplabv3", "tu-hrnet_w18_small", {}, "needs an encoder that can be dilated: tu-hrnet_w18_small"),
        ("pan", "tu-pvt_v2_b0", {}, "needs an encoder that can be dilated: tu-pvt_v2_b0"),
        ("unet", "tu-test_vit", {}, "plain vision transformers go with model.name=dpt"),
        ("dpt", "resnet18", {}, "DPT needs a vision transformer of timm: resnet18"),
        ("dpt", "tu-vit_tiny_patch14_224", {}, "no encoder has this name|patches are 8, 16 or 32 pixels"),
    ],
)
def test_what_does_not_go_together_is_said(name: str, encoder: str, changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        network(name, encoder, **changes)


def test_pan_takes_any_encoder_without_dilation() -> None:
    net = network("pan", "tu-pvt_v2_b0", output_stride=32).eval()
    assert net(torch.randn(1, 3, 512, 544)).shape == (1, 2, 512, 544)


def test_building_draws_the_same_weights_again() -> None:
    torch.manual_seed(4)
    first = network("unetplusplus", "tu-test_resnet")
    after = torch.rand(1)
    torch.manual_seed(4)
    second = network("unetplusplus", "tu-test_resnet")
    assert torch.equal(torch.rand(1), after)
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert first.training


@pytest.mark.parametrize(
    ("name", "encoder", "depth", "share"),
    [
        ("unet", "resnet18", 3, 0.1),
        ("unet", "efficientnet-b0", 4, 0.2),
        ("unetplusplus", "densenet121", 4, 0.8),
        ("unet", "mit_b0", 4, 0.5),
        ("unet", "tu-test_resnet", 3, 1.0),
    ],
)
def test_an_encoder_keeps_only_what_it_uses(name: str, encoder: str, depth: int, share: float, monkeypatch) -> None:
    """The stages beyond its depth are gone, and nothing else has changed. timm leaves them out by itself."""
    nets = []
    for trim in (_smp._trim, lambda *_: []):
        monkeypatch.setattr(_smp, "_trim", trim)
        torch.manual_seed(2)
        nets.append(network(name, encoder, depth=depth, decoder_channels=(8,) * depth).eval())
    x = torch.rand(2, 3, 64, 96)
    assert torch.equal(nets[0](x), nets[1](x))
    nets[0](x).sum().backward()
    assert all(parameter.grad is not None for parameter in nets[0].parameters())
    count, whole = (sum(parameter.numel() for parameter in net.parameters()) for net in nets)
    assert count <= share * whole


def test_an_encoder_that_does_not_run_without_its_idle_stages_keeps_them(monkeypatch) -> None:
    nets = []
    for names in ([], ["layer4", "layer2"]):
        monkeypatch.setattr(_smp._dry, "idle", lambda *_, names=names: names)
        torch.manual_seed(2)
        nets.append(network("unet", "resnet18", depth=4, decoder_channels=(8, 8, 8, 8)).eval())
    x = torch.rand(1, 3, 64, 64)
    assert nets[0].state_dict().keys() == nets[1].state_dict().keys()
    assert torch.equal(nets[0](x), nets[1](x))


def test_recomputed_blocks_are_the_innermost_of_several_layers() -> None:
    net = network("unet", "resnet18", depth=3, decoder_channels=(8, 8, 4))
    names = {id(module): name for name, module in net.named_modules()}
    found = {names[id(block)] for block in _recompute.blocks(net)}
    encoder = {f"model.encoder.layer{stage}.{place}" for stage in (1, 2) for place in (0, 1)}
    assert found == encoder | {f"model.decoder.blocks.{place}" for place in range(3)}


def test_recomputed_dense_blocks_see_the_features_that_they_saw() -> None:
    """A dense block hands its layers one list, which it goes on filling."""
    x, found = torch.randn(2, 3, 32, 64), []
    net = network("unet", "densenet121", depth=3, decoder_channels=(4, 4, 4)).train()
    for on in (False, True):
        net.checkpoint_activations(on)
        net.zero_grad()
        net(x).square().mean().backward()
        found.append([parameter.grad for parameter in net.parameters() if parameter.grad is not None])
    assert all(torch.equal(first, second) for first, second in zip(*found, strict=True))


def test_recomputing_saves_most_of_the_memory() -> None:
    """A UNet++ keeps less than half for the backward pass."""
    x, kept = torch.randn(1, 3, 128, 96), []
    net = network("unetplusplus", "resnet18", depth=4, decoder_channels=(64, 32, 16, 16)).train()
    own = {tensor.untyped_storage().data_ptr() for tensor in net.state_dict().values()}
    for on in (False, True):
        net.checkpoint_activations(on)
        held: dict[int, int] = {}

        def pack(tensor: torch.Tensor, held=held) -> torch.Tensor:
            held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            alive = net(x)
        kept.append(sum(size for place, size in held.items() if place not in own))
        del alive
    assert kept[1] < 0.5 * kept[0]


def test_a_network_without_blocks_cannot_recompute() -> None:
    with pytest.raises(ConfigError, match="cannot be checkpointed: Linear has no blocks"):
        _recompute.switch(torch.nn.Linear(2, 3), True)


def test_no_warning_is_left_to_the_user() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = network("dpt", "tu-test_vit", readout="add", widths=(4, 4, 8, 8), decoder_channels=8)
    assert net.output_bias().shape == (2,)
