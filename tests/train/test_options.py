"""What a configuration may ask of the loop: rates, freezing, plateaus, memory, and the errors it ends with."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from phalanx.core.errors import ConfigError, RunError
from phalanx.train import fit, networks, optimisers, shortage
from phalanx.train.optimisers import AdamW, Sgd


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def watched(method, look):
    """The method; `look` is called before each of its steps."""
    kept = method.step

    def stepping(batch, t):
        look()
        return kept(batch, t)

    method.step = stepping
    return method


def groups_of(monkeypatch) -> list:
    """Collects the optimisers that a training makes."""
    made, kept = [], optimisers.build

    def build(*arguments):
        made.append(kept(*arguments))
        return made[-1]

    monkeypatch.setattr(optimisers, "build", build)
    return made


@pytest.mark.parametrize(
    "schedule", [{"name": "one_cycle"}, {"name": "cosine_restarts", "T_0": 3, "T_up": 1, "eta_max": 0.5}]
)
def test_the_ratio_of_rates_stays_whatever_the_schedule(fake, tmp_path, monkeypatch, schedule: dict) -> None:
    made, ratios, peaks = groups_of(monkeypatch), [], []

    def look() -> None:
        head, backbone = made[0].param_groups[0], made[0].param_groups[2]
        ratios.append(backbone["lr"] / head["lr"])
        peaks.append(head["lr"])

    config = fake.settings(optimiser={"name": "adamw", "lr": 5e-3, "backbone_lr_factor": 0.1}, schedule=schedule)
    method = watched(fake.method(), look)
    fake.train(tmp_path, config, method)
    assert ratios == pytest.approx([0.1] * 8)
    assert len(set(peaks)) > 3
    encoder = {id(parameter) for parameter in method.net.encoder.parameters()}
    for number, group in enumerate(made[0].param_groups):
        assert {id(parameter) in encoder for parameter in group["params"]} == {number >= 2}
        assert {parameter.ndim > 1 for parameter in group["params"]} == {number % 2 == 0}
        assert (group["weight_decay"] > 0) == (number % 2 == 0)


def test_groups_without_a_factor_are_those_of_before() -> None:
    matrix, vector = torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(3))
    groups = optimisers.build(AdamW(lr=0.1, weight_decay=0.2), [vector, matrix], [matrix]).param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.1, 0.0), (0.1, 0.2)]
    # Nesterov's momentum asks for momentum.
    assert optimisers.build(Sgd(momentum=0), [matrix]).param_groups[0]["nesterov"] is False


def test_a_frozen_encoder_stays_as_it_is_and_learns_later(fake, tmp_path) -> None:
    method, seen = fake.method(), []

    def look() -> None:
        parts = [*method.net.encoder.state_dict().values(), *method.net.decoder.state_dict().values()]
        seen.append([part.clone() for part in parts])

    watched(method, look)
    fake.train(tmp_path, fake.settings(freeze={"encoder_epochs": 2}), method)
    count = len(method.net.encoder.state_dict())
    assert count == 7  # kernel and bias; scale, shift, two statistics and a counter of the norm
    for step in range(1, 5):  # two epochs of two steps, seen before each and once after
        assert all(torch.equal(a, b) for a, b in zip(seen[0][:count], seen[step][:count], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(seen[0][count:], seen[4][count:], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(seen[4][:count], seen[5][:count], strict=True))
    assert all(parameter.requires_grad for parameter in method.parameters())


def test_a_plateau_lowers_the_rate_of_the_very_next_step(fake, tmp_path, monkeypatch) -> None:
    made, seen = groups_of(monkeypatch), []
    config = fake.settings(
        epochs=5, optimiser={"name": "sgd", "lr": 1e-2},
        schedule={"name": "plateau", "patience": 0, "threshold": 1.0, "factor": 0.5},
    )  # fmt: skip
    fake.train(tmp_path, config, watched(fake.method(), lambda: seen.append(made[0].param_groups[0]["lr"])))
    # The first validation is the best so far; each one after it lowers the rate of the epoch that follows.
    assert seen == pytest.approx([value for value in (1e-2, 1e-2, 5e-3, 2.5e-3, 1.25e-3) for _ in range(2)])
    assert [float(row["lr"]) for row in rows(tmp_path)] == pytest.approx([1e-2, 1e-2, 5e-3, 2.5e-3, 1.25e-3])


def test_a_loss_hears_of_every_epoch_and_the_last_validation(fake, tmp_path) -> None:
    method = fake.method(staged=True)
    fake.train(tmp_path, fake.settings(epochs=5, validate_every=2), method)
    dices = [float(row["val_dice"]) for row in rows(tmp_path) if row["val_dice"]]
    assert [epoch for epoch, _ in method.loss.told] == [0, 1, 2, 3, 4]
    assert [dice for _, dice in method.loss.told[:2]] == [None, None]
    # The table holds float32.
    assert [dice for _, dice in method.loss.told[2:]] == pytest.approx([dices[0], dices[0], dices[1]], abs=1e-6)


def test_checkpointed_activations_change_nothing(fake, tmp_path) -> None:
    plain, _ = fake.train(tmp_path / "plain", fake.settings(epochs=1))
    method, _ = fake.train(tmp_path / "less", fake.settings(epochs=1, checkpoint_activations=True))
    assert method.net.checkpointed
    for a, b in zip(plain.parameters(), method.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"checkpoint_activations": True}, "train.checkpoint_activations"),
        ({"freeze": {"encoder_epochs": 1}}, "train.freeze.encoder_epochs"),
        ({"optimiser": {"name": "sgd", "backbone_lr_factor": 0.1}}, "train.optimiser.backbone_lr_factor"),
    ],
)
def test_a_network_that_cannot_is_told(fake, tmp_path, changes: dict, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key} does not work with this network: Plain has no \w+\(\)"):
        fake.train(tmp_path, fake.settings(**changes), fake.method(fake.Plain))


def test_channels_last_is_a_choice(fake, tmp_path) -> None:
    for name, chosen in (("last", True), ("first", False)):
        seen = []
        method = fake.method()
        method.net.encoder[0].register_forward_hook(lambda module, given, made, seen=seen: seen.append(given[0]))
        # One image channel lies in memory as it likes; the features after it do not.
        method.net.decoder[0].register_forward_hook(lambda module, given, made, seen=seen: seen.append(given[0]))
        fake.train(tmp_path / name, fake.settings(epochs=1, channels_last=chosen), method)
        assert seen[1].is_contiguous(memory_format=torch.channels_last) is chosen
        assert method.net.decoder[0].weight.is_contiguous(memory_format=torch.channels_last) is chosen


def test_compiled_stages_are_those_that_the_method_calls(fake, monkeypatch) -> None:
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(module))
    method = fake.method()
    networks.compile_stages(method)
    assert compiled == [method.net.encoder, method.net.decoder, method.net.head]
    wrapped = torch.nn.Module()
    wrapped.net = torch.nn.Module()
    wrapped.net.model = method.net
    compiled.clear()
    networks.compile_stages(wrapped)
    assert compiled == [method.net.encoder, method.net.decoder, method.net.head]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_compiled_run_resumes_and_equals_a_plain_one(fake, tmp_path) -> None:
    config = fake.settings(compile=True, ema=0.8)
    fake.assert_resumes(tmp_path, config)
    compiled, _ = fake.train(tmp_path / "unbroken", config)
    plain, _ = fake.train(tmp_path / "plain", fake.settings(ema=0.8))
    for name, tensor in plain.state_dict().items():
        assert torch.allclose(tensor, compiled.state_dict()[name], atol=1e-3), name


@pytest.mark.gpu
def test_float16_resumes_with_its_scale(fake, tmp_path) -> None:
    fake.assert_resumes(tmp_path, fake.settings(precision="16", ema=0.8))


def test_float16_on_a_processor_is_called_what_it_is(fake, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert fit.precision(fake.settings(precision="16")) == "bf16-mixed"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert fit.precision(fake.settings(precision="16")) == "16-mixed"


def test_weights_that_are_no_numbers_leave_the_last_checkpoint_alone(fake, tmp_path) -> None:
    method = fake.method()
    kept, taken = method.after_step, []

    def after(t) -> None:
        kept(t)
        taken.append(t.step)
        if len(taken) == 6:  # the last step of the third epoch
            with torch.no_grad():
                method.net.head.weight.fill_(np.nan)

    method.after_step = after
    with pytest.raises(RunError, match=r"training diverged: the network's logits are not finite in epoch 3\. Lower"):
        fake.train(tmp_path, fake.settings(), method)
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert state["global_step"] == 4
    assert all(torch.isfinite(value).all() for value in state["state_dict"].values())


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 GB"), r"out of memory.*batch_size"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), r"out of memory.*checkpoint_activ"),
        (MemoryError(), r"out of memory while training: MemoryError\. Lower train\.batch_size"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), r"prepares batches.*train\.workers"),
        (RuntimeError("DataLoader worker is killed by signal: Bus error."), r"shared memory.*train\.workers=0"),
    ],
)
def test_a_shortage_of_memory_is_one_clear_line(fake, tmp_path, error: BaseException, says: str) -> None:
    method = fake.method()

    def hungry(batch, t):
        raise error

    fake.train(tmp_path / "other", fake.settings(epochs=1))
    method.step = hungry
    with pytest.raises(RunError, match=says) as told:
        fake.train(tmp_path, fake.settings(), method)
    assert "\n" not in str(told.value)


def test_other_errors_stay_what_they_are(fake, tmp_path) -> None:
    for error in (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory")):
        with pytest.raises(type(error)), shortage.told("training", "lower it"):
            raise error
