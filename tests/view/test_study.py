"""The page of a study: everything in it, nothing from outside, names that bite are escaped."""

import json
import re

from phalanx.view import study

EVIL = "</script><script>alert(1)</script>"


def trial(number: int, **changes) -> dict:
    return {
        "number": number, "state": "done", "dice": 0.5 + number / 100, "seconds": 10.0 + number, "folds": [0.5],
        "labels": {"lr": 10.0 ** -(number + 1), EVIL: EVIL}, "curve": [[1, 0.4], [2, 0.5 + number / 100]],
        "epochs": [4, 4], "reason": "", "retries": 0, "host": "a", **changes,
    }  # fmt: skip


def report(**changes) -> dict:
    trials = [
        *(trial(number) for number in range(4)),
        trial(4, state="ended early", dice=None, epochs=[1, 4]),
        trial(5, state="failed", dice=None, reason=EVIL, epochs=None, curve=[]),
    ]
    axis = {"default": None, "when": {}, "values": "", "log": False, "choices": []}
    return {
        "title": f"study {EVIL}", "command": "python tune.py", "objectives": ["dice", "seconds"], "sampler": "tpe",
        "pruner": "median", "of": "training", "folds": [0], "front": [0, 3], "running": 0,
        "axes": [{**axis, "key": "lr", "log": True}, {**axis, "key": EVIL, "choices": [EVIL, "other"]}],
        "trials": trials, "default": [{"repeat": 0, "dice": 0.49, "seconds": 9.0}], "best": trials[3],
        "noise": {"mean": 0.49, "deviation": 0.01, "luck": 0.02}, "gain": 0.04, "importance": {"lr": 0.9, EVIL: 0.1},
        "saved": {"epochs": 3, "planned": 20, "share": 0.15}, "verdict": [EVIL], **changes,
    }  # fmt: skip


def test_every_part_is_there_and_nothing_can_run() -> None:
    page = study.page(report())
    for name in ("history", "importance", "parallel", "slices", "curves", "front"):
        found = re.search(rf'id="figure-{name}">(.*?)</script>', page, re.DOTALL)
        assert found
        json.loads(found[1])
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "+0.0400" in page
    assert "15%" in page
    assert page == study.page(report())


def test_a_study_without_a_finished_trial_has_a_page() -> None:
    empty = report(trials=[], default=[], best=None, gain=None, front=[], importance={}, saved=None, axes=[])
    empty["noise"] = {"mean": None, "deviation": None, "luck": None}
    assert "no trial is done" in study.page(empty)
