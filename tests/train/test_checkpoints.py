"""Weights of a fold: as they were, whole, and for all who may read the run."""

import os

import pytest
import torch
from torch import nn

from phalanx.core.errors import RunError
from phalanx.train.checkpoints import load_weights, save_weights


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def test_weights_come_back_as_they_were(tmp_path):
    first, second = net(), net()
    first(torch.rand(2, 1, 8, 8))
    save_weights(first, tmp_path / "weights.safetensors")
    load_weights(second, tmp_path / "weights.safetensors")
    assert all(torch.equal(a, second.state_dict()[name]) for name, a in first.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_weights_may_be_read_by_whom_other_files_may_be_read(tmp_path):
    before = os.umask(0o027)
    try:
        save_weights(net(), tmp_path / "weights.safetensors")
        (tmp_path / "other").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "weights.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("content", [b"", b"half a file"])
def test_damaged_weights_are_one_line(tmp_path, content):
    (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(RunError, match="the weights of a fold cannot be read") as told:
        load_weights(net(), tmp_path / "weights.safetensors")
    assert "\n" not in str(told.value)
