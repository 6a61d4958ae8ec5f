"""UNet 3+: which scale sees which, and the heads of deep supervision."""

import pytest
import torch

from phalanx.core import catalogue
from phalanx.core.case import Batch
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import Progress
from phalanx.models._unet3plus import Decoder

CHANNELS, SIZES = [3, 5, 7, 9], [(16, 24), (8, 12), (4, 6), (2, 3)]


def test_every_scale_sees_finer_scales_of_the_encoder_and_coarser_ones_of_the_decoder() -> None:
    decoder = Decoder(CHANNELS, 2).eval()
    features = [torch.randn(1, count, *size) for count, size in zip(CHANNELS, SIZES, strict=True)]
    before = decoder(features)
    assert [tuple(feature.shape[1:]) for feature in before] == [(8, 16, 24), (8, 8, 12), (8, 4, 6), (9, 2, 3)]
    inputs = [[branch[0].in_channels for branch in fusion.branches] for fusion in decoder.fusions]
    assert inputs == [[3, 5, 7, 9], [3, 5, 8, 9], [3, 8, 8, 9]]
    # The finest features reach every scale, the coarsest too; the second finest all but the coarsest.
    for changed, reached in [(0, [1, 1, 1, 0]), (1, [1, 1, 1, 0]), (2, [1, 1, 1, 0]), (3, [1, 1, 1, 1])]:
        other = list(features)
        other[changed] = other[changed] + 1
        after = decoder(other)
        assert [not torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [bool(r) for r in reached]


def test_finer_features_come_down_by_their_maximum() -> None:
    decoder = Decoder(CHANNELS, 2)
    resized = decoder.fusions[0]._resized(torch.arange(16.0).reshape(1, 1, 4, 4), 1, torch.Size((2, 2)))
    assert torch.equal(resized, torch.tensor([[5.0, 7], [13, 15]]).reshape(1, 1, 2, 2))


def network(**changes):
    values = {"name": "unet3plus", "encoder": "tu-test_resnet", "weights": None, "width": 4, **changes}
    return catalogue.build("models", catalogue.entry("models", "unet3plus").Config.model_validate(values)).build(2)


def test_heads_follow_the_configuration() -> None:
    x = torch.randn(2, 3, 64, 96)
    net = network()
    decoded = net.decode(net.encode(x))
    assert [tuple(logits.shape) for logits in decoded.pyramid] == [(2, 2, 64, 96)] * 4
    single = network(deep_supervision=False)
    assert single.decode(single.encode(x)).pyramid == ()
    assert not single.deeply_supervised


@pytest.mark.parametrize("weight", [0.0, 0.25])
def test_the_heads_learn_by_the_weight_that_the_method_gives_them(weight: float) -> None:
    labels = LabelSpace(("a", "b"))
    loss = catalogue.build("losses", catalogue.entry("losses", "bce").Config(), labels)
    config = catalogue.entry("methods", "supervised").Config(auxiliary=weight)
    method = catalogue.build("methods", config, network, labels, loss, torch.ones(2)).train()
    batch = Batch(torch.randn(2, 3, 64, 96), torch.ones(2, 2, 64, 96, dtype=torch.uint8))
    terms = method.step(batch, Progress(0, 10))
    if not weight:
        assert terms.keys() == {"supervised"}
        return
    decoded = method.net.decode(method.net.encode(batch.x))
    expected = weight * sum(loss(logits, batch.y) for logits in decoded.pyramid)
    assert terms["auxiliary"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert terms["supervised"].item() == pytest.approx(loss(decoded.logits, batch.y).item(), rel=1e-5)
