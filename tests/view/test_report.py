import base64
import dataclasses
import gzip
import json
import re
import time

import pandas as pd
import pytest

from phalanx.core.case import Finding
from phalanx.core.labels import LabelSpace
from phalanx.view import _format, _html
from phalanx.view import report as page
from phalanx.view.case_facts import CaseFacts


@pytest.fixture(scope="module")
def report(fake):
    return fake.report(cases=40, pictures=1)


@pytest.fixture(scope="module")
def rendered(report):
    return page.render(report)


def _empty(**changes):
    report = page.Report("r", "c", LabelSpace(("a", "b")), [], pd.DataFrame(), {}, {}, [], [], [], {}, "", {}, [])
    return dataclasses.replace(report, **changes)


def test_the_page_is_well_formed_and_its_links_lead_somewhere(rendered, html):
    outline = html(rendered)
    assert outline.well_formed


def test_the_number_that_matters_stands_first(report, rendered, html):
    assert f"Mean Dice {report.scores[0]['mean']:.4f} 95 % interval [" in html(rendered).text
    assert "out-of-fold, 40 cases" in html(rendered).text


def test_the_headline_is_out_of_fold_dice_wherever_it_stands_in_the_list(html):
    def entry(metric, of, mean):
        return {
            "metric": metric,
            "of": of,
            "mean": mean,
            "interval": [mean, mean],
            "per_class": {"a": mean},
            "cases": 3,
        }

    scores = [entry("iou", "out-of-fold", 0.11), entry("dice", "test", 0.22), entry("dice", "out-of-fold", 0.33)]
    assert (
        "Mean Dice 0.3300 95 % interval [0.3300, 0.3300] out-of-fold, 3 cases"
        in html(page.render(_empty(scores=scores))).text
    )


def test_dice_of_the_test_set_stands_in_for_missing_out_of_fold_dice(html):
    scores = [
        {"metric": metric, "of": of, "mean": mean, "cases": 1}
        for metric, of, mean in (("iou", "out-of-fold", 0.11), ("dice", "test", 0.22))
    ]
    assert "Mean Dice 0.2200 test, 1 case" in html(page.render(_empty(scores=scores))).text


def test_a_figure_cannot_end_the_element_it_stands_in():
    import plotly.graph_objects as go

    text = _html.chart("x", go.Figure(layout={"title": {"text": "</script><b>&"}, "height": 100}), "label")
    data = re.search(r'id="figure-x">(.*)</script>', text)[1]
    assert "<" not in data and json.loads(data)["layout"]["title"]["text"] == "</script><b>&"


def test_every_class_has_a_line_with_its_scores_even_without_scripts(report, rendered):
    for name in report.labels.names:
        known = report.table[name].dropna()
        row = next(row for row in re.findall(r"<tr>.*?</tr>", rendered) if f"{name}</span></td>" in row)
        numbers = [f"{known.mean():.4f}", f"{known.median():.4f}", f"{known.min():.4f}"]
        assert all(f">{number}</td>" in row for number in numbers), row
        assert row.endswith(f">{len(known)}</td></tr>")


def test_nothing_is_fetched(rendered):
    assert "default-src 'none'" in rendered
    for address in re.findall(r'(?:src|href|action|data)="([^"]*)"', rendered):
        assert address.startswith(("#", "data:image/")), address[:80]
    assert not re.search(r"url\((?!data:)|@import", re.search(r"(?s)<style>.*?</style>", rendered)[0])


def test_plotly_travels_whole_and_the_figures_are_json(rendered):
    packed = re.search(r'id="plotly">([^<]*)</script>', rendered)[1]
    assert b"plotly.js v" in gzip.decompress(base64.b64decode(packed))[:200]
    figures = re.findall(r'<script type="application/json" id="figure-(\w+)">(.*?)</script>', rendered)
    assert [name for name, _ in figures] == [
        "classes", "spread", "cases", "confusion", "bends", "wrists", "curves", "areas",
    ]  # fmt: skip
    for name, text in figures:
        assert json.loads(text)["data"] and f'id="chart-{name}"' in rendered


def test_equal_reports_give_equal_pages(fake, report, rendered):
    assert page.render(fake.report(cases=40, pictures=1)) == rendered


def test_hostile_names_stay_text(fake, html):
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    labels = LabelSpace((hostile, "plain"))
    shown = dataclasses.replace(fake.picture(1, (60, 90), 1), case=hostile, caption=hostile)
    shown = dataclasses.replace(shown, truth={hostile: shown.truth["Ulna"]}, dice={hostile: 0.5})
    scores = [{"metric": hostile, "of": hostile, "mean": 0.5, "per_class": {hostile: 0.5}, "cases": 2}] * 2
    report = _empty(
        title=hostile, command=hostile, labels=labels, scores=scores, notes=[hostile], data={hostile: hostile},
        table=pd.DataFrame({hostile: [0.5, 0.6], "plain": [0.7, 0.8]}, index=[hostile, "b"]),
        curves={f"{hostile} fold 0": fake.curve(0)}, findings=[Finding(hostile, hostile, hostile)],
        best=[shown], worst=[shown], timings={hostile: 1.0}, config_yaml=hostile, versions={hostile: hostile},
        cases={name: CaseFacts("train", name, hostile, (3, 4), 44.0, "truth") for name in (hostile, "b")},
        areas=pd.DataFrame({hostile: [1, 2], "plain": [3, 4]}, index=[hostile, "b"]),
        confusion=pd.DataFrame([[5, 1, 0, 1], [2, 5, 0, 2]], index=[hostile, "plain"]), machine={hostile: hostile},
        memory={hostile: {"host": 1}},
    )  # fmt: skip
    rendered = page.render(report)
    assert "<script>alert" not in rendered and "<img" not in rendered
    # The page's own scripts and nothing else: charts, Plotly, and the one that runs.
    assert len(re.findall("<script", rendered)) == 7 + 1 + 1 == len(re.findall("</script", rendered))
    outline = html(rendered)
    assert outline.well_formed


def test_errors_come_before_warnings_and_all_are_there(html):
    findings = [Finding("warning", f"case{place}", f"odd {place}.") for place in range(90)] + [
        Finding("error", "", "bad.")
    ]
    text = html(page.render(_empty(findings=findings))).text
    assert "1 error, 90 warnings" in text and "51 more findings" in text
    assert text.index("bad.") < text.index("odd 0.")
    assert all(f" odd {place}. " in text for place in range(90))
    assert "noticed nothing odd" in html(page.render(_empty())).text


def test_a_report_of_nothing_says_so_and_carries_no_plotly():
    rendered = page.render(_empty())
    assert "Nothing was scored." in rendered and 'id="plotly"' not in rendered
    assert len(rendered) < 40_000


def test_missing_values_are_dashes(html):
    scores = [{"metric": "dice", "mean": float("nan"), "interval": [None, None], "per_class": {"a": None, "b": 0.5},
               "cases": 2, "of": "out-of-fold"}]  # fmt: skip
    text = html(
        page.render(_empty(scores=scores, table=pd.DataFrame({"a": [None, None], "b": [0.25, 0.75]}, dtype=float)))
    ).text
    assert "Mean Dice – out-of-fold, 2 cases" in text and "Weakest class b 0.5000" in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0 ms"), (0.0844, "84 ms"), (0.9996, "1.0 s"), (3.24, "3.2 s"), (59.96, "1 min 00 s"), (245, "4 min 05 s"),
     (3599.7, "1 h 00 min"), (3725, "1 h 02 min"), (float("nan"), "–")],
)  # fmt: skip
def test_durations_read_like_speech(seconds, said):
    assert _format.duration(seconds) == said


def test_write_leaves_one_whole_file(tmp_path, report, rendered):
    path = tmp_path / "run" / "report.html"
    page.write(report, path)
    assert path.read_text(encoding="utf-8") == rendered
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_300_cases_of_29_classes_with_twelve_pictures_stay_below_5_mb_and_20_s(fake):
    one = fake.picture(7, (1300, 1024), 29)
    many = fake.report(cases=300, pictures=0)
    many = dataclasses.replace(many, best=[one] * 6, worst=[one] * 6)
    start = time.perf_counter()
    size = len(page.render(many).encode())
    assert size < 5_000_000 and time.perf_counter() - start < 20
