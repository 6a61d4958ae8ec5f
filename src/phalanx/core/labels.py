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

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Boolean masks `(scored, h, w)` of logits `(c, h, w)`: the largest channel, or every positive one."""
        if not self.exclusive:
            return logits > 0
        winner = logits.argmax(0)
        return np.stack([winner == channel for channel in self.scored])
