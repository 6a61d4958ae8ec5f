"""The bones of the hand: their names, which make up a finger, and who lies beside whom.

Names are those of the hand-bone data set: fingers are counted from the tip of the thumb to the metacarpal of the
little finger, `finger-3`, `7`, `11`, `15`, `19` are metacarpals.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

# Each finger from its tip to its metacarpal, the thumb first.
RAYS = tuple(
    tuple(f"finger-{number}" for number in range(*ray)) for ray in ((1, 4), (4, 8), (8, 12), (12, 16), (16, 20))
)
CARPALS = ("Trapezium", "Trapezoid", "Capitate", "Hamate", "Scaphoid", "Lunate", "Triquetrum", "Pisiform")
NAMES = (*(bone for ray in RAYS for bone in ray), *CARPALS, "Radius", "Ulna")

# Bones with a joint between them (Gray's Anatomy, the joints of the hand and the wrist), and the pisiform's ligament to
# the hamate, which tells it from the ulna. Left out: joints of the ulna with the wrist, where a disc keeps the bones
# apart (up to 0.54 units on phantoms), and those of a metacarpal with a second carpal bone.
NEIGHBOURS = (
    *((tip, base) for ray in RAYS for tip, base in pairwise(ray)),
    ("finger-3", "Trapezium"), ("finger-7", "Trapezoid"), ("finger-11", "Capitate"), ("finger-15", "Hamate"),
    ("finger-19", "Hamate"), ("finger-7", "finger-11"), ("finger-11", "finger-15"), ("finger-15", "finger-19"),
    ("Trapezium", "Trapezoid"), ("Trapezoid", "Capitate"), ("Capitate", "Hamate"), ("Trapezium", "Scaphoid"),
    ("Trapezoid", "Scaphoid"), ("Capitate", "Scaphoid"), ("Capitate", "Lunate"), ("Hamate", "Triquetrum"),
    ("Scaphoid", "Lunate"), ("Lunate", "Triquetrum"), ("Triquetrum", "Pisiform"), ("Hamate", "Pisiform"),
    ("Scaphoid", "Radius"), ("Lunate", "Radius"), ("Radius", "Ulna"),
)  # fmt: skip


def shown(names: Iterable[str]) -> bool:
    """Whether classes of these names are a hand's: all its bones are among them."""
    return set(NAMES) <= set(names)


def neighbours(bone: str) -> list[str]:
    """The bones that lie beside it."""
    return [one if two == bone else two for one, two in NEIGHBOURS if bone in (one, two)]
