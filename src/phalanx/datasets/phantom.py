"""Synthetic hand X-rays: made on first use, then read like the real ones."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from phalanx.core import files
from phalanx.core.case import Dataset
from phalanx.core.catalogue import Strict
from phalanx.core.errors import DataError
from phalanx.datasets import _handbone

PARAMETERS = "phantom.json"


class Phantom:
    """Reader of phantoms, which need no download: writes them if they are not there yet.

    The folder keeps its parameters in `phantom.json`; one made with others is refused, never overwritten.
    """

    class Config(Strict):
        """Options.

        Args:
            people: people in all, two hands each.
            test_people: how many of them are to be predicted; their truth is kept apart under `test_truth`.
            size: side of the square images in pixels.
            seed: picks the people.
            root: where they are written; `data/phantom-<people>-<size>-<seed>` when left out.
        """

        name: Literal["phantom"] = "phantom"
        people: int = Field(default=24, ge=2, le=900)
        test_people: int = Field(default=6, ge=0, le=899)
        size: int = Field(default=512, ge=32, le=2048)
        seed: int = Field(default=0, ge=0)
        root: Path | None = None

        @model_validator(mode="after")
        def _some_to_learn_from(self) -> Self:
            if self.test_people >= self.people:
                raise ValueError(f"test_people must be fewer than people ({self.people})")
            return self

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def root(self) -> Path:
        """The folder of the phantoms."""
        config = self.config
        return config.root or Path("data") / f"phantom-{config.people}-{config.size}-{config.seed}"

    def read(self) -> Dataset:
        """Cases of the folder, made before if need be.

        Raises:
            DataError: the folder holds something else, or phantoms of other parameters.
        """
        root = self.root
        if root.is_dir() and any(root.iterdir()):
            self._verify(root)
        else:
            self._write(root)
        return _handbone.read_folder(root, exclude=(), missing_class="warn", unlabelled="error")

    def _wanted(self) -> dict[str, int]:
        config = self.config
        return {"people": config.people, "test_people": config.test_people, "size": config.size, "seed": config.seed}

    def _verify(self, root: Path) -> None:
        wanted = self._wanted()
        fix = "name another root, or delete the folder to have it made anew"
        try:
            found: Any = json.loads((root / PARAMETERS).read_text(encoding="utf-8"))
            made = {key: found.get(key) for key in wanted}
        except FileNotFoundError:
            seen = f"no {PARAMETERS} in {root}"
            fix += "; the reader handbone takes phantoms from anywhere"
            raise DataError("the folder is not empty and does not say which phantom it holds", seen, fix) from None
        except (OSError, ValueError, AttributeError) as error:
            raise DataError(
                "the parameters of a phantom cannot be read", f"{root / PARAMETERS} ({error})", fix
            ) from error
        other = [f"{key} {made[key]} instead of {wanted[key]}" for key in wanted if made[key] != wanted[key]]
        if other:
            raise DataError("the phantom was made with other parameters", f"{root}: {', '.join(other)}", fix)

    def _write(self, root: Path) -> None:
        # The generator brings in its anatomy and drawing code, which a folder that exists does not need.
        from phalanx.datasets._phantom import write

        config = self.config
        root.parent.mkdir(parents=True, exist_ok=True)
        partial = root.with_name(f".{root.name}.{os.getpid()}.partial")
        try:
            write.write(partial, config.people, config.test_people, config.size, config.seed)
            if not (partial / PARAMETERS).is_file():
                files.write_text(partial / PARAMETERS, json.dumps(self._wanted(), indent=2) + "\n")
            if root.is_dir():
                root.rmdir()
            partial.rename(root)
        except OSError:
            # Another process was quicker; its folder must be the same.
            if not (root / PARAMETERS).is_file():
                raise
            self._verify(root)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
