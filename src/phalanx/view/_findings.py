"""What readers and checks noticed, as a table: errors first, each in its own words, none summed up."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx.core.case import Finding
from phalanx.view import _format, _html
from phalanx.view._html import Cell, escape

_LEVELS = ("error", "warning")
# More findings than this are folded away behind the first ones.
_SHOWN = 40


def tally(findings: Sequence[Finding]) -> tuple[str, str]:
    """(`1 error, 3 warnings`, the gravest level there is or "")."""
    counts = {level: sum(finding.level == level for finding in findings) for level in _LEVELS}
    gravest = next((level for level, amount in counts.items() if amount), "")
    return ", ".join(_format.count(amount, level) for level, amount in counts.items()), gravest


def listing(findings: Sequence[Finding]) -> str:
    """All findings; those after the first forty behind a click."""
    ordered = sorted(findings, key=_rank)
    if not ordered:
        return "<p>Readers and checks noticed nothing odd.</p>"
    rest = ordered[_SHOWN:]
    folded = f"<summary>{_format.count(len(rest), 'more finding')}</summary>{_table(rest)}"
    return _table(ordered[:_SHOWN]) + (f"<details>{folded}</details>" if rest else "")


def _rank(finding: Finding) -> int:
    return _LEVELS.index(finding.level) if finding.level in _LEVELS else len(_LEVELS)


def _table(findings: Sequence[Finding]) -> str:
    rows = []
    for finding in findings:
        look = finding.level if finding.level in _LEVELS else "other"
        badge = f'<span class="badge {look}">{escape(finding.level)}</span>'
        message = f'<span class="wide">{escape(finding.message)}</span>'
        rows.append([Cell(badge, finding.level), Cell.text(finding.case or "data set"), Cell(message, finding.message)])
    return f'<div class="findings">{_html.table(("level", "case", "finding"), rows)}</div>'
