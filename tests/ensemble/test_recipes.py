"""The recipes of the repository can be read."""

from pathlib import Path

import pytest

from phalanx.commands import _ensembled_vote
from phalanx.ensemble import recipe, soft_recipe
from phalanx.ensemble.soft_recipe import SoftRecipe

FOLDER = Path(__file__).resolve().parents[2] / "ensembles"
RECIPES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_recipe_can_be_read(path):
    values = recipe.mapping(path)
    assert f"phalanx ensemble ensembles/{path.name}" in path.read_text() or "phalanx search" in path.read_text()
    if values["kind"] == "soft":
        assert isinstance(soft_recipe.load(path), SoftRecipe)
        return
    nested = [_ensembled_vote.soft_member(member, path, "handbone") for member in values["members"]]
    assert len(nested) >= 2 and all(part.members for part in nested)


def test_there_are_recipes():
    assert {"phantom_soft.yaml", "phantom_hard.yaml", "handbone_final.yaml"} <= {path.name for path in RECIPES}
