"""LabelSpace: which classes there are, and whether a pixel may hold several.

Bones of a hand overlap, organs exclude each other. Everything that depends on the difference asks the label space, so
that nothing else in the code branches on the task.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from phalanx.core import palette
from phalanx.core.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

# Number of the highest bit of a byte, from 1; 0 of an empty one.
_HIGHEST = np.array([value.bit_length() for value in range(256)], np.uint8)


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a task.

    Args:
        names: one per channel, in channel order. Of an exclusive space the first is the background.
        exclusive: True: softmax, one class a pixel. False: sigmoid, a pixel may hold several classes or none.
        colours: one `#rrggbb` per channel; apart for normal and colour-blind eyes when left out.
    """

    names: tuple[str, ...]
    exclusive: bool = False
    colours: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = tuple(self.names)
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated or len(names) < 1 + self.exclusive:
            raise DataError(
                "a label space needs distinct class names", repeated or names, "rename or add classes in the data set"
            )
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "colours", tuple(self.colours) or palette.colours(len(names)))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def scored(self) -> range:
        """Channels that are scored and submitted: all but an exclusive space's background."""
        return range(int(self.exclusive), len(self.names))

    @property
    def scored_names(self) -> tuple[str, ...]:
        """Names of the scored channels."""
        return tuple(self.names[channel] for channel in self.scored)

    def probability(self, logits: Tensor) -> Tensor:
        """Probabilities of logits `(b, c, ...)`: softmax over the channels, or a sigmoid in each."""
        return logits.softmax(1) if self.exclusive else logits.sigmoid()

    def planes(self, target: Tensor) -> Tensor:
        """Float one-plane-a-class targets `(b, c, ...)` of a batch's labels.

        Labels are `(b, ...)` class indices in an exclusive space and `(b, c, ...)` zeros and ones otherwise.
        """
        if not self.exclusive:
            return target.float()
        from torch.nn.functional import one_hot

        return one_hot(target.long(), len(self)).movedim(-1, 1).float()

    def target(self, masks: np.ndarray) -> np.ndarray:
        """What a network is trained on, from boolean masks `(scored, h, w)` of the scored classes.

        Returns:
            uint8: `(h, w)` class indices in an exclusive space (a later class wins where masks overlap), otherwise
            `(c, h, w)` zeros and ones.
        """
        if not self.exclusive:
            return np.ascontiguousarray(masks, np.uint8)
        target = np.zeros(masks.shape[1:], np.uint8)
        for channel, mask in zip(self.scored, masks, strict=True):
            target[mask.astype(bool)] = channel
        return target

    def packed_target(self, bits: np.ndarray) -> np.ndarray:
        """What `target` says of masks that are packed eight a byte: the form in which a loader hands labels on.

        Args:
            bits: uint8 `(planes, h, w)`; scored class `k` is bit `k % 8`, from the lowest, of plane `k // 8`.

        Returns:
            uint8: `(h, w)` class indices in an exclusive space, otherwise the planes as they are; `unpack` opens them.
        """
        if not self.exclusive:
            return bits
        # The highest bit that is set is the latest class. A fill_mask of the views may have set those of no class, too.
        target = np.zeros(bits.shape[1:], np.uint8)
        for place, plane in enumerate(bits):
            used = min(len(self.scored) - 8 * place, 8)
            later = np.take(_HIGHEST, plane & np.uint8(2**used - 1))
            np.copyto(target, later + np.uint8(8 * place), where=later > 0)
        return target

    def unpack(self, target: Tensor) -> Tensor:
        """A batch's labels as methods see them, on the device they lie on; labels that are not packed come back as is.

        Packed, 29 classes of 1024 x 1024 pixels are 4 MiB instead of 29 on their way to the device.
        """
        if self.exclusive or target.ndim < 2 or target.shape[1] == len(self):
            return target
        import torch

        planes = torch.empty((len(target), len(self), *target.shape[2:]), dtype=torch.uint8, device=target.device)
        for channel in range(len(self)):
            # Class by class: eight times as fast on a CPU as one operation over all shifts, whose loops are not SIMD.
            torch.bitwise_and(target[:, channel // 8] >> channel % 8, 1, out=planes[:, channel])
        return planes

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Boolean masks `(scored, h, w)` of logits `(c, h, w)`: the largest channel, or every positive one."""
        if not self.exclusive:
            return logits > 0
        winner = logits.argmax(0)
        return np.stack([winner == channel for channel in self.scored])
