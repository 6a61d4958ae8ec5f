"""Memory plan: what a member will take of accelerator, memory and disk, told before anything is trained.

`memory_plan.json` in a member's folder keeps what was measured and, for `train.batch_size=auto`, the batch that was
found: a run that goes on reads it there, so that no other machine gives it another batch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phalanx.commands._run_folder import LOG
from phalanx.core import files
from phalanx.core.errors import RunError
from phalanx.data import cache as caches
from phalanx.train import fit, machine, shortage
from phalanx.train.memory import Footprint, Probe

if TYPE_CHECKING:
    from phalanx.commands._member import Member

_NAME = "memory_plan.json"
# Shares of what is free that `auto` may fill. Main memory is shared with the loader, the file cache and other programs.
_SHARE = {"cuda": 0.9, "cpu": 0.6}
# `auto` leaves an epoch so many steps: a batch of half the cases fits often, and learns little.
_STEPS = 8
# Measured on Linux: 11 to 21 MB of a loader process are its own, the rest is shared with its parent.
_WORKER = 32 * 2**20
# Batches that each loader process prepares ahead (PyTorch's default), and one that is being used.
_AHEAD = 2
# int8 stores came out 2.7 times (nuclei) to 45 times (phantom hands) smaller than their numbers.
_PACKED = {"int8": 2.5, "float16": 1.0}
_GB = 1e9


@dataclass(frozen=True)
class Sample:
    """What the loader gives for one case.

    Args:
        size: `(height, width)` of a training image.
        whole: the same of an image that is predicted.
        channels: of both.
        loaded: bytes of a training sample as the loader makes it.
        kept: bytes of a case in memory or in the cache, where it is packed.
    """

    size: tuple[int, int]
    whole: tuple[int, int]
    channels: int
    loaded: int
    kept: int


@dataclass(frozen=True)
class Plan:
    """What a member is expected to take.

    Args:
        batch: images a training step.
        size: `(height, width)` of them.
        whole: the same of an image that is predicted.
        footprint: of its network.
        loading: bytes of main memory that preparing batches takes.
        stored: bytes on disk by what they are for, at most.
    """

    batch: int
    size: tuple[int, int]
    whole: tuple[int, int]
    footprint: Footprint
    loading: int
    stored: dict[str, int]

    @property
    def pixels(self) -> int:
        """Pixels of a training batch."""
        return self.batch * self.size[0] * self.size[1]


def tell(members: Sequence[Member]) -> None:
    """Say what the members that still have to be trained will take, and which knob to turn where it does not fit."""
    waiting = [member for member in members if not all(_done(member, fold) for fold in member.folds)]
    plans = [(member, plan) for member in waiting if (plan := _plan(member)) is not None]
    for member, plan in plans:
        for line in _lines(member, plan):
            LOG.info("%s", line)
        for warning in _shortages(member, plan):
            LOG.warning("warning: %s: %s", member.title, warning)
    stored = sum(sum(plan.stored.values()) for _, plan in plans)
    free = machine.free_disk(members[0].folder) if plans else 0
    if stored > free:
        LOG.warning(
            "warning: the disk may fill up: at most %s are written, %s are free; lower train.top_k, choose "
            "predict.dtype=int8, or free some space",
            _gb(stored), _gb(free),
        )  # fmt: skip


def batch_size(member: Member) -> int:
    """Images a training step of a member, found and recorded when the configuration says `auto`.

    Raises:
        RunError: the network cannot be measured, or not even one image fits.
    """
    given = member.experiment.train.batch_size
    if given != "auto":
        return given
    if found := _recorded(member):
        return found["batch_size"]
    plan = _plan(member)
    assert plan is not None
    return plan.batch


def _plan(member: Member) -> Plan | None:
    """The plan of a member; None, with a warning, when its network cannot be measured."""
    try:
        return _measured(member)
    except (RuntimeError, ValueError, AssertionError) as error:
        line = " ".join(str(error).split())[:160]
        if member.experiment.train.batch_size == "auto":
            raise RunError("train.batch_size=auto cannot measure this network", line, "give a number") from None
        LOG.warning("warning: %s: no memory plan: one small training step failed (%s)", member.title, line)
        return None


def _measured(member: Member) -> Plan:
    train = member.experiment.train
    sample, known = _sample(member), _recorded(member)
    probe, footprint = None, None
    if known is not None:
        footprint = Footprint.from_dict(known["footprint"])
    if footprint is None or footprint.device != _device():
        with shortage.told("measuring one small training step", "choose a smaller network, or free some memory"):
            probe = Probe(
                member.method(member.folds[0]), train, member.cases.labels, sample.channels, fit.precision(train)
            )
            footprint = probe.footprint(sample.size, _tried(member, sample), member.experiment.predict.batch_size)
    if known is not None:
        batch = known["batch_size"]
    elif train.batch_size != "auto":
        # A smaller fold makes smaller batches.
        batch = min(train.batch_size, _cases(member))
    else:
        batch = _largest(member, sample, footprint, probe)
    if known is None:
        values = {"batch_size": batch, "footprint": footprint.to_dict()}
        files.write_text(member.folder / _NAME, json.dumps(values, indent=1) + "\n")
    loading = _loading(member, sample, batch)
    return Plan(batch, sample.size, sample.whole, footprint, loading, _stored(member, sample, footprint))


def _tried(member: Member, sample: Sample) -> int:
    """The batch that is measured: the configured one, or one for which a line must be drawn."""
    given = member.experiment.train.batch_size
    return given if given != "auto" else 2 + 2**20 // (sample.size[0] * sample.size[1])


def _largest(member: Member, sample: Sample, footprint: Footprint, probe: Probe | None) -> int:
    """The largest batch that fits: by the plan, and on an accelerator by a real step too."""
    free = _free(footprint)
    limit = _SHARE[footprint.device] * free - footprint.kept
    fits = footprint.training.pixels(limit) // (sample.size[0] * sample.size[1])
    cases = _cases(member)
    batch = min(fits, max(2, cases // _STEPS), cases)
    while probe is not None and footprint.device == "cuda" and batch and not probe.survives(sample.size, batch):
        batch = batch * 4 // 5
    if batch < 1:
        raise RunError(
            "not even one image fits into memory", f"{sample.size[0]} x {sample.size[1]} px, {_gb(free)} free",
            "lower data.size, choose a smaller network, or set train.checkpoint_activations=true",
        )  # fmt: skip
    LOG.info("%s: train.batch_size=auto is %d (%d would fit)", member.title, batch, max(fits, batch))
    return batch


def _cases(member: Member) -> int:
    """The cases that the smallest fold learns from."""
    return min(len(member.cases.part(fold, held=False)) for fold in member.folds)


def _sample(member: Member) -> Sample:
    first = member.cases.part(member.folds[0], held=False)[:1]
    experiment = member.experiment
    data = member._data(first, member.training, 0, experiment.data.window)
    _, image, target = data[0, 0]
    _, whole, _ = member._data(first, member.evaluation, 0)[0, 0]
    kept = data.held.entry(first[0]).nbytes
    loaded = image.nbytes + (0 if target is None else target.nbytes)
    largest = (experiment.views.multi_scale or (1, 1))[1]
    return Sample(_size(image, max(largest, 1)), _size(whole), image.shape[0], loaded, kept)


def _size(image: Any, factor: float = 1) -> tuple[int, int]:
    return math.ceil(image.shape[1] * factor), math.ceil(image.shape[2] * factor)


def _loading(member: Member, sample: Sample, batch: int) -> int:
    """Bytes that the loader takes: cases held in memory by every process, and batches made ahead."""
    train = member.experiment.train
    cases = len(member.cases.train)
    held = min(caches.HELD_BYTES, cases * sample.kept)
    # Training cases in the workers or, without any, in the process itself; the held-out cases always there.
    processes = max(train.workers, 1) + 1
    ahead = 1 + _AHEAD * train.workers
    return processes * held + train.workers * _WORKER + ahead * batch * sample.loaded


def _stored(member: Member, sample: Sample, footprint: Footprint) -> dict[str, int]:
    """Bytes on disk, at most: the cache and the stores are compressed, as well as their contents allow."""
    experiment, cases = member.experiment, member.cases
    count = len(cases.train) + len(cases.test)
    # While a fold is trained there are its last checkpoint and the one being written.
    last = 2 * (footprint.weights + footprint.average + footprint.optimiser)
    weights = len(member.folds) * footprint.weights * (1 + experiment.train.top_k)
    width = 1 if experiment.predict.dtype == "int8" else 2
    logits = len(cases.labels) * sample.whole[0] * sample.whole[1] * width / _PACKED[experiment.predict.dtype]
    return {"checkpoints": last + weights, "cache": count * sample.kept, "stores": round(count * logits)}


def _lines(member: Member, plan: Plan) -> list[str]:
    """The plan, a line for each kind of memory."""
    made, train = plan.footprint, member.experiment.train
    height, width = plan.size
    title = (
        f"Memory plan of {member.title}: {made.parameters / 1e6:.1f} M parameters, {plan.batch} x {height} x {width} "
        f"px a step, {len(member.cases.labels)} classes, {fit.precision(train)}"
    )
    parts = f"weights, gradients and optimiser {_gb(made.kept)}, activations {_gb(made.training.at(plan.pixels))}"
    needs, free = _needs(plan)
    if made.device == "cuda":
        return [
            title,
            f"  accelerator {_gb(needs)} of {_gb(free)} free: {parts}",
            f"  memory {_gb(plan.loading)} of {_gb(machine.free_memory())} free: {train.workers} loader processes",
            _disk(member, plan),
        ]
    return [
        title,
        f"  memory {_gb(needs)} of {_gb(free)} free: {parts}, loader {_gb(plan.loading)}",
        _disk(member, plan),
    ]


def _disk(member: Member, plan: Plan) -> str:
    parts = ", ".join(f"{name} {_gb(size)}" for name, size in plan.stored.items())
    free = machine.free_disk(member.folder)
    return f"  disk at most {_gb(sum(plan.stored.values()))} of {_gb(free)} free: {parts}"


def _needs(plan: Plan) -> tuple[int, int]:
    """Bytes that training takes where the network is, and those that are free there."""
    beside = 0 if plan.footprint.device == "cuda" else plan.loading
    return plan.footprint.while_training(plan.pixels) + beside, _free(plan.footprint)


def _shortages(member: Member, plan: Plan) -> list[str]:
    """What does not fit, and the knob to turn."""
    made, predict = plan.footprint, member.experiment.predict
    needs, free = _needs(plan)
    found = []
    if needs > free:
        beside = needs - made.while_training(plan.pixels)
        fits = made.training.pixels(free - beside - made.kept) // (plan.size[0] * plan.size[1])
        said = f"lower train.batch_size (about {fits} would fit)" if fits else "lower data.size"
        more = "" if member.experiment.train.checkpoint_activations else ", set train.checkpoint_activations=true"
        half = ", train.precision=bf16" if fit.precision(member.experiment.train).startswith("32") else ""
        found.append(f"training takes about {_gb(needs)}, {_gb(free)} are free; {said}{more}{half}")
    height, width = predict.window.size if predict.window else plan.whole
    takes = made.while_predicting(predict.batch_size * height * width)
    if takes > free:
        found.append(
            f"prediction takes about {_gb(takes)}, {_gb(free)} are free; lower predict.batch_size or set predict.window"
        )
    host = machine.free_memory()
    if made.device == "cuda" and plan.loading > host:
        found.append(f"preparing batches takes about {_gb(plan.loading)}, {_gb(host)} are free; lower train.workers")
    return found


def _recorded(member: Member) -> dict[str, Any] | None:
    file: Path = member.folder / _NAME
    return json.loads(file.read_text()) if file.is_file() else None


def _done(member: Member, fold: int) -> bool:
    return (member.folder / f"fold{fold}" / "fold.json").is_file()


def _device() -> str:
    return "cpu" if machine.free_accelerator() is None else "cuda"


def _free(footprint: Footprint) -> int:
    accelerator = machine.free_accelerator()
    return accelerator if footprint.device == "cuda" and accelerator is not None else machine.free_memory()


def _gb(size: float) -> str:
    return f"{size / _GB:.2f} GB" if size < 9.95 * _GB else f"{size / _GB:.0f} GB"
