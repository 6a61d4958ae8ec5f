"""What lies below the bench: the list of picked cases, the scores of the case, and charts of all cases."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from phalanx.view import _agreement, _app_figures, _app_picked, _app_scores, _app_sheet, figures
from phalanx.view._app_bench import Chosen
from phalanx.view._app_scores import Scores
from phalanx.view.gallery import Gallery

_PARTS = ("Picked cases", "Scores of this case", "All cases")


def draw(gallery: Gallery, scores: Scores, chosen: Chosen) -> None:
    """Draw the part that is chosen; the others cost nothing."""
    part = st.segmented_control("Below", _PARTS, default=_PARTS[0], label_visibility="collapsed", key="part")
    if part == _PARTS[0]:
        _picked(gallery, scores, chosen)
    elif part == _PARTS[1] and chosen.case >= 0:
        _case(gallery, scores, chosen.case)
    elif part == _PARTS[2]:
        _all(gallery, scores)


def _picked(gallery: Gallery, scores: Scores, chosen: Chosen) -> None:
    if not chosen.picked:
        st.caption("No case is picked yet. Press s, or the star of a case; the list is kept in this browser.")
        return
    table = _app_picked.table(gallery, scores, chosen.picked)
    st.dataframe(table, hide_index=True, width="stretch", column_config=_columns(table))
    left, right, _ = st.columns([1, 1, 4])
    left.download_button("CSV", _app_picked.csv(table), "picked.csv", "text/csv", width="stretch", on_click="ignore")
    right.download_button(
        "PNG sheet",
        lambda: _app_sheet.png(gallery, scores, chosen.picked),
        "picked.png",
        "image/png",
        width="stretch",
        on_click="ignore",
    )


def _case(gallery: Gallery, scores: Scores, case: int) -> None:
    st.markdown(f"**{_plain(gallery.cases[case])}**")
    left, right = st.columns([3, 2])
    with left:
        if gallery.truth:
            _chart(_app_figures.case(gallery, scores, case))
        else:
            st.caption("Without --truth there are no scores; the table has the pixels of each class.")
    right.dataframe(_app_picked.classes(gallery, scores, case), hide_index=True, height=110 + 21 * len(gallery.classes))


def _all(gallery: Gallery, scores: Scores) -> None:
    names = [member.name for member in gallery.members]
    if not gallery.truth and len(names) < 2:
        st.caption("Name a second file or --truth: then there is something to compare.")
        return
    if gallery.truth:
        place = names.index(st.selectbox("File", names, width=320)) if len(names) > 1 else 0
        table = _app_picked.frame(gallery, scores.dice[place])
        left, right = st.columns([3, 2])
        with left:
            means = {str(name): float(mean) for name, mean in table.mean().items()}
            colours = dict(zip(gallery.classes, gallery.colours, strict=True))
            _chart(figures.per_class(means, None, table, colours))
        with right:
            _chart(figures.distribution(_app_scores.over(scores.dice[place], -1).tolist()))
            if len(names) > 1:
                _chart(_agreement.matrix(names, scores.between))
        _chart(figures.case_heatmap(table))
    else:
        _chart(_agreement.matrix(names, scores.between))
        _chart(figures.case_heatmap(_app_picked.frame(gallery, 1 - scores.apart), "Dice of all pairs"))


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    """Scores with all of their four decimals."""
    return {name: st.column_config.NumberColumn(format="%.4f") for name in table.select_dtypes("floating").columns}


def _chart(figure: Figure) -> None:
    st.plotly_chart(figure, theme=None, config={"displayModeBar": False})


def _plain(text: str) -> str:
    """A name in Markdown, with none of its signs taken for one."""
    return "".join(f"\\{mark}" if mark in r"\`*_{}[]()<>#+-.!|~$:" else mark for mark in text)
