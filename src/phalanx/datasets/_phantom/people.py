"""Who is X-rayed: people with a sex, a height and a build, in the training or the test part.

Shares follow spec 1.8 to 1.11. A person depends on the seed and their own number alone, never on how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phalanx.datasets._phantom.anatomy import Build, Hand, build_hand
from phalanx.datasets._phantom.extras import Extras

BENT_SHARE = {"train": 0.11, "test": 0.57}  # spec 1.11
NAIL_NOTE = "\ub124\uc77c\uc788\uc74c"
FEMALE, MALE = "\uc5ec", "\ub0a8"
FIRST_MS = 1_661_130_828_152  # the first picture's time stamp in the original, spec 1.3
RING_BONES = ("finger-14", "finger-14", "finger-14", "finger-10", "finger-6", "finger-18")
PIN_BONES = ("Radius", "finger-7", "finger-11", "finger-19", "finger-14", "finger-3")


@dataclass(frozen=True)
class Place:
    """A person's place in the data set.

    Args:
        person: 1, 2, 3 ...
        number: of the folder; numbers have gaps.
        split: `train` or `test`.
        bent: the wrists are strongly bent.
    """

    person: int
    number: int
    split: str
    bent: bool

    @property
    def folder(self) -> str:
        """Name of the person's folder."""
        return f"ID{self.number:03d}"


@dataclass(frozen=True)
class Traits:
    """What the table knows of a person: years, sex as it is spelt there, kilograms, centimetres, the nail note."""

    age: int
    sex: str
    weight: float
    height: float
    nails: bool


def roster(people: int, test_people: int) -> list[Place]:
    """Everybody's place: test people spread evenly among the others, bent wrists evenly within each part."""
    places: list[Place] = []
    ranks = {"train": 0, "test": 0}
    number = 0
    for person in range(1, people + 1):
        number += 2 if is_gap(number + 1) else 1
        split = "test" if person * test_people // people > (person - 1) * test_people // people else "train"
        share, rank = BENT_SHARE[split], ranks[split]
        bent = int((rank + 1) * share + 0.5) > int(rank * share + 0.5)
        ranks[split] += 1
        places.append(Place(person, number, split, bent))
    return places


def is_gap(number: int) -> bool:
    """Whether a number is in the table but has no folder, as six of the original's 550."""
    return number % 12 == 7


def streams(seed: int, person: int) -> list[np.random.SeedSequence]:
    """Independent sources of randomness of a person: traits, shape, then pose, picture and names of either hand."""
    return np.random.SeedSequence([seed, person]).spawn(8)


def draw_traits(seed: int, person: int) -> tuple[Traits, Build]:
    """A person's row in the table, and the build that goes with it."""
    generator = np.random.default_rng(streams(seed, person)[0])
    # The second person always has painted nails: without a single note the table would lack its unnamed column.
    female = bool(generator.random() < 0.53) or person == 2
    height = round(float(np.clip(generator.normal(161.5 if female else 174.0, 5.3), 145, 195)), 1)
    mass_index = float(np.clip(generator.normal(21.6 if female else 23.6, 2.5), 16.5, 34))
    nails = female and (bool(generator.random() < 0.06) or person == 2)
    age = int(np.clip(19 + generator.gamma(2.0, 5.5), 18, 70))
    spelling = ("_x0008_", "_x0008_", "_x0008_", "", " ")[int(generator.integers(5))]
    weight = round(mass_index * (height / 100) ** 2, 1)
    traits = Traits(age, spelling + (FEMALE if female else MALE), weight, height, nails)
    build = Build(
        stature=height / 167.5 * generator.normal(0.995 if female else 1.015, 0.02),
        breadth=generator.normal(0.955 if female else 1.02, 0.025),
        spread=float(np.clip(generator.normal(1.0, 0.28), 0.45, 1.7)),
        gap=generator.uniform(0.6, 2.8),
        flesh=float(np.clip(1 + 0.014 * (mass_index - 22.5) + generator.normal(0, 0.03), 0.82, 1.2)),
    )
    return traits, build


def draw_hand(seed: int, place: Place, side: str) -> tuple[Hand, Extras, np.random.Generator, np.random.Generator]:
    """One hand of a person, what it wears, and the generators of its picture and of its file's identifiers."""
    sources = streams(seed, place.person)
    own = sources[2:5] if side == "R" else sources[5:8]
    traits, build = draw_traits(seed, place.person)
    pose = np.random.default_rng(own[0])
    usual = float(np.clip(pose.normal(3.0, 7.0), -19.5, 19.5))
    strong = pose.uniform(40.0, 60.0)
    hand = build_hand(build, side, strong if place.bent else usual, np.random.default_rng(sources[1]), pose)
    picture = np.random.default_rng(own[1])
    return hand, _draw_extras(traits, side, picture), picture, np.random.default_rng(own[2])


def _draw_extras(traits: Traits, side: str, generator: np.random.Generator) -> Extras:
    """Rings (most on left hands), pins, bracelets, markers and collimated edges of one picture."""
    chance = generator.random(6)
    ring, pin = RING_BONES[int(generator.integers(6))], PIN_BONES[int(generator.integers(6))]
    return Extras(
        ring=ring if chance[0] < (0.09 if side == "L" else 0.04) else "",
        pin=pin if chance[1] < 0.03 else "",
        plate=pin == "Radius" or chance[2] < 0.4,
        bracelet=bool(chance[3] < 0.02),
        nails=traits.nails,
        marker=bool(chance[4] < 0.25),
        collimated=bool(chance[5] < 0.3),
        seed=int(generator.integers(2**31)),
    )


def time_stamps(seed: int, place: Place) -> tuple[int, int]:
    """Milliseconds in the file names of the right and the left hand; the right hand came first."""
    generator = np.random.default_rng(streams(seed, place.person)[0].spawn(1)[0])
    first = FIRST_MS + (place.person - 1) * 600_000 + (int(generator.integers(300_000)) if place.person > 1 else 0)
    return first, first + int(generator.integers(30_000, 120_000))
