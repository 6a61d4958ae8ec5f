"""The main job: `python run.py config=NAME [key=value ...]`. See `python run.py --help`."""

import sys
from pathlib import Path

from phalanx.commands.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).parent / "configs"))
