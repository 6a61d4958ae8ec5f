import numpy as np
import pandas as pd
import pytest

from phalanx.view import figures


def _plain(figure):
    return figure.to_plotly_json()


def test_classes_stand_weakest_first_with_their_whiskers():
    figure = figures.per_class(
        {"b": 0.9, "a": 0.8, "c": 0.95}, {"a": (0.7, 0.85), "b": (0.88, 0.93), "c": (0.94, 0.96)}
    )
    mean = next(trace for trace in figure.data if trace.name == "mean")
    assert list(figure.layout.yaxis.ticktext) == ["a", "b", "c"]
    np.testing.assert_allclose(mean.x, [0.8, 0.9, 0.95])
    np.testing.assert_allclose(mean.error_x.array, [0.05, 0.03, 0.01])
    np.testing.assert_allclose(mean.error_x.arrayminus, [0.1, 0.02, 0.01])
    assert mean.customdata[0] == "a: 0.8000 [0.7000, 0.8500]"
    assert figure.layout.xaxis.range[0] < 0.7


def test_the_bar_holds_the_middle_half_of_the_cases_and_every_case_is_drawn():
    table = pd.DataFrame({"a": [0.6, 0.7, 0.8, 0.9, 1.0], "b": [0.9, np.nan, 0.9, 0.9, 0.9]}, index=list("vwxyz"))
    figure = figures.per_class({"a": 0.8, "b": 0.9}, table=table)
    bar = next(trace for trace in figure.data if trace.type == "bar")
    # Quartiles of 0.6, 0.7 ... 1.0 are its second and its fourth value.
    np.testing.assert_allclose([bar.base[0], bar.base[0] + bar.x[0]], [0.7, 0.9])
    drawn = sum(len(trace.x) for trace in figure.data if trace.name in ("cases", "below the axis"))
    assert drawn == 9


def test_a_case_below_the_axis_is_drawn_on_its_edge_with_its_true_score():
    scores = [0.95] * 39 + [0.0]
    table = pd.DataFrame({"a": scores, "b": [0.97] * 40}, index=[f"case{place}" for place in range(40)])
    figure = figures.per_class({"a": float(np.mean(scores)), "b": 0.97}, table=table)
    below = next(trace for trace in figure.data if trace.name == "below the axis")
    assert len(below.x) == 1 and below.x[0] >= figure.layout.xaxis.range[0] > 0.5
    assert below.customdata[0] == "a: 0.0000<br>case39"


def test_a_class_lost_in_one_case_of_ten_does_not_take_the_axis_to_0():
    table = pd.DataFrame({"a": [0.96] * 36 + [0.0] * 4, "b": [0.97] * 40})
    figure = figures.per_class({"a": 0.864, "b": 0.97}, table=table)
    # The weakest mean is 0.136 below 1; the axis reaches twice as far and on to the next round number.
    assert 0.65 < figure.layout.xaxis.range[0] < 0.72
    assert len(next(trace for trace in figure.data if trace.name == "below the axis").x) == 4


def test_many_cases_show_their_outer_tenth_only():
    scores = np.linspace(0.9, 1.0, 4000)
    figure = figures.per_class({"a": 0.95}, table=pd.DataFrame({"a": scores}))
    assert sum(len(trace.x) for trace in figure.data if trace.name in ("cases", "below the axis")) == 400


def test_heatmap_rows_are_cases_worst_first_and_keep_their_gaps():
    table = pd.DataFrame({"a": [0.9, 0.5, 0.8], "b": [0.9, np.nan, 0.6]}, index=["good", "bad", "middle"])
    heat = figures.case_heatmap(table).data[0]
    assert list(heat.y) == ["bad", "middle", "good"]
    assert np.isnan(heat.z[0][1]) and heat.z[1][1] == pytest.approx(0.6)


def test_names_that_look_like_markup_stay_text():
    name = "<a href='x'>b</a>"
    table = pd.DataFrame({name: [0.5, 0.6], "b": [0.7, 0.8]}, index=["<script>", "y"])
    for figure in (figures.per_class({name: 0.5, "b": 0.7}, table=table), figures.case_heatmap(table),
                   figures.curves({f"{name} fold 0": pd.DataFrame({"step": [1], "val_dice": [0.4]})})):  # fmt: skip
        assert "<a " not in figure.to_json() and "<script" not in figure.to_json()


def test_curves_leave_gaps_out_and_give_a_member_one_colour():
    table = pd.DataFrame({"epoch": [0, 0, 1], "step": [10, 20, 30], "train_loss": [0.5, np.nan, 0.3],
                          "val_dice": [np.nan, 0.7, 0.9], "lr": [1e-3, 1e-3, 1e-4]})  # fmt: skip
    figure = figures.curves({"unet fold0": table, "unet fold1": table, "other fold0": table})
    dice, loss = figure.data[0], figure.data[1]
    np.testing.assert_allclose(dice.x, [20, 30])
    assert list(dice.customdata) == ["0.7000", "0.9000"]
    np.testing.assert_allclose(dice.y, [0.3, 0.1], rtol=1e-6)
    np.testing.assert_allclose(loss.y, [0.5, 0.3], rtol=1e-6)
    lines = [trace for trace in figure.data if trace.line.dash]
    assert len({trace.line.color for trace in lines if trace.name == "unet"}) == 1
    assert len({trace.line.color for trace in lines}) == 2
    assert sum(bool(trace.showlegend) for trace in figure.data) == 2


def test_a_long_curve_becomes_means_of_stretches():
    steps = np.arange(30_000)
    figure = figures.curves({"a": pd.DataFrame({"step": steps, "train_loss": steps + 1.0})})
    loss = next(trace for trace in figure.data if trace.x is not None and len(trace.x))
    assert len(loss.x) == 300
    # Each point stands for a hundred steps: 1 to 100 have the mean 50.5.
    assert loss.y[0] == pytest.approx(50.5) and loss.x[0] == pytest.approx(49.5)


def test_a_log_without_scores_or_rows_still_gives_a_chart():
    assert figures.curves({"a": pd.DataFrame({"epoch": [0, 1], "train_loss": [0.0, 0.0]})}).layout.yaxis2.type != "log"
    assert figures.curves({}).layout.height
    assert figures.per_class({"a": float("nan")}).layout.xaxis.range[0] < 0.01


def test_distribution_counts_every_known_value_once():
    figure = figures.distribution([0.1, 0.2, np.nan, 0.2, 1.0])
    assert sum(figure.data[0].y) == 4
    assert any("mean 0.3750" in note.text for note in figure.layout.annotations)
    assert any("median 0.2000" in note.text for note in figure.layout.annotations)
    assert sum(figures.distribution([]).data[0].y) == 0
