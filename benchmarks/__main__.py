"""Check that the ways agree, time them in one run, and print a line a claim.

    python -m benchmarks                    all claims
    python -m benchmarks vote score         some
    python -m benchmarks --images 60        a smaller load, for a quick look; claims are about 300

A line is `NAME reference_s peer_s ours_s ratio_reference ratio_peer aim ok|short`. Ratios are how many times as fast as
the other way ours is, medians of one run on one machine; times alone say little about another machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import data_path, runs_engine, soft_ensemble
from benchmarks.claims import Claim

CLAIMS = {
    "vote": runs_engine.vote,
    "score": runs_engine.score,
    "compare": runs_engine.compare,
    "lint": runs_engine.lint,
    "soft": soft_ensemble.soft,
    "thresholds": soft_ensemble.thresholds,
    "masks": data_path.masks,
    "loader": data_path.loader,
    "validation": data_path.validation,
}


def main() -> None:
    """Run the claims that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CLAIMS)}; all of them if not told")
    parser.add_argument("--images", type=int, default=300, help="images of the load")
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmarks"), help="where the load is kept")
    told = parser.parse_args()
    unknown = [name for name in told.names if name not in CLAIMS]
    if unknown:
        parser.error(f"no claim is called {unknown[0]!r}; choose of {', '.join(CLAIMS)}")
    print(Claim.header())
    for name in told.names or CLAIMS:
        for claim in CLAIMS[name](told.folder, told.images):
            print(claim.line(), flush=True)


if __name__ == "__main__":
    main()
