"""Weights of a fold: as they were, whole, and for all who may read the run."""

import os

import pytest
import torch
from torch import nn

from phalanx.core.errors import RunError
from phalanx.train.checkpoints import load_weights, resumable, save_weights


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


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("method.0.bias"),
        lambda state: state.update({"method.5.weight": torch.ones(1)}),
        lambda state: state.update({"method.0.bias": torch.ones(3)}),
    ],
)
def test_training_goes_on_with_its_own_network_alone(tmp_path, change):
    module = nn.ModuleDict({"method": net()})
    state = module.state_dict() | {"averaged.method.0.bias": torch.ones(9)}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "last.ckpt")
    assert resumable(tmp_path / "last.ckpt", module)["epoch"] == 3
    change(state)
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    with pytest.raises(RunError, match=r"cannot go on: .*1 tensors are not the network's, first method\.") as told:
        resumable(tmp_path / "last.ckpt", module)
    assert "\n" not in str(told.value)


def test_a_truncated_checkpoint_is_one_line(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "last.ckpt")
    whole = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="the training of a fold cannot go on") as told:
        resumable(tmp_path / "last.ckpt", net())
    assert "\n" not in str(told.value)
