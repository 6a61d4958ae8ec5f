"""Fixtures that more than one room needs."""

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

# Albumentations otherwise asks PyPI for a newer release at import, and warns when there is no network.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

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


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; a test that needs it is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data here: {SHARED_DATA.parent.name}/{SHARED_DATA.name} is not beside the checkout")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def _same_start():
    """Every test begins with the same random numbers, whichever tests ran before it.

    Tensors in tests are tiny: on a machine of many cores, more than two threads cost more than they bring.
    """
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - albumentations and older libraries draw from the global generator
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(0)
        torch.set_num_threads(min(2, torch.get_num_threads()))
