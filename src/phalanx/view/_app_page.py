"""The page of the viewer, a Streamlit script: the bench, and below it charts and the list of picked cases."""

from __future__ import annotations

import streamlit as st

from phalanx.view import _app_below, _app_bench, app
from phalanx.view.volume import Volume

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
    shown = app.held()
    title = shown.title if isinstance(shown, Volume) else shown[0].title
    st.set_page_config(page_title=f"Phalanx: {title}", layout="wide", initial_sidebar_state="collapsed")
    st.html(_STYLE)
    if isinstance(shown, Volume):
        _app_bench.mount_volume()
        return
    gallery, scores = shown
    for note in gallery.notes:
        st.caption(note)
    _app_below.draw(gallery, scores, _app_bench.mount(scores.first))


if __name__ == "__main__":
    main()
