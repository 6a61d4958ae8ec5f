"""`phalanx report RUN`: one HTML file that opens anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def report(
    run: Annotated[Path, typer.Argument(help="A run folder, for example runs/phantom.")],
) -> None:
    """Write RUN/report.html: scores, curves, best and worst cases, settings.

    Example: phalanx report runs/phantom
    """
    from omegaconf import OmegaConf

    from phalanx.core.errors import RunError

    if not (run / "scores.json").is_file():
        raise RunError("this is not a finished run", run, "name a folder under runs/ that has a scores.json")
    # Everything below loads the rooms that read data and stores, which --help does without.
    from phalanx.commands import _cases, _report_page, _run_folder
    from phalanx.commands._experiment import Experiment
    from phalanx.core import config

    values: Any = OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))
    experiment = config.validate(Experiment, values)
    folder = _run_folder.RunFolder(run, values)
    try:
        print(_report_page.write(experiment, _cases.prepare(experiment, folder), run))
    finally:
        folder.close()
