"""Lets torchvision be imported where its compiled operators cannot be loaded.

PyPI's Linux wheel of torchvision is built for CUDA. Beside a CPU build of torch its library `_C` does not load, which
torchvision allows for, except in two registrations that need the schemas of `nms` and `qnms`: `import torchvision`,
and with it timm and segmentation-models-pytorch, ends in "operator torchvision::nms does not exist". With the two
schemas declared everything in pure Python works, and the compiled operators keep torchvision's own clear error.

Source: torchvision 0.28.0, extension.py (`_has_ops`) and _meta_registrations.py (`register_fake`).
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder, SourceFileLoader

# Every command pays for this module: `typing` and `collections.abc` would be 12 of its 14 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# torchvision imports this module first of all: it loads `_C` and knows whether that worked.
_EXTENSION = "torchvision.extension"

# The two operators of torchvision that no `_has_ops()` guards.
_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

# torch withdraws what a Library declared as soon as the Library is collected.
_kept_alive: list[object] = []


def install() -> None:
    """Declare the missing schemas when torchvision is first imported, if its compiled library does not load then.

    Costs nothing until then: neither torch nor torchvision is imported here. A second call changes nothing.
    """
    if _EXTENSION not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds `torchvision.extension`, once, and steps aside."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _EXTENSION:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Runs `torchvision.extension`, then declares what it could not load."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if not module._has_ops():
            _declare()


def _declare() -> None:
    import torch

    # A fragment, unlike a definition, may stand beside another one of the same namespace.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _kept_alive.append(library)
