"""Tuning: `python tune.py config=NAME study=STUDY n_trials=N [key=value ...]`. See `python tune.py --help`."""

import sys
from pathlib import Path

from phalanx.commands.tune import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).parent / "configs"))
