"""Errors whose cause is the input, not the program.

    PhalanxError
      ConfigError        a key, a value or a name in a configuration
      DataError          images, annotations, label files
      StoreError         predictions on disk
      SubmissionError    a CSV of runs
      RunError           a run folder that does not fit what was asked
      WeightsError       pretrained weights that cannot be had or do not fit

The commands print such an error as one line and exit with 1. Every other exception is a fault of ours and keeps its
traceback.
"""


class PhalanxError(Exception):
    """One line in three parts: what was wrong, what was seen, what to do.

    Args:
        wrong: what was wrong, a clause without a full stop.
        seen: the offending value, file or count.
        fix: what the reader should do, in the imperative.
    """

    def __init__(self, wrong: str, seen: object = "", fix: str = "") -> None:
        self.wrong, self.seen, self.fix = wrong, str(seen), fix
        super().__init__(self._line())

    def _line(self) -> str:
        line = self.wrong + (f": {self.seen}" if self.seen else "")
        line += f". {self.fix[0].upper()}{self.fix[1:]}" if self.fix else ""
        return " ".join(line.split())

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        # Loader workers send exceptions between processes; the default would replay the joined line as `wrong`.
        return type(self), (self.wrong, self.seen, self.fix)


class ConfigError(PhalanxError):
    """A key, a value or a name in a configuration is not usable."""


class DataError(PhalanxError):
    """An image, an annotation or a folder is missing, unreadable or contradictory."""


class StoreError(PhalanxError):
    """A prediction store is incomplete, damaged, or does not fit its companions."""


class SubmissionError(PhalanxError):
    """A submission file would be, or was, refused."""


class RunError(PhalanxError):
    """A run folder holds something else than what was asked for."""


class WeightsError(PhalanxError):
    """Pretrained weights cannot be fetched or do not fit the network."""
