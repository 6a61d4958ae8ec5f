"""One synthetic hand from polygon to picture: every room once, in the order in which data passes through them."""

import csv
from pathlib import Path

import numpy as np
import pandas
import torch

from phalanx.core import catalogue
from phalanx.data import decode, quality
from phalanx.data.cache import Cache
from phalanx.data.loader import CaseDataset, loader
from phalanx.data.views import Views
from phalanx.ensemble import soft
from phalanx.mask import dialect, rle, runs
from phalanx.metrics import _counts, _summary
from phalanx.metrics.dice import Dice
from phalanx.predict import predictor, views
from phalanx.store.predictions import Store, Writer
from phalanx.submit.lint import lint
from phalanx.submit.write import write
from phalanx.train import fit
from phalanx.train.settings import TrainConfig
from phalanx.view.report import Picture, Report, render


def test_from_polygon_to_picture(tmp_path: Path) -> None:
    config = catalogue.entry("datasets", "phantom").Config(
        people=3, test_people=1, size=160, seed=5, root=tmp_path / "hands"
    )
    dataset = catalogue.build("datasets", config).read()
    findings, left_out = quality.integrity(dataset, "opencv")
    assert not left_out
    assert not [finding for finding in findings if finding.level == "error"]

    hand = dataset.train[0]
    truth = decode.runs(hand, dataset.labels, "opencv", (160, 160))
    assert len(truth) == 29
    assert all(runs.area(run) > 0 for run in truth)
    assert runs.overlap(truth[25], truth[26]) > 0  # Triquetrum and Pisiform

    # polygons -> batches
    cache = Cache(tmp_path / "cache", dataset.labels, (64, 64), False, 1, "opencv")
    cases = CaseDataset(dataset.train, cache, Views([], (0.12,), (0.17,)), dataset.labels, seed=0)
    batch = next(iter(loader(cases, 2, workers=0, shuffle=False)))
    assert batch.x.shape == (2, 1, 64, 64)
    assert batch.y.shape == (2, 4, 64, 64)  # 29 classes in 4 bytes
    batch.y = dataset.labels.unpack(batch.y)
    assert batch.y.shape == (2, 29, 64, 64)

    # batches -> a network
    def make_net() -> torch.nn.Module:
        chosen = catalogue.entry("models", "unet").Config(
            encoder="resnet18", weights=None, channels=1, depth=3, decoder_channels=(16, 16, 16)
        )
        return catalogue.build("models", chosen).build(29)

    loss = catalogue.build("losses", catalogue.entry("losses", "weighted_sum").Config(), dataset.labels)
    supervised = catalogue.entry("methods", "supervised")
    method = supervised(supervised.Config(), make_net, dataset.labels, loss, torch.ones(29))
    item_of = {case.id: cache.item(case) for case in dataset.train}
    known = {key: (item.geometry, item.truth) for key, item in item_of.items()}
    settings = TrainConfig.model_validate({"epochs": 2, "batch_size": 2, "precision": "32"})
    batches = [loader(cases, 2, workers=0, shuffle=shuffle) for shuffle in (True, False)]
    fit.fit(method, *batches, known, labels=dataset.labels, config=settings, folder=tmp_path / "fold0", seed=0)

    # a network -> stored logits -> runs
    writer = Writer(tmp_path / "oof.zarr", dataset.labels, {})
    looks = views.views(method.eval().predict, "horizontal", (1.0,))
    predictor.into_store(
        looks, [(batch.ids, batch.x, [known[key][0] for key in batch.ids])], writer, precision="32-true"
    )
    writer.close()
    # Two steps teach nothing: the truth's own logits stand for a second, perfect member.
    perfect = Writer(tmp_path / "perfect.zarr", dataset.labels, {})
    for key in batch.ids:
        perfect.write(key, (cache_masks(item_of[key]) * 2.0 - 1) * 7.9, known[key][0])
    perfect.close()
    assert len(list(soft.mean([Store(tmp_path / "oof.zarr")]))) == 2
    found = {key: masks for key, _, masks in soft.mean([Store(tmp_path / "perfect.zarr")])}

    # runs -> scores -> a submission that its own lint accepts
    counts = np.stack([_counts.of(found[key], known[key][1]) for key in batch.ids])
    scores = _summary.scores("dice", Dice()(counts), dataset.labels.names, ["p", "p"])
    assert scores["mean"] > 0.85  # what is lost at 64 px, and no more
    names = dataset.labels.names
    rows = [(key, (160, 160), dict(zip(names, found[key], strict=True))) for key in batch.ids]
    assert write(tmp_path / "submission.csv", dialect.named("handbone"), rows, names) == 58
    problems = lint(tmp_path / "submission.csv", dialect.named("handbone"), (160, 160), names)
    assert not [problem for problem in problems if problem.level == "error"]
    with (tmp_path / "submission.csv").open() as file:
        first = next(csv.DictReader(file))
    decoded = rle.decode(first["rle"], (160, 160), dialect.named("handbone"))
    assert np.array_equal(decoded, found[first["image_name"]][0])

    # ... -> a picture
    picture = Picture(
        case=hand.id,
        caption="one hand",
        image=decode.image(hand),
        truth=dict(zip(names, truth, strict=True)),
        predicted=dict(zip(names, found[hand.id], strict=True)),
        dice=scores["per_class"],
    )
    table = pandas.DataFrame(Dice()(counts), index=list(batch.ids), columns=list(names))
    page = render(
        Report(
            title="flow", command="make test", labels=dataset.labels, scores=[scores], table=table, curves={}, data={},
            findings=findings, best=[picture], worst=[], timings={}, config_yaml="", versions={}, notes=[],
        )
    )  # fmt: skip
    assert hand.id in page
    assert "<svg" in page


def cache_masks(item) -> np.ndarray:
    """Masks `(c, h, w)` of a cached item as float32."""
    return item.masks().transpose(2, 0, 1).astype(np.float32)
