"""Soft recipes as YAML: every kind of member, and clear words about a key that is wrong."""

from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from phalanx.core.errors import ConfigError
from phalanx.ensemble import soft_recipe
from phalanx.ensemble.recipe import HardRecipe
from phalanx.ensemble.soft_recipe import (
    CheckpointsMember,
    FileRecipe,
    RunMember,
    SheetMember,
    SoftRecipe,
    SoftVote,
    StoreMember,
)  # fmt: skip

EVERY = """
kind: soft
space: probability
dialect: tgs
members:
  - {run: ../runs/unet, weight: 2, temperature: 1.3, sha256: {oof: 5e88, test: 77ab}}
  - {store: other/test.zarr, sha256: 9f2c, weight: 1/3}
  - {checkpoints: ../runs/unet, folds: [0, 2]}
  - {file: a.csv, soft: 2.0}
  - {recipe: other.yaml, soft: 1.5}
  - {kind: soft, members: [x.zarr, sub/y.yaml], weight: 3}
  - {kind: hard, members: [b.csv, {file: c.csv, weight: 2}], soft: 1.5, ties: keep}
threshold: 0.4
steps: [{name: fill_holes}]
classes:
  Pisiform: {weights: [1, 1, 2, 1, 1, 1, 0.5], threshold: 0.3, steps: [{name: keep_largest, count: 2}]}
joint: [{name: anatomy}]
scores: [{mean: 0.9}]
"""


def test_every_kind_of_member(tmp_path):
    (tmp_path / "r.yaml").write_text(EVERY)
    found = soft_recipe.load(tmp_path / "r.yaml")
    assert isinstance(found, SoftRecipe)
    kinds = [RunMember, StoreMember, CheckpointsMember, SheetMember, FileRecipe, SoftRecipe, SoftVote]
    assert [type(member) for member in found.members] == kinds
    run, store, checkpoints, sheet, recipe, nested, vote = found.members
    assert (run.run, run.weight, run.temperature, run.sha256["oof"]) == (tmp_path / "../runs/unet", 2, 1.3, "5e88")
    assert (store.store, store.weight) == (tmp_path / "other/test.zarr", Fraction(1, 3))
    assert (checkpoints.checkpoints, checkpoints.folds) == (tmp_path / "../runs/unet", (0, 2))
    assert (sheet.file, sheet.soft, recipe.recipe, recipe.soft) == (tmp_path / "a.csv", 2, tmp_path / "other.yaml", 1.5)
    assert [nested.members[0].store, nested.members[1].recipe] == [tmp_path / "x.zarr", tmp_path / "sub/y.yaml"]
    assert [member.file for member in vote.members] == [tmp_path / "b.csv", tmp_path / "c.csv"]
    assert (vote.ties, vote.soft, nested.weight) == ("keep", 1.5, 3)
    assert found.classes["Pisiform"].weights == (1, 1, 2, 1, 1, 1, Fraction(1, 2))
    assert [step.name for step in (*found.steps, *found.classes["Pisiform"].steps, *found.joint)] == [
        "fill_holes", "keep_largest", "anatomy",
    ]  # fmt: skip
    assert (found.space, found.dialect, found.threshold) == ("probability", "tgs", 0.4)


def test_strings_are_members_by_their_suffix():
    found = soft_recipe.validated({"members": ["a.zarr", "b.yaml", "c.YML", "runs/unet", Path("d.zarr")]}, "r.yaml")
    kinds = [StoreMember, FileRecipe, FileRecipe, RunMember, StoreMember]
    assert [type(member) for member in found.members] == kinds
    assert {member.weight for member in found.members} == {1}
    with pytest.raises(ConfigError, match=r"members.1.soft: Field required"):
        soft_recipe.validated({"members": ["a.zarr", "c.csv"]}, "r.yaml")


def test_a_recipe_of_votes_is_of_the_other_kind(tmp_path):
    for text in ("members: [a.csv]\n", "kind: hard\nmembers: [a.csv]\n"):
        (tmp_path / "r.yaml").write_text(text)
        assert isinstance(soft_recipe.load(tmp_path / "r.yaml"), HardRecipe)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("threshhold: 0.4", "look at threshhold: Extra inputs"),
        ("threshold: 1", "look at threshold: Input should be less than 1"),
        ("space: log", "look at space: Input should be 'logits' or 'probability'"),
        ("kind: sft", "look at kind: Input should be 'soft'"),
        ("members: []", "look at members: "),
        ("members: a.zarr", "look at members: "),
        ("members: [1]", "look at members.0: "),
        ("members: [a.zarr, {}]", "member 2 needs one of run, store, file, recipe, checkpoints"),
        ("members: [a.zarr, {stor: b.zarr, weight: 2}]", "member 2 needs one of run, .* has stor, weight"),
        ("members: [a.zarr, {kind: sft, members: [x]}]", "member 2 needs one of run, .* has kind, members"),
        ("members: [a.zarr, {store: b.zarr, wieght: 2}]", "look at members.1.wieght: Extra inputs"),
        ("members: [{store: b.zarr, file: a.csv}]", "look at members.0.file: Extra inputs"),
        ("members: [{store: b.zarr, weight: -1}]", "look at members.0.weight: -1 is not a number from 0"),
        ("members: [{store: b.zarr, weight: .inf}]", "look at members.0.weight: inf is not a number"),
        ("members: [{store: b.zarr, temperature: 0}]", "look at members.0.temperature: Input should be greater"),
        ("members: [{store: b.zarr, temperature: .nan}]", "look at members.0.temperature: "),
        ("members: [{run: b, sha256: {tset: x}}]", "look at members.0.sha256.tset"),
        ("members: [a, {kind: hard, members: [b.csv]}]", "look at members.1.soft: Field required"),
        (
            "members: [a, {kind: hard, soft: 1, members: [{fil: b}]}]",
            "look at members.1.members.0.file: Field required",
        ),
        ("members: [a, {kind: soft, members: [b, {file: c}]}]", "look at members.1.members.1.soft: Field required"),
        ("members: [a, {kind: soft, members: [b], steps: [{name: fil}]}]", "members.1.steps.0: no entry of steps/"),
        ("steps: [{name: fil_holes}]", "look at steps.0: .* did you mean fill_holes"),
        ("steps: [{largest: 2}]", "look at steps.0: a 'name:' is needed"),
        ("steps: [{name: fill_holes, largest: 0}]", "look at steps.0.largest: Input should be greater"),
        ("classes: {Pisiform: {threshold: 2}}", "look at classes.Pisiform.threshold: Input should be less"),
        ("classes: {Pisiform: {weights: [1, 2]}}", "Pisiform: 2 weights for 1 members"),
        ("classes: {Pisiform: {weights: [0]}}", "Pisiform: every weight is zero"),
        ("members: [{store: a.zarr, weight: 0}]", "r.yaml makes no ensemble: every weight is zero"),
    ],
)
def test_a_wrong_key_or_value_is_named(values, words):
    with pytest.raises(ConfigError, match=words) as found:
        soft_recipe.validated({"members": ["a.zarr"], **yaml.safe_load(values)}, "r.yaml")
    assert str(found.value).startswith("r.yaml makes no ensemble")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("members: [", "the recipe is not YAML: .*r.yaml"),
        ("- a.zarr", "the recipe is not a mapping: .*r.yaml"),
        ("kind: soft\nmembers: [&a {kind: soft, members: [*a, x.zarr]}]", "recipes lie too deep within recipes"),
        ("kind: soft\nmembers: " + "[{kind: soft, members: " * 20 + "[a.zarr]" + "}]" * 20, "recipes lie too deep"),
        ("kind: soft\nmembers: [&a {kind: hard, soft: 1, members: [*a]}]", "look at members.0.members.0"),
    ],
)
def test_files_that_are_no_recipe(tmp_path, text, words):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        soft_recipe.load(tmp_path / "r.yaml")


def test_sixteen_recipes_within_each_other_are_enough():
    values = {"kind": "soft", "members": ["a.zarr"]}
    for _ in range(15):
        values = {"kind": "soft", "members": [values]}
    assert soft_recipe.validated(values, "r.yaml")
    with pytest.raises(ConfigError, match="too deep within recipes: more than 16"):
        soft_recipe.validated({"members": [values]}, "r.yaml")


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(ConfigError, match="the recipe cannot be read: .*none.yaml"):
        soft_recipe.load(tmp_path / "none.yaml")
