"""The page of the viewer, a Streamlit script: the bench, and below it charts and the list of picked cases."""

from __future__ import annotations

import streamlit as st

from phalanx.view import _app_below, _app_bench, app

# Streamlit's own margins leave a third of the screen to the picture.
_STYLE = """<style>
.stMainBlockContainer { padding: 14px 22px 40px !important; max-width: none !important; }
header[data-testid="stHeader"] { background: none; inset: auto 0 0 auto; width: auto; height: auto; min-height: 0;
  pointer-events: none; }
header[data-testid="stHeader"] button { pointer-events: auto; }
.stPlotlyChart [class$="tick"] text, .stPlotlyChart .legendtext, .stPlotlyChart .annotation-text,
.stPlotlyChart [class*="title"] text, .stPlotlyChart text[class*="title"], .stPlotlyChart .cbaxis text {
  fill: currentColor !important; opacity: .85; }
</style>"""


def main() -> None:
    """Draw the page once."""
    gallery, scores = app.held()
    st.set_page_config(page_title=f"Phalanx: {gallery.title}", layout="wide", initial_sidebar_state="collapsed")
    st.html(_STYLE)
    for note in gallery.notes:
        st.caption(note)
    chosen = _app_bench.mount(scores.first)
    _app_below.draw(gallery, scores, chosen)


if __name__ == "__main__":
    main()
