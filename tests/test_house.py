"""The rules of the house, held against the source text. Nothing of ours is imported, nothing is run.

A rule is a function `(path, source)` that yields what offends; `path` is relative to the repository. `PLANTED` holds
offences that each rule must catch, `CLEAN` what no rule may object to: a rule that cannot fail is no rule.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# (rule, path): the reason. An exception that no longer offends fails the suite.
EXCEPTIONS: dict[tuple[str, str], str] = {}

# Room: the rooms it may import, apart from itself. "" is the package's own __init__.py.
MAY_IMPORT = {
    "": {"core"},
    "core": set(),
    "mask": {"core"},
    "datasets": {"core", "mask"},
    "data": {"core", "mask", "datasets"},
    "models": {"core"},
    "losses": {"core"},
    "metrics": {"core", "mask"},
    "methods": {"core", "losses"},
    "train": {"core", "data", "metrics"},
    "predict": {"core", "models", "store"},
    "store": {"core"},
    "ensemble": {"core", "mask", "metrics", "steps", "store"},
    "steps": {"core", "mask"},
    "submit": {"core", "mask"},
    "view": {"core", "mask", "metrics"},
}
MAY_IMPORT["commands"] = set(MAY_IMPORT) - {""}
CATALOGUES = {"datasets", "models", "losses", "metrics", "methods", "steps"}
NO_TORCH = {"mask", "steps", "submit", "ensemble", "view"}
# What the rooms above and `phalanx score`, `lint`, `convert` import: torch only inside functions.
LATE_TORCH = {"", "core", "store", "metrics", "datasets"}
TORCH = {
    "torch", "torchvision", "torchmetrics", "lightning", "lightning_fabric", "pytorch_lightning", "monai", "timm",
    "segmentation_models_pytorch", "ttach",
}  # fmt: skip
VAGUE = {"util", "utils", "helper", "helpers", "common", "misc", "tools", "stuff"}
FILE_LINES, FUNCTION_LINES, ENTRY_POINT_LINES, TRACKED_BYTES = 350, 60, 40, 500_000

# Import name: distribution, where the two differ.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "SimpleITK": "simpleitk",
    "cv2": "opencv-python-headless",
    "pydantic_core": "pydantic",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}

Rule = Callable[[str, str], Iterator[str]]
RULES: dict[Rule, tuple[str, ...]] = {}


def rule(*scope: str) -> Callable[[Rule], Rule]:
    """Register a rule for the files that match a pattern of `scope`."""

    def register(function: Rule) -> Rule:
        RULES[function] = scope
        return function

    return register


# ---- reading -------------------------------------------------------------------------------------------------------


@cache
def files() -> tuple[str, ...]:
    """Every file git would take, new ones included; without git every file outside hidden and generated folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        generated = re.compile(r"(^|/)(\.(?!ci|git|pre)[^/]*|__pycache__|runs|build|[^/]*\.egg-info)(/|$)")
        listed = [path.as_posix() for path in found if not generated.search(path.as_posix())]
    return tuple(sorted(path for path in listed if path and (ROOT / path).is_file()))


@cache
def read(path: str) -> str:
    return (ROOT / path).read_bytes().decode("utf-8", "replace")


@cache
def parse(source: str) -> ast.Module:
    return ast.parse(source)


def room_of(path: str) -> str:
    parts = path.split("/")
    return parts[2] if len(parts) > 3 else ""


def is_private(name: str) -> bool:
    return name.startswith("_")


def docstring_lines(node: ast.AST) -> int:
    first = node.body[0] if getattr(node, "body", None) else None
    held = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return first.end_lineno - first.lineno + 1 if held else 0


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imports(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import below `tree`; of `from a import b` it is `a.b`. Also import_module("a.b")."""
    package = path.removesuffix(".py").removeprefix("src/").split("/")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level]) if node.level else ""
            base = ".".join(part for part in (start, node.module) if part)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in {"import_module", "__import__"}:
            named = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            if isinstance(named, str):
                yield node.lineno, named


def called(node: ast.Call) -> str:
    """The last name of what is called: `load` of `np.load(...)`."""
    return getattr(node.func, "attr", None) or getattr(node.func, "id", "")


def without(tree: ast.Module, *, functions: bool, type_checking: bool) -> ast.Module:
    """The tree without what runs only in a call, or only for a type checker."""

    class Prune(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
            return None if functions else self.generic_visit(node)

        visit_AsyncFunctionDef = visit_FunctionDef

        def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
            named = getattr(node.test, "id", None) or getattr(node.test, "attr", None)
            return node.orelse if type_checking and named == "TYPE_CHECKING" else self.generic_visit(node)

    return Prune().visit(ast.parse(ast.unparse(tree)))


# ---- who may import whom -------------------------------------------------------------------------------------------


@rule("src/phalanx/*.py")
def import_table(path: str, source: str) -> Iterator[str]:
    """A room imports only what DESIGN.md lets it import, wherever in the file the import stands."""
    room = room_of(path)
    if room not in MAY_IMPORT:
        yield f"1: {room} is no room of the import table"
        return
    if not room and not path.endswith(("/__init__.py", "/__main__.py")):
        yield "1: a module belongs in a room"
    for line, name in imports(path, parse(source)):
        parts = name.split(".")
        if parts[0] != "phalanx":
            continue
        target = parts[1] if len(parts) > 1 else ""
        if target == "__version__":
            continue
        if target != room and target not in MAY_IMPORT[room]:
            yield f"{line}: {room or 'phalanx'} may not import {name}"


@rule(*(f"src/phalanx/{room}/*.py" for room in sorted(CATALOGUES)))
def entries_apart(path: str, source: str) -> Iterator[str]:
    """The entries of a catalogue never import each other; what they share lives in a file with a leading underscore."""
    room = room_of(path)
    for line, name in imports(path, parse(source)):
        parts = name.split(".")
        if parts[:2] == ["phalanx", room] and not (len(parts) > 2 and is_private(parts[2])):
            yield f"{line}: imports {name}, another entry of {room}/"


@rule(*(f"src/phalanx/{room}/*.py" for room in sorted(NO_TORCH)))
def no_torch(path: str, source: str) -> Iterator[str]:
    """These rooms work on runs and files; torch takes seconds to import."""
    for line, name in imports(path, parse(source)):
        if name.split(".")[0] in TORCH:
            yield f"{line}: {room_of(path)} may not import {name}"


@rule("src/phalanx/__init__.py", *(f"src/phalanx/{room}/*.py" for room in sorted(LATE_TORCH - {""})))
def torch_is_late(path: str, source: str) -> Iterator[str]:
    """What the torch-free rooms and commands import loads torch only inside the functions that need it."""
    for _, name in imports(path, without(parse(source), functions=True, type_checking=True)):
        if name.split(".")[0] in TORCH:
            yield f"imports {name} at the top of the file; move it into the function"


@rule("src/phalanx/*.py", "run.py", "tune.py")
def declared_dependencies(path: str, source: str) -> Iterator[str]:
    """What the code imports is in the standard library or in pyproject.toml, not a dependency's dependency."""
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = (wanted for name, wanted in project.get("optional-dependencies", {}).items() if name != "dev")
    wanted = [*project["dependencies"], *(item for items in extras for item in items)]
    known = {re.split(r"[^\w.-]", item)[0].lower().replace("_", "-") for item in wanted}
    for _, name in imports(path, without(parse(source), functions=False, type_checking=True)):
        top = name.split(".")[0]
        distribution = DISTRIBUTIONS.get(top, top.lower().replace("_", "-"))
        if top != "phalanx" and top not in sys.stdlib_module_names and distribution not in known:
            yield f"imports {top}, but pyproject.toml does not ask for {distribution}"


# ---- one name, one address -----------------------------------------------------------------------------------------


@rule("src/phalanx/*/__init__.py")
def doors_are_bare(path: str, source: str) -> Iterator[str]:
    """The `__init__.py` of a room holds its docstring and nothing else."""
    tree = parse(source)
    if not ast.get_docstring(tree):
        yield "1: a room's __init__.py says in one sentence what the room is"
    yield from (f"{node.lineno}: only a docstring belongs here" for node in tree.body[1:])


@cache
def defined(path: str) -> tuple[set[str], set[str]]:
    """Names a file of ours defines, and names it only imports, at its top level."""
    own, borrowed = set(), set()
    for node in ast.walk(without(parse(read(path)), functions=False, type_checking=False)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            borrowed |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
    return own, borrowed


@rule("src/phalanx/*.py")
def no_re_exports(path: str, source: str) -> Iterator[str]:
    """A name is imported from the module that defines it; no `__all__`, no star."""
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.Name) and node.id == "__all__":
            yield f"{node.lineno}: __all__; names without an underscore are public"
        if not isinstance(node, ast.ImportFrom):
            continue
        if any(alias.name == "*" for alias in node.names):
            yield f"{node.lineno}: imports a star"
        target = f"src/{(node.module or '').replace('.', '/')}.py"
        if not target.startswith("src/phalanx/") or not (ROOT / target).is_file():
            continue
        own, borrowed = defined(target)
        for name in {alias.name for alias in node.names} & (borrowed - own):
            yield f"{node.lineno}: {name} is only imported by {node.module}; import it from where it is defined"


@rule("src/*.py", "tests/*.py", "benchmarks/*.py")
def telling_names(path: str, source: str) -> Iterator[str]:
    """No module or folder whose name says nothing."""
    for part in path.removesuffix(".py").split("/"):
        if part.strip("_").removeprefix("test_") in VAGUE:
            yield f"1: {part} says nothing about what it holds"


# ---- sizes and docstrings ------------------------------------------------------------------------------------------


@rule("src/*.py", "benchmarks/*.py")
def file_length(path: str, source: str) -> Iterator[str]:
    """A file fits in one reading."""
    lines = len(source.splitlines())
    if lines > FILE_LINES:
        yield f"{lines}: {lines} lines, {FILE_LINES} are allowed"


@rule("run.py", "tune.py")
def entry_point_length(path: str, source: str) -> Iterator[str]:
    """run.py and tune.py dispatch and do nothing else."""
    lines = len(source.splitlines())
    if lines > ENTRY_POINT_LINES:
        yield f"{lines}: {lines} lines, {ENTRY_POINT_LINES} are allowed"


@rule("src/*.py", "benchmarks/*.py", "run.py", "tune.py")
def function_length(path: str, source: str) -> Iterator[str]:
    """A function, its docstring apart, fits on a screen."""
    for node in functions(parse(source)):
        lines = node.end_lineno - node.lineno + 1 - docstring_lines(node)
        if lines > FUNCTION_LINES:
            yield f"{node.lineno}: {node.name} has {lines} lines, {FUNCTION_LINES} are allowed"


@rule("src/*.py", "benchmarks/*.py", "run.py", "tune.py")
def docstrings(path: str, source: str) -> Iterator[str]:
    """Every module, and every public class, function and method, says what it is for."""
    if not ast.get_docstring(parse(source)):
        yield "1: the module has no docstring"

    def visit(body: list[ast.stmt], inside: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.If | ast.Try):
                yield from visit(node.body, inside)
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or is_private(node.name):
                continue
            if inside and node.name == "Config":
                continue  # described by its class
            marks = {getattr(mark, "attr", None) or getattr(mark, "id", None) for mark in node.decorator_list}
            if not ast.get_docstring(node) and not marks & {"overload", "override", "setter", "deleter"}:
                yield f"{node.lineno}: {inside}{node.name} has no docstring"
            if isinstance(node, ast.ClassDef):
                yield from visit(node.body, f"{inside}{node.name}.")

    yield from visit(parse(source).body, "")


@rule("src/*.py", "tests/*.py", "benchmarks/*.py", "run.py", "tune.py")
def ascii_code(path: str, source: str) -> Iterator[str]:
    """Code and comments are ASCII; strings may hold what people read."""
    strings = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in strings and not token.string.isascii():
            yield f"{token.start[0]}: {token.string!a} outside a string"


# ---- safety --------------------------------------------------------------------------------------------------------

UNSAFE_MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}
UNSAFE_CALLS = {
    "os.system", "os.popen", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "joblib.load", "joblib.dump",
    "eval", "exec", "compile", "pd.read_pickle", "pandas.read_pickle",
}  # fmt: skip
UNSAFE_ARGUMENTS = {"allow_pickle": True, "weights_only": False, "shell": True}


@rule("src/*.py", "benchmarks/*.py", "run.py", "tune.py")
def nothing_unsafe(path: str, source: str) -> Iterator[str]:
    """A stranger's file cannot run code: no pickle, no eval, no shell."""
    tree = parse(source)
    for line, name in imports(path, tree):
        if name.split(".")[0] in UNSAFE_MODULES:
            yield f"{line}: imports {name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if ast.unparse(node.func) in UNSAFE_CALLS or called(node) == "to_pickle":
            yield f"{node.lineno}: calls {ast.unparse(node.func)}"
        for keyword in node.keywords:
            given = keyword.value
            if keyword.arg in UNSAFE_ARGUMENTS and (
                not isinstance(given, ast.Constant) or given.value == UNSAFE_ARGUMENTS[keyword.arg]
            ):
                yield f"{node.lineno}: passes {keyword.arg}={ast.unparse(given)}"


# Cut in two, so that this file does not hold what it looks for.
PRIVATE_KEY = re.compile("-----BEGIN [A-Z ]*" + "PRIVATE KEY-----")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work/|opt/ml|data/ephemeral|root/|home/\w|Users/\w)|[A-Z]:\\Users\\")


@rule("*")
def no_machine_paths(path: str, source: str) -> Iterator[str]:
    """No file names a folder of the machine it was written on, none holds a private key."""
    for line, text in enumerate(source.splitlines(), 1):
        for found in filter(None, (MACHINE_PATH.search(text), PRIVATE_KEY.search(text))):
            yield f"{line}: {found[0]}"


@rule("*")
def no_large_files(path: str, source: str) -> Iterator[str]:
    """Data and results stay outside the repository."""
    size = (ROOT / path).stat().st_size if (ROOT / path).is_file() else len(source)
    if size > TRACKED_BYTES:
        yield f"1: {size:,} bytes, {TRACKED_BYTES:,} are allowed"


# ---- tests, configurations, notebooks ------------------------------------------------------------------------------


@rule("tests/*.py")
def mirrored_tests(path: str, source: str) -> Iterator[str]:
    """tests/<room>/test_*.py belongs to a room; no `__init__.py`, pytest imports by path."""
    parts = path.split("/")
    if parts[-1] == "__init__.py":
        yield "1: tests need no __init__.py"
    if len(parts) > 2 and parts[1] not in set(MAY_IMPORT) | {"benchmarks", "configs"}:
        yield f"1: there is no room {parts[1]}"


@rule("tests/test_*.py", "tests/*/test_*.py")
def asserting_tests(path: str, source: str) -> Iterator[str]:
    """Every test asserts something, itself or through a function of its file, a check_... or an assert_... function."""
    tree = parse(source)
    found = list(functions(tree))
    proving: set[str] = set()

    def is_proof(function: ast.AST) -> bool:
        for node in ast.walk(function):
            name = called(node) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Assert) or name in proving or name in {"raises", "warns", "fail"}:
                return True
            if name.lstrip("_").startswith(("assert_", "check_")):
                return True
        return False

    for _ in found:
        grown = {function.name for function in found if is_proof(function)}
        if grown == proving:
            break
        proving = grown
    for function in found:
        if function.name.startswith("test_") and function.name not in proving:
            yield f"{function.lineno}: {function.name} asserts nothing"


@rule("configs/*.yaml", "configs/*.yml")
def config_shape(path: str, source: str) -> Iterator[str]:
    """A configuration opens with the command that uses it, lies where the catalogues lie, and holds no import path."""
    parts = path.split("/")
    stem = parts[-1].rsplit(".", 1)[0]
    if len(parts) > 2 and parts[1] not in CATALOGUES | {"study", "patches"}:
        yield f"1: configs/{parts[1]}/ mirrors no catalogue"
    lines = source.splitlines()
    header = "\n".join(lines[: next((n for n, text in enumerate(lines) if not text.startswith("#")), len(lines))])
    if not header:
        yield "1: no comment at the top says what it is for"
    command = {2: f"python run.py config={stem}"}.get(len(parts), f"study={stem}" if parts[1] == "study" else "")
    if not re.search(re.escape(command) + r"(?![\w-])", header):
        yield f"1: the comment at the top does not give its command, {command}"
    for line, text in enumerate(lines, 1):
        if found := re.search(r"_target_|\bphalanx\.\w+|!!python", text):
            yield f"{line}: {found[0]}: a configuration names entries, never code"


@rule("*.ipynb")
def notebooks_are_clean(path: str, source: str) -> Iterator[str]:
    """A notebook is stored without outputs, and what deserves a function deserves a room."""
    for number, cell in enumerate(json.loads(source)["cells"], 1):
        if cell["cell_type"] != "code":
            continue
        if cell.get("outputs") or cell.get("execution_count"):
            yield f"{number}: the cell holds outputs; clear them"
        code = "".join(cell["source"])
        if re.search(r"^\s*(async\s+def|def|class)\s", code, re.MULTILINE):
            yield f"{number}: the cell defines a function or a class; move it to a room"


# ---- the house, and the proof that the rules work ------------------------------------------------------------------


def offences(check: Rule, path: str) -> list[str]:
    return [f"{path}:{offence}" for offence in check(path, read(path))]


@pytest.mark.parametrize("check", RULES, ids=lambda check: check.__name__)
def test_house(check):
    found = [
        offence
        for path in files()
        if any(fnmatch(path, pattern) for pattern in RULES[check]) and (check.__name__, path) not in EXCEPTIONS
        for offence in offences(check, path)
    ]
    assert not found, "\n" + "\n".join(found)


def test_exceptions_are_needed():
    by_name = {check.__name__: check for check in RULES}
    needless = [(name, path) for name, path in EXCEPTIONS if not offences(by_name[name], path)]
    assert not needless, f"these keep the rule again; remove them from EXCEPTIONS: {needless}"


LONG = '"""Doc."""\n\n\ndef solve():\n    """Doc."""\n' + "    x = 1\n" * 60
CELL = '{"cells": [{"cell_type": "code", "source": ["%s"], "outputs": [%s]}]}'
PLANTED = [
    (import_table, "src/phalanx/mask/runs.py", "import phalanx.metrics.dice"),
    (import_table, "src/phalanx/mask/runs.py", "def f():\n    from phalanx.steps import smooth"),
    (import_table, "src/phalanx/store/a.py", "if TYPE_CHECKING:\n    from phalanx.mask.runs import Runs"),
    (import_table, "src/phalanx/core/a.py", "from phalanx import mask"),
    (import_table, "src/phalanx/core/a.py", "from ..mask import runs"),
    (import_table, "src/phalanx/core/a.py", "import importlib\nimportlib.import_module('phalanx.mask.runs')"),
    (import_table, "src/phalanx/view/app.py", "from phalanx.commands import cli"),
    (import_table, "src/phalanx/kitchen/a.py", ""),
    (import_table, "src/phalanx/stray.py", ""),
    (entries_apart, "src/phalanx/steps/smooth.py", "from phalanx.steps import threshold"),
    (entries_apart, "src/phalanx/steps/smooth.py", "from phalanx.steps.threshold import Threshold"),
    (entries_apart, "src/phalanx/steps/smooth.py", "from . import threshold"),
    (entries_apart, "src/phalanx/steps/smooth.py", "import phalanx.steps"),
    (no_torch, "src/phalanx/mask/runs.py", "import torch.nn.functional as F"),
    (no_torch, "src/phalanx/view/app.py", "def f():\n    from timm import create_model"),
    (torch_is_late, "src/phalanx/core/labels.py", "from torch import Tensor"),
    (torch_is_late, "src/phalanx/metrics/dice.py", "class A:\n    import torch"),
    (torch_is_late, "src/phalanx/store/a.py", "try:\n    import lightning\nexcept ImportError:\n    pass"),
    (declared_dependencies, "src/phalanx/mask/runs.py", "def f():\n    import requests"),
    (declared_dependencies, "src/phalanx/mask/runs.py", "import pytest"),
    (doors_are_bare, "src/phalanx/mask/__init__.py", '"""Masks."""\nfrom phalanx.mask.runs import Runs'),
    (doors_are_bare, "src/phalanx/mask/__init__.py", ""),
    (no_re_exports, "src/phalanx/core/a.py", "from phalanx.core.errors import *"),
    (no_re_exports, "src/phalanx/core/a.py", "__all__ = ['f']"),
    (no_re_exports, "src/phalanx/mask/a.py", "from phalanx.core.labels import DataError"),
    (telling_names, "src/phalanx/core/_utils.py", ""),
    (telling_names, "tests/helpers/test_a.py", ""),
    (file_length, "src/phalanx/core/a.py", "x = 1\n" * 351),
    (entry_point_length, "run.py", "x = 1\n" * 41),
    (function_length, "src/phalanx/core/a.py", LONG),
    (docstrings, "src/phalanx/core/a.py", "x = 1"),
    (docstrings, "src/phalanx/core/a.py", '"""Doc."""\ndef solve(): ...'),
    (docstrings, "src/phalanx/core/a.py", '"""Doc."""\nclass A:\n    """Doc."""\n    def solve(self): ...'),
    (ascii_code, "src/phalanx/core/a.py", "x = 1  # \u00d7"),
    (ascii_code, "src/phalanx/core/a.py", "\u00e9t\u00e9 = 1"),
    (nothing_unsafe, "src/phalanx/core/a.py", "from pickle import load"),
    (nothing_unsafe, "src/phalanx/core/a.py", "np.load(path, allow_pickle=True)"),
    (nothing_unsafe, "src/phalanx/core/a.py", "torch.load(path, weights_only=flag)"),
    (nothing_unsafe, "src/phalanx/core/a.py", "eval(text)"),
    (nothing_unsafe, "src/phalanx/core/a.py", "exec(text)"),
    (nothing_unsafe, "src/phalanx/core/a.py", "os.system(text)"),
    (nothing_unsafe, "src/phalanx/core/a.py", "subprocess.run(text, shell=True)"),
    (nothing_unsafe, "src/phalanx/core/a.py", "yaml.load(text, yaml.Loader)"),
    (no_machine_paths, "README.md", "see /" + "work/main"),
    (no_machine_paths, "configs/a.yaml", "root: /" + "opt/ml/data"),
    (no_machine_paths, "src/phalanx/core/a.py", "'/data" + "/ephemeral/x'"),
    (no_machine_paths, "key.pem", "-----BEGIN RSA " + "PRIVATE KEY-----"),
    (no_large_files, "codebook/big.csv", "1" * 500_001),
    (mirrored_tests, "tests/kitchen/test_a.py", ""),
    (mirrored_tests, "tests/mask/__init__.py", ""),
    (asserting_tests, "tests/mask/test_a.py", "def test_it():\n    solve()"),
    (asserting_tests, "tests/mask/test_a.py", "def test_a():\n    assert 1\ndef test_b(check_it):\n    solve()"),
    (config_shape, "configs/phantom.yaml", "seed: 0"),
    (config_shape, "configs/phantom.yaml", "# python run.py config=phantom_large\nseed: 0"),
    (config_shape, "configs/phantom.yaml", "seed: 0\n# python run.py config=phantom"),
    (config_shape, "configs/phantom.yaml", "# python run.py config=phantom\n_target_: torch.nn.Linear"),
    (config_shape, "configs/phantom.yaml", "# python run.py config=phantom\nnet: phalanx.models.unet"),
    (config_shape, "configs/kitchen/a.yaml", "# A comment."),
    (config_shape, "configs/losses/dice.yaml", "smooth: 1"),
    (config_shape, "configs/study/schedule.yaml", "# A comment."),
    (notebooks_are_clean, "codebook/a.ipynb", CELL % ("x", '{"output_type": "stream"}')),
    (notebooks_are_clean, "codebook/a.ipynb", CELL % ("def f(): pass", "")),
]
CLEAN = [
    (import_table, "src/phalanx/commands/cli.py", "import phalanx.train.fit\nfrom phalanx.view import app"),
    (import_table, "src/phalanx/mask/runs.py", "from phalanx.mask import polygon\nfrom phalanx.core.case import Case"),
    (import_table, "src/phalanx/store/a.py", "from phalanx import __version__"),
    (import_table, "src/phalanx/__init__.py", "from phalanx.core import torchvision_schemas"),
    (entries_apart, "src/phalanx/steps/a.py", "from phalanx.steps._base import Step\nfrom phalanx.steps import _base"),
    (entries_apart, "src/phalanx/steps/smooth.py", "from ._base import Step"),
    (torch_is_late, "src/phalanx/core/labels.py", "if TYPE_CHECKING:\n    import torch\ndef f():\n    import torch"),
    (declared_dependencies, "src/phalanx/a/b.py", "import os, cv2, numpy\nif TYPE_CHECKING:\n    import requests"),
    (doors_are_bare, "src/phalanx/mask/__init__.py", '"""Masks."""'),
    (no_re_exports, "src/phalanx/mask/a.py", "from phalanx.core.errors import DataError"),
    (function_length, "src/phalanx/core/a.py", LONG.removesuffix("    x = 1\n")),
    (docstrings, "src/phalanx/core/a.py", '"""Doc."""\ndef _f(): ...\nclass A:\n    """Doc."""\n    class Config: ...'),
    (ascii_code, "src/phalanx/core/a.py", "x = '\u00d7'  # times"),
    (nothing_unsafe, "src/phalanx/core/a.py", "net.eval()\nnp.load(path, allow_pickle=False)\nre.compile('a')"),
    (no_machine_paths, "README.md", "https://example.org/work/ and docs/home/page and ../work/x"),
    (asserting_tests, "tests/mask/test_a.py", "def same(a):\n    assert a\ndef test_it():\n    same(1)"),
    (asserting_tests, "tests/mask/test_a.py", "def test_it():\n    np.testing.assert_array_equal(a, b)"),
    (config_shape, "configs/phantom.yaml", "# Small.\n#   python run.py config=phantom\nseed: 0"),
    (config_shape, "configs/study/schedule.yaml", "# python tune.py config=a study=schedule\nlr: 0"),
    (config_shape, "configs/losses/dice.yaml", "# The default.\nsmooth: 1"),
    (notebooks_are_clean, "codebook/a.ipynb", CELL % ("x = 1", "")),
]  # fmt: skip


@pytest.mark.parametrize(("check", "path", "source"), PLANTED)
def test_rule_catches(check, path, source):
    assert any(fnmatch(path, pattern) for pattern in RULES[check]), "the rule never sees this path"
    assert list(check(path, source))


@pytest.mark.parametrize(("check", "path", "source"), CLEAN)
def test_rule_lets_pass(check, path, source):
    assert list(check(path, source)) == []


def test_the_files_are_found():
    assert {"pyproject.toml", "src/phalanx/core/errors.py", "tests/test_house.py"} <= set(files())


def test_every_rule_was_seen_to_fail():
    assert {check for check, _, _ in PLANTED} == set(RULES)
