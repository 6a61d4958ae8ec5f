"""A run small enough for a test: 64 px, a network of 85,000 weights, six phantom people."""

import functools
import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from phalanx.commands import cli
from phalanx.view import _html

# What a run imports, all at the top of their files.
PRELOADED = (
    "phalanx.commands.run",
    "phalanx.commands._member",
    "phalanx.commands._study_training",
    "phalanx.commands._study_outcome",
    "phalanx.models._smp",
    "phalanx.datasets.phantom",
    "phalanx.methods.supervised",
    "albumentations",
    "segmentation_models_pytorch",
    "torch.utils.tensorboard",
    "plotly.graph_objects",
)

TINY = """# Tiny run for the tests.
#
# Command    python run.py config=tiny
seed: 3
data:
  dataset: {{name: phantom, people: 6, test_people: 2, size: 128, seed: 1, root: {root}}}
  size: [64, 64]
  folds: {{count: 2}}
  cache: {cache}
runs: {runs}
views:
  train: [{{name: HorizontalFlip, p: 0.5}}]
  mean: [0.12]
  std: [0.17]
model: {{name: unet, encoder: tu-test_resnet, weights: null, channels: 1, depth: 3, decoder_channels: [16, 8, 8]}}
train:
  {{epochs: 4, batch_size: 2, validate_every: 2, keep: last, precision: "32", optimiser: {{name: adamw, lr: 5.0e-3}}}}
predict: {{batch_size: 3, flips: horizontal}}
submit: {{dialect: handbone, sample: sample_submission.csv}}
"""


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`typed("vote", "a.csv")`: a command as one types it; exit status, what was printed, what was said as an error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["phalanx", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, error = capsys.readouterr()
        return int(stop.value.code or 0), out, error

    return run


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom data set that all tests of this folder read and none changes."""
    from phalanx.core import catalogue

    root = tmp_path_factory.mktemp("phantom") / "hands"
    config = catalogue.entry("datasets", "phantom").Config(people=6, test_people=2, size=128, seed=1, root=root)
    catalogue.build("datasets", config).read()
    return root


@pytest.fixture
def configs(tmp_path: Path, phantom: Path) -> Path:
    """A folder with `tiny.yaml`; its runs and cache lie in the test's own folder."""
    folder = tmp_path / "configs"
    folder.mkdir()
    text = TINY.format(root=phantom, cache=tmp_path / "cache", runs=tmp_path / "runs")
    (folder / "tiny.yaml").write_text(text)
    return folder


plotly = functools.cache(_html.plotly)


@pytest.fixture(autouse=True)
def _packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plotly's script takes most of a second to compress, for every page anew."""
    monkeypatch.setattr(_html, "plotly", plotly)


@pytest.fixture(scope="session")
def process() -> Callable[..., BaseProcess]:
    """Starts `function(*arguments)` in a process of its own that a test may kill.

    It is forked from a server that has imported what a run needs: a fresh interpreter takes six seconds for that.
    """
    multiprocessing.set_forkserver_preload(list(PRELOADED))
    forkserver.ensure_running()
    context = multiprocessing.get_context("forkserver")

    def start(function: Callable[..., object], *arguments: object) -> BaseProcess:
        started = context.Process(target=function, args=arguments)
        started.start()
        return started

    return start
