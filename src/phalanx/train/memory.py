"""Memory: what a training step and a prediction take, measured on small batches and carried over to larger ones.

Activations grow with the pixels of a batch (images x height x width) and nothing else, so two small steps give a line.
On an accelerator its allocator is asked; on a processor every tensor that an operator makes is counted while it lives,
which is exact where the resident size of the process, full of freed and shared pages, says little. What a library takes
for itself inside an operator is not seen (oneDNN's scratch pads).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from phalanx.core.case import Batch
from phalanx.core.labels import LabelSpace
from phalanx.core.progress import Progress
from phalanx.train import networks, optimisers, shortage
from phalanx.train.adapter import memory_format
from phalanx.train.settings import TrainConfig

# Batches of up to so many pixels are measured as they are; a line is drawn through two of them for anything larger.
_SMALL = 2 * 128 * 128
# (images, side). Two images: some networks pool to one value an image, of which batch norm cannot learn from one.
_PROBES = ((2, 64), (2, 128))


@dataclass(frozen=True)
class Line:
    """`constant + slope * pixels` bytes, `pixels` those of a batch."""

    constant: float
    slope: float

    def at(self, pixels: int) -> int:
        """Bytes of a batch of so many pixels."""
        return round(self.constant + self.slope * pixels)

    def pixels(self, limit: float) -> int:
        """How many pixels stay within so many bytes."""
        return max(int((limit - self.constant) // self.slope), 0) if self.slope > 0 else 0


@dataclass(frozen=True)
class Footprint:
    """What a network takes, in bytes; pixels are those of a batch.

    Args:
        device: `cuda` or `cpu`, where it was measured.
        parameters: how many numbers are learned.
        weights: parameters and buffers.
        gradients: of what is learned.
        optimiser: its state.
        average: an average of the weights, where one is kept.
        update: what the optimiser's step takes for itself.
        training: of one step, beyond weights, gradients, optimiser and average.
        prediction: of one forward pass without gradients, beyond the weights.
    """

    device: str
    parameters: int
    weights: int
    gradients: int
    optimiser: int
    average: int
    update: int
    training: Line
    prediction: Line

    @property
    def kept(self) -> int:
        """What training takes whatever the batch."""
        return self.weights + self.gradients + self.optimiser + self.average

    def while_training(self, pixels: int) -> int:
        """Bytes at the height of a training step."""
        return self.kept + max(self.training.at(pixels), self.update)

    def while_predicting(self, pixels: int) -> int:
        """Bytes at the height of a validation, between two steps of training."""
        return self.kept - self.gradients + self.prediction.at(pixels)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Footprint:
        """What `to_dict` made."""
        lines = {name: Line(**values[name]) for name in ("training", "prediction")}
        return cls(**{**values, **lines})


class Probe:
    """A method on its device, and batches made up for it; trained for some steps it is of no use afterwards.

    Args:
        method: the learning rule, its networks on any device.
        config: the `train:` section; its batch size is not looked at.
        labels: the label space.
        channels: of the images.
        precision: Lightning's name (`bf16-mixed`, `32-true` ...).
    """

    def __init__(self, method: Any, config: TrainConfig, labels: LabelSpace, channels: int, precision: str) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.method = method.to(self.device, memory_format=memory_format(config))
        self.config, self.labels, self.channels = config, labels, channels
        self.kind = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)
        if config.checkpoint_activations:
            for network in networks.able(method, "checkpoint_activations", "train.checkpoint_activations"):
                network.checkpoint_activations(True)
        self.optimiser = optimisers.build(config.optimiser, method.parameters())
        self.learned = [parameter for parameter in method.parameters() if parameter.requires_grad]
        for parameter in self.learned:
            parameter.grad = torch.zeros_like(parameter)

    def footprint(self, size: Sequence[int], batch: int, predicted: int) -> Footprint:
        """Measure.

        Args:
            size: `(height, width)` of the images.
            batch: images a training batch.
            predicted: images a predicted batch.

        Raises:
            RuntimeError, ValueError, AssertionError: the network takes no images of this size.
        """
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            training = self._line(size, batch)
            update, state = self._update()
            prediction = self._slope(size, predicted)
        averaged = self.config.ema is not None or self.config.swa is not None
        weights = _bytes([*self.method.parameters(), *self.method.buffers()])
        return Footprint(
            self.device.type, sum(parameter.numel() for parameter in self.method.parameters()), weights,
            _bytes(self.learned), state, weights if averaged else 0, update, training, prediction,
        )  # fmt: skip

    def survives(self, size: Sequence[int], batch: int) -> bool:
        """Whether a real training step of so many images finds memory enough."""
        try:
            self._train(batch, size)
        except (MemoryError, RuntimeError) as error:
            if shortage.reason(error) is None:
                raise
            return False
        finally:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        return True

    def _line(self, size: Sequence[int], batch: int) -> Line:
        """Of a training step: the line through two small ones, or the very step when that is small enough."""
        pixels = batch * size[0] * size[1]
        if pixels <= _SMALL:
            return Line(0.0, self._train(batch, size) / pixels)
        try:
            found = [(count * side * side, self._train(count, (side, side))) for count, side in _PROBES]
        except (RuntimeError, ValueError, AssertionError):
            # Some networks take images of one size alone.
            found = [(count * size[0] * size[1], self._train(count, size)) for count in (1, 2)]
        (low, less), (high, more) = found
        slope = max((more - less) / (high - low), 0.0)
        return Line(more - slope * high, slope)

    def _slope(self, size: Sequence[int], predicted: int) -> Line:
        """Of a prediction: the greatest of several layers' needs, each a constant and a slope, and so below this line.

        Two points would not do: in a small image a layer with many weights may need the most.
        """
        if predicted * size[0] * size[1] <= _SMALL:
            return Line(0.0, self._predict(predicted, size) / (predicted * size[0] * size[1]))
        count, side = _PROBES[-1]
        try:
            return Line(0.0, self._predict(count, (side, side)) / (count * side * side))
        except (RuntimeError, ValueError, AssertionError):
            return Line(0.0, self._predict(1, size) / (size[0] * size[1]))

    def _train(self, count: int, size: Sequence[int]) -> int:
        """Bytes at the height of a step of `count` images."""
        self.method.train()
        batch = self._batch(count, size)
        with self._counted(batch) as peak:
            with self._autocast():
                terms = self.method.step(batch, Progress(0, 1))
            torch.stack(list(terms.values())).sum().backward()
        return peak() + _bytes(_tensors(batch))

    def _predict(self, count: int, size: Sequence[int]) -> int:
        """Bytes at the height of a prediction of `count` images, its logits as float32 among them."""
        self.method.eval()
        batch = self._batch(count, size)
        with self._counted(batch) as peak, torch.no_grad(), self._autocast():
            self.method.predict(batch.x).float()
        return peak() + _bytes([batch.x])

    def _update(self) -> tuple[int, int]:
        """Bytes that the optimiser's step takes for itself, and those of its state."""
        with self._counted() as peak:
            self.optimiser.step()
        values = [value for state in self.optimiser.state.values() for value in state.values()]
        state = _bytes([value for value in values if isinstance(value, Tensor)])
        return max(peak() - state, 0), state

    def _batch(self, count: int, size: Sequence[int]) -> Batch:
        x = torch.rand(count, self.channels, *size, device=self.device).to(memory_format=memory_format(self.config))
        planes = (count, *size) if self.labels.exclusive else (count, len(self.labels), *size)
        y = torch.zeros(planes, dtype=torch.uint8, device=self.device)
        y[..., : size[1] // 2] = 1
        batch = Batch(x, y, tuple(map(str, range(count))))
        views = getattr(self.method, "strong", 0)
        if getattr(self.method, "weak", False):
            batch.weak = x.clone()
        batch.strong = tuple(x.clone() for _ in range(views))
        if getattr(self.method, "cutmix", False):
            batch.box = tuple(torch.zeros(count, *size, dtype=torch.bool, device=self.device) for _ in range(views))
        return batch

    def _autocast(self) -> Any:
        kind = self.kind or torch.bfloat16
        return torch.autocast(self.device.type, kind, enabled=self.kind is not None, cache_enabled=False)

    @contextmanager
    def _counted(self, batch: Batch | None = None) -> Iterator[Callable[[], int]]:
        """Yields a function that says the bytes at the height of the block, beyond what there was before it."""
        if self.device.type == "cuda":
            before = torch.cuda.memory_allocated(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)
            yield lambda: torch.cuda.max_memory_allocated(self.device) - before
            return
        there = [*self.method.parameters(), *self.method.buffers(), *([] if batch is None else _tensors(batch))]
        grads = [parameter.grad for parameter in self.learned if parameter.grad is not None]
        with _Living([*there, *grads]) as counting:
            yield lambda: counting.peak


class _Living(TorchDispatchMode):
    """Counts the bytes of the tensors that operators make, for as long as they live.

    Args:
        known: tensors that are there already and not counted.
    """

    def __init__(self, known: Sequence[Tensor]) -> None:
        super().__init__()
        self._seen = {tensor.untyped_storage()._cdata for tensor in known}
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._note(leaf.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        place, size = storage._cdata, storage.nbytes()
        if place not in self._seen:
            self._seen.add(place)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._free, place, size)

    def _free(self, place: int, size: int) -> None:
        self._seen.discard(place)
        self.now -= size


def _tensors(batch: Batch) -> list[Tensor]:
    weak = [] if batch.weak is None else [batch.weak]
    return [batch.x, batch.y, *weak, *batch.strong, *batch.box]


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
