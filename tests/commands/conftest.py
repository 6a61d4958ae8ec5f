"""A run small enough for a test: 64 px, a network of a few thousand weights, six phantom people."""

from pathlib import Path

import pytest

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
model: {{name: unet, encoder: resnet18, weights: null, channels: 1, depth: 3, decoder_channels: [16, 8, 8]}}
train:
  {{epochs: 4, batch_size: 2, validate_every: 2, keep: last, precision: "32", optimiser: {{name: adamw, lr: 5.0e-3}}}}
predict: {{batch_size: 3, flips: horizontal}}
submit: {{dialect: handbone, sample: sample_submission.csv}}
"""


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
