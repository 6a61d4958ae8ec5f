"""What a step takes: counted by hand, against PyTorch's own profiler, and the line against a step of full size."""

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from phalanx.core import catalogue
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import Progress
from phalanx.train import memory
from phalanx.train.memory import Footprint, Line, Probe
from phalanx.train.settings import TrainConfig

LABELS = LabelSpace(("background", "organ", "tumour"), exclusive=True)


def method(name: str, **changes):
    torch.manual_seed(5)
    config = catalogue.entry("models", name).Config(encoder="resnet18", weights=None, channels=1, **changes)
    loss = catalogue.build("losses", catalogue.entry("losses", "weighted_sum").Config(), LABELS)
    supervised = catalogue.entry("methods", "supervised")
    make_net = lambda: catalogue.build("models", config).build(3)  # noqa: E731
    return supervised(supervised.Config(), make_net, LABELS, loss, torch.ones(3))


def test_living_tensors_are_counted_while_they_live() -> None:
    x = torch.zeros(1000)
    with memory._Living([x]) as counting:
        a = x + 1  # 4000 bytes
        b = a.view(10, 100)[2:]  # the same storage
        del a
        c = b.double()  # 6400 bytes more
        assert (counting.now, counting.peak) == (10_400, 10_400)
        del b, c
        assert counting.now == 0
        x.add_(1)
        d = x * 2
    assert (counting.now, counting.peak) == (4000, 10_400)
    del d


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_step_is_counted_as_by_the_profiler(precision: str) -> None:
    probe = Probe(method("unet", depth=3, decoder_channels=(16, 8, 8)), TrainConfig(), LABELS, 1, precision)
    batch = probe._batch(2, (64, 96))
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        with probe._autocast():
            terms = probe.method.step(batch, Progress(0, 1))
        torch.stack(list(terms.values())).sum().backward()
        del terms
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = top = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        top = max(top, now)
    # x: 2 images of float32; y: 2 of one byte a pixel.
    assert probe._train(2, (64, 96)) == pytest.approx(top + 2 * 64 * 96 * 5, rel=0.01)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_large_step_takes_what_small_ones_say(precision: str) -> None:
    probe = Probe(method("unet", depth=4, decoder_channels=(64, 32, 16, 16)), TrainConfig(), LABELS, 1, precision)
    found = probe.footprint((256, 160), 3, 4)
    assert found.training.at(3 * 256 * 160) == pytest.approx(probe._train(3, (256, 160)), rel=0.03)
    assert 1 <= found.prediction.at(4 * 256 * 160) / probe._predict(4, (256, 160)) < 1.1


def test_what_stays_whatever_the_batch_by_hand(fake) -> None:
    # 6*25 + 6 + 12 + 4*54 + 4 + 8 + 2*4 + 2 numbers; the norms' statistics and two counters of eight bytes each.
    count = 150 + 6 + 12 + 216 + 4 + 8 + 8 + 2
    made = fake.method()
    buffers = 4 * (12 + 8) + 16 + 8 * 2  # and the method's own counts of two classes, float64
    adamw = Probe(made, fake.settings(ema=0.9), fake.LABELS, 1, "32-true").footprint(fake.SIZE, 4, 2)
    assert (adamw.parameters, adamw.weights, adamw.gradients) == (count, 4 * count + buffers, 4 * count)
    assert adamw.average == adamw.weights
    # Two moments a number, and a step counter of float32 for each of the tensors.
    assert adamw.optimiser == 8 * count + 4 * len(list(made.parameters()))
    plain = fake.settings(optimiser={"name": "sgd", "momentum": 0.9})
    sgd = Probe(fake.method(), plain, fake.LABELS, 1, "32-true").footprint(fake.SIZE, 4, 2)
    assert (sgd.optimiser, sgd.average) == (4 * count, 0)
    pixels = 4 * 24 * 32
    assert sgd.while_training(pixels) == sgd.weights + 8 * count + sgd.training.at(pixels)
    assert sgd.while_predicting(pixels) == sgd.weights + 4 * count + sgd.prediction.at(pixels)
    assert Footprint.from_dict(sgd.to_dict()) == sgd


def test_checkpointed_activations_take_less(fake) -> None:
    size = (64, 96)
    full = Probe(fake.method(), fake.settings(), fake.LABELS, 1, "32-true")._train(2, size)
    less = Probe(fake.method(), fake.settings(checkpoint_activations=True), fake.LABELS, 1, "32-true")._train(2, size)
    assert less < 0.9 * full


def test_a_network_of_one_size_is_measured_at_it(fake) -> None:
    class Fixed(fake.Net):
        def forward(self, x):
            assert x.shape[2:] == (160, 224), "made for one size"
            return super().forward(x)

    probe = Probe(fake.method(Fixed), fake.settings(), fake.LABELS, 1, "32-true")
    found = probe.footprint((160, 224), 6, 8)
    assert found.training.at(6 * 160 * 224) == pytest.approx(probe._train(6, (160, 224)), rel=0.03)


def test_the_pixels_of_a_line() -> None:
    line = Line(100.0, 3.0)
    assert line.at(7) == 121
    assert (line.pixels(121), line.pixels(120.9), line.pixels(50)) == (7, 6, 0)


def test_a_step_survives_unless_memory_runs_out(fake) -> None:
    probe = Probe(fake.method(), fake.settings(), fake.LABELS, 1, "32-true")
    assert probe.survives((24, 32), 3)
    probe.method.net.head = nn.Identity()

    def hungry(x):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    probe.method.net.head.forward = hungry
    assert not probe.survives((24, 32), 3)

    def broken(x):
        raise RuntimeError("shapes cannot be multiplied")

    probe.method.net.head.forward = broken
    with pytest.raises(RuntimeError, match="multiplied"):
        probe.survives((24, 32), 3)


@pytest.mark.gpu
def test_a_step_on_an_accelerator_takes_what_small_ones_say() -> None:
    probe = Probe(method("unet"), TrainConfig(), LABELS, 1, "bf16-mixed")
    found = probe.footprint((512, 512), 8, 8)
    # cuDNN chooses its scratch space by the size of the image.
    assert 0.7 < found.training.at(8 * 512 * 512) / probe._train(8, (512, 512)) < 1.5
    assert probe.survives((512, 512), 8)
