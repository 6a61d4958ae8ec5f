"""torchvision can be imported whether or not its compiled library loads; each case in a process of its own."""

import subprocess
import sys
import textwrap

import pytest

INSTALL = "import sys; from phalanx.core import torchvision_schemas; torchvision_schemas.install(); "


@pytest.fixture
def run_python(tmp_path):
    """Run Python source in a fresh process, in a folder whose modules come first, and return what it printed."""

    def run(source: str) -> str:
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{INSTALL}\n{textwrap.dedent(source)}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def make_torchvision(folder, has_ops: bool) -> None:
    """Write a torchvision that does at import what the real one does, in its order."""
    package = folder / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("from . import extension\nfrom torchvision import _meta_registrations\n")
    (package / "extension.py").write_text(f"def _has_ops():\n    return {has_ops}\n")
    needs_schema = "import torch\ntorch.library.register_fake('torchvision::nms')(lambda *a: None)\n"
    (package / "_meta_registrations.py").write_text("" if has_ops else needs_schema)


def test_install_imports_neither_torch_nor_torchvision(run_python):
    assert run_python("print('torch' in sys.modules, 'torchvision' in sys.modules)") == "False False"


def test_install_twice_leaves_one_finder(run_python):
    found = run_python("""
        torchvision_schemas.install()
        print(sum(type(finder).__module__ == 'phalanx.core.torchvision_schemas' for finder in sys.meta_path))
    """)
    assert found == "1"


def test_nothing_is_declared_where_the_operators_load(run_python, tmp_path):
    make_torchvision(tmp_path, has_ops=True)
    found = run_python("""
        import torchvision
        finders = sum(type(finder).__module__ == 'phalanx.core.torchvision_schemas' for finder in sys.meta_path)
        print(torchvision_schemas._kept_alive, 'torch' in sys.modules, finders, torchvision.extension.__name__)
    """)
    assert found == "[] False 0 torchvision.extension"


def test_looking_for_torchvision_is_not_importing_it(run_python, tmp_path):
    make_torchvision(tmp_path, has_ops=False)
    found = run_python("""
        import importlib.util
        print(importlib.util.find_spec('torchvision').name, 'torch' in sys.modules)
    """)
    assert found == "torchvision False"


def test_schemas_already_declared_by_someone_else_are_left_alone(run_python, tmp_path):
    make_torchvision(tmp_path, has_ops=False)
    found = run_python("""
        import torch
        theirs = torch.library.Library('torchvision', 'DEF')
        theirs.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        import torchvision
        print(torch.ops.torchvision.nms.default._schema.name, torch.ops.torchvision.qnms.default._schema.name)
    """)
    assert found == "torchvision::nms torchvision::qnms"


def test_the_installed_packages_import_and_nms_works_or_says_why(run_python):
    found = run_python("""
        import gc
        import torch, torchvision, timm, segmentation_models_pytorch
        gc.collect()
        boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
        try:
            kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist()
        except RuntimeError as error:
            kept = str(error)
        loads = torchvision.extension._has_ops()
        print(kept == [0, 2] and not torchvision_schemas._kept_alive if loads else "custom C++ ops" in kept)
        print(bool(torchvision.transforms.functional.hflip(torch.arange(6).reshape(1, 2, 3))[0, 0, 0] == 2))
    """)
    assert found.split() == ["True", "True"]
