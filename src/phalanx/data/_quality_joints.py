"""Where each bone of a finger lies on the next one towards the wrist, learnt from the data set itself.

A finger may be spread or bent as a whole; its bones still follow one another. Measured in the frame of the lower bone,
the scatter is a third of that in the frame of the hand, and a fingertip drawn beside its place is told from one that is
spread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise

import numpy as np

from phalanx.core import hand
from phalanx.core.case import Finding
from phalanx.core.errors import DataError
from phalanx.data import _quality_areas, _quality_hand
from phalanx.mask.moments import Moments

JOINTS = tuple(pair for ray in hand.RAYS for pair in pairwise(ray))
# Units of the hand below which scatter is not believed; scatters, and units, at which a bone is off its joint.
_LEAST, _FAR, _FAR_UNITS = 0.1, 5.0, 0.45


def check(bones: Mapping[str, Mapping[str, Moments]], told: Collection[tuple[str, str]]) -> list[Finding]:
    """Warnings on bones that do not follow their finger; none when there are too few hands to tell.

    Args:
        bones: case id -> class name -> moments of the bones that have a pixel.
        told: (case, class) that need no further word; a joint is passed over when either of its bones is among them.
    """
    if len(bones) < _quality_areas.LEAST:
        return []
    table = np.stack([_steps(own) for own in bones.values()])
    away = np.linalg.norm(table - _quality_areas.quantile(table), axis=2)
    scatter = np.maximum(1.2 * _quality_areas.quantile(away), 0.5 * _quality_areas.quantile(away, 0.95))
    scatter = np.maximum(np.nan_to_num(scatter), _LEAST)
    findings = []
    for (row, case), (column, joint) in ((one, two) for one in enumerate(bones) for two in enumerate(JOINTS)):
        units, scatters = float(away[row, column]), float(away[row, column] / scatter[column])
        if not (units > _FAR_UNITS and scatters > _FAR) or any((case, name) in told for name in joint):
            continue
        tip, base = joint
        error = DataError(
            "a bone lies off its finger",
            f"{tip} on {base}, by {units:.1f} units of the hand, {scatters:.0f} times the scatter",
            "redraw the wrong one",
        )
        findings.append(Finding.of("warning", case, error, joint, evidence={"units": units, "scatters": scatters}))
    return findings


def _steps(bones: Mapping[str, Moments]) -> np.ndarray:
    """From the centre of each joint's lower bone to that of its upper one: along the lower bone, and across.

    Returns:
        float64 `(joints, 2)` in units of the hand, across positive towards the little finger; NaN where a bone is
        missing.
    """
    steps = np.full((len(JOINTS), 2), np.nan)
    carpus = [bones[name].centre for name in hand.CARPALS if name in bones]
    side = _quality_hand.side({name: item.centre for name, item in bones.items()})
    if not carpus or not side:
        return steps
    root, unit = np.mean(carpus, axis=0), float(np.median([np.sqrt(item.area) for item in bones.values()]))
    for place, (tip, base) in enumerate(JOINTS):
        if tip in bones and base in bones:
            axis = bones[base].axis()
            axis = axis if axis @ (bones[base].centre - root) >= 0 else -axis
            step = (bones[tip].centre - bones[base].centre) / unit
            steps[place] = step @ axis, side * float(axis[0] * step[1] - axis[1] * step[0])
    return steps
