"""The journal of scores: what is read of a recipe, one line a recipe, and statistics worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from phalanx.core.errors import ConfigError
from phalanx.ensemble import journal
from phalanx.ensemble.journal import Entry

SCORES = """kind: soft
scores:
- {metric: dice, mean: 0.9, interval: [0.88, 0.92], of: 'nested, plain mean'}
- {metric: dice, mean: 0.95, interval: [0.94, 0.96], of: nested}
- {metric: iou, mean: 0.85, interval: [0.84, 0.86], of: nested}
- {metric: dice, mean: 0.97, of: out-of-fold}
"""


def recipe(folder: Path, text: str = SCORES, name: str = "r.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def add(entries: list[Entry], path: Path, date: str = "2026-01-02", **told) -> list[Entry]:
    return journal.add(entries, path, path.parent, date, told)[0]


def test_scores_are_read_from_the_recipe(tmp_path: Path) -> None:
    found = journal.measured(recipe(tmp_path))
    assert found == {"metric": "dice", "nested": 0.95, "low": 0.94, "high": 0.96, "oof": 0.97}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("scores: [{metric: iou, mean: 0.8, interval: [0.7, 0.9]}]", ("iou", 0.8, None, 0.7, 0.9)),
        ("scores: [{mean: 1, interval: [null, null], of: out-of-fold}]", ("", 1.0, None, None, None)),
        # Of two scores of one kind the first counts.
        ("scores: [{mean: .8, of: nested}, {mean: .6, of: nested}]", ("", None, 0.8, None, None)),
        # The interval of the nested score wins, whichever comes first.
        ("scores: [{mean: .8, interval: [.7, .9], of: out-of-fold}, {mean: .6, interval: [.5, .7], of: nested}]",
         ("", 0.8, 0.6, 0.5, 0.7)),
        ("scores: [{mean: .6, interval: [.5, .7], of: nested}, {mean: .8, interval: [.7, .9], of: out-of-fold}]",
         ("", 0.8, 0.6, 0.5, 0.7)),
    ],
)  # fmt: skip
def test_other_scores(tmp_path: Path, text: str, found: tuple) -> None:
    values = journal.measured(recipe(tmp_path, text))
    assert tuple(values.get(name) for name in ("metric", "oof", "nested", "low", "high")) == found


@pytest.mark.parametrize("text", ["kind: hard", "scores: []", "scores: [{mean: 0.9, of: test}]"])
def test_a_recipe_without_scores_needs_one_told(tmp_path: Path, text: str) -> None:
    path = recipe(tmp_path, text)
    with pytest.raises(ConfigError, match=r"no out-of-fold score: .*r\.yaml\. Give it with --oof"):
        add([], path, public=0.9)
    (entry,) = add([], path, public=0.9, oof=0.91)
    assert (entry.oof, entry.public, entry.nested) == (0.91, 0.9, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1", "is not a mapping"),
        ("a: [", "is not YAML"),
        ("scores: 0.9", "not a list of scores"),
        ("scores: [0.9]", "not a list of scores"),
        ("scores: [{mean: 97}]", r"not between 0 and 1: oof of .*: 97. Write 0.97 for 97 %"),
        ("scores: [{mean: .nan}]", "not between 0 and 1"),
        ("scores: [{mean: 0.9, interval: [0.8, 1.1], of: nested}]", "interval of"),
    ],
)
def test_recipes_that_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        add([], recipe(tmp_path, text))


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_score_is_between_0_and_1(tmp_path: Path, score: float) -> None:
    for name in ("public", "private", "oof"):
        with pytest.raises(ConfigError, match=f"not between 0 and 1: {name}"):
            add([], recipe(tmp_path), **{name: score})
    assert add([], recipe(tmp_path), public=0, private=1)[0].public == 0


def test_a_recipe_has_one_line_and_later_scores_complete_it(tmp_path: Path) -> None:
    first, other = recipe(tmp_path / "a"), recipe(tmp_path / "a", SCORES + "# another\n", "s.yaml")
    entries = add(add([], first, public=0.96, note="one"), other)
    entries = add(entries, first, "2026-05-06", private=0.955)
    assert [(entry.date, entry.recipe, entry.public, entry.private, entry.note) for entry in entries] == [
        ("2026-01-02", "r.yaml", 0.96, 0.955, "one"),
        ("2026-01-02", "s.yaml", None, None, ""),
    ]
    # The same file elsewhere is the same recipe; an edited one is not.
    moved = recipe(tmp_path / "b")
    entries, entry = journal.add(entries, moved, tmp_path / "a", "2026-05-06", {"public": 0.961})
    assert (len(entries), entry.recipe, entry.public, entry.private) == (2, "../b/r.yaml", 0.961, 0.955)
    assert len(add(entries, recipe(tmp_path / "a", SCORES + "# edited\n"))) == 3


def test_a_score_that_was_told_stays(tmp_path: Path) -> None:
    path = recipe(tmp_path, "scores: [{mean: 0.9, interval: [0.8, 0.95]}]")
    entries = add([], path, oof=0.7)
    assert (entries[0].oof, entries[0].low) == (0.7, None), "the interval is not of the score that was told"
    entries = add(entries, path, public=0.71)
    assert (entries[0].oof, entries[0].low, entries[0].public) == (0.7, None, 0.71)
    nested = add([], recipe(tmp_path), oof=0.5)[0]
    assert (nested.oof, nested.nested, nested.low) == (0.5, 0.95, 0.94)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log.csv"
    assert journal.load(path) == []
    entries = [
        Entry("2026-01-02", "a, b.yaml", "00", "dice", 0.1 + 0.2, 0.95, 0.94, 0.96, 0.0, 1.0, 'said "ü"'),
        Entry("2026-01-03", "c.yaml", "11", oof=0.9),
    ]
    journal.save(path, entries)
    assert journal.load(path) == entries
    assert path.read_text(encoding="utf-8").startswith(
        "date,recipe,sha256,metric,oof,nested,low,high,public,private,note\n"
    )
    # As a spreadsheet saves it.
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert journal.load(path) == entries


def test_a_log_without_metrics_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("date,recipe,sha256,oof,nested,low,high,public,private,note\n2026-01-02,r,00,0.9,,,,0.8,,x\n")
    (entry,) = journal.load(path)
    assert (entry.metric, entry.oof, entry.public, entry.note) == ("", 0.9, 0.8, "x")
    journal.save(path, [entry])
    assert journal.load(path) == [entry]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "other columns: .*begins with nothing"),
        ("a,b\n1,2\n", "other columns: .*begins with a,b"),
        ("HEAD\n2026-01-02,r,00\n", r"wrong number of cells: .*line 2: 3"),
        ("HEAD\n2026-01-02,r,00,dice,0.9,,,,97,,\n", r"not between 0 and 1: public in .*line 2: 97"),
        ("HEAD\n2026-01-02,r,00,dice,good,,,,,,\n", r"oof in .*line 2: good"),
    ],
)
def test_logs_that_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text.replace("HEAD", ",".join(journal.COLUMNS)))
    with pytest.raises(ConfigError, match=words):
        journal.load(path)


def entries(*scores: tuple) -> list[Entry]:
    return [Entry("", "", "", oof=oof, public=public, private=private) for oof, public, private in scores]


def test_agreement_by_hand() -> None:
    found = journal.agreements(entries((0.90, 0.80, None), (0.92, 0.84, 0.9), (0.94, 0.82, None), (0.96, None, None)))
    assert [(part.ours, part.theirs, part.entries) for part in found] == [("oof", "public", 3), ("oof", "private", 1)]
    first, few = found
    # Ranks 1 2 3 against 1 3 2: 1 - 6 * 2 / (3 * 8); differences -0.10, -0.08, -0.12.
    assert first.spearman == pytest.approx(0.5)
    assert first.pearson == pytest.approx(0.5)
    assert first.difference == pytest.approx(-0.10)
    assert first.spread == pytest.approx(0.02)
    assert (first.same, first.pairs) == (2, 3)
    assert (few.spearman, few.difference, few.same) == (None, None, None)


def test_agreement_is_that_of_scipy_ties_included() -> None:
    draw = np.random.default_rng(4)
    ours, theirs = draw.integers(80, 90, 15) / 100, draw.integers(70, 76, 15) / 100
    (found,) = journal.agreements(entries(*((a, b, None) for a, b in zip(ours, theirs, strict=True))))
    assert found.spearman == pytest.approx(stats.spearmanr(ours, theirs).statistic)
    assert found.pearson == pytest.approx(stats.pearsonr(ours, theirs).statistic)
    order = [
        np.sign(ours[i] - ours[j]) * np.sign(theirs[i] - theirs[j]) for i in range(15) for j in range(i)
    ]  # fmt: skip
    assert (found.same, found.pairs) == (order.count(1), order.count(1) + order.count(-1))
    assert found.pairs < 105, "ties are no order"


def test_equal_scores_have_no_correlation() -> None:
    (found,) = journal.agreements(entries((0.9, 0.8, None), (0.9, 0.7, None), (0.9, 0.6, None)))
    assert (found.spearman, found.pearson, found.pairs) == (None, None, 0)
    assert found.difference == pytest.approx(-0.2)
