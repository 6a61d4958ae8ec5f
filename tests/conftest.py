"""Fixtures that more than one room needs."""

import importlib.util
import os
import random
import sys
from pathlib import Path
from types import ModuleType

# Tensors in tests are tiny: more threads cost more than they bring, and workers side by side share the cores. Read by
# every library when it is loaded, in processes of their own too.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Albumentations otherwise asks PyPI for a newer release at import, and warns when there is no network.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import numpy as np
import psutil
import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config, items):
    marked = [item for item in items if item.get_closest_marker("slow")]
    if not config.getoption("--slow"):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="slow: give --slow to run it"))
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not _has_gpu():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="gpu: no CUDA device here"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Workers of `-n auto`: one a core and 3 GB; with more than eight, what each imports costs more than it saves."""
    return max(1, min(os.cpu_count() or 1, psutil.virtual_memory().total // 3_000_000_000, 8))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; a test that needs it is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data here: {SHARED_DATA.parent.name}/{SHARED_DATA.name} is not beside the checkout")
    return SHARED_DATA


def _module(path: Path) -> ModuleType:
    """A helper beside the tests: they run without packages, so that they cannot import each other."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def html() -> type:
    """`html(source)`: a page as its reader gets it; see `tests/view/html_page.py`."""
    return _module(Path(__file__).with_name("view") / "html_page.py").Page


@pytest.fixture(scope="module")
def fake(request) -> ModuleType:
    """`fake.py` of the room that is tested."""
    return _module(request.path.with_name("fake.py"))


@pytest.fixture(autouse=True)
def _same_start():
    """Every test begins with the same random numbers, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - albumentations and older libraries draw from the global generator
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(0)
