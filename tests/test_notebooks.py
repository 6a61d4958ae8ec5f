"""Notebooks run from the first cell to the last, in an empty folder, on data they make themselves."""

from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(path.relative_to(ROOT) for path in (*ROOT.glob("ensembles/*.ipynb"), *ROOT.glob("codebook/*.ipynb")))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_notebook(notebook: Path, tmp_path: Path) -> None:
    folder = tmp_path / notebook.parent
    folder.mkdir()
    cells = nbformat.read(ROOT / notebook, as_version=4)
    client = nbclient.NotebookClient(cells, timeout=200, resources={"metadata": {"path": str(folder)}})
    client.execute()
    code = [cell for cell in cells.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any(cell.outputs for cell in code)

    CHECKS.get(notebook.stem, lambda *_: None)(tmp_path, cells)


def hard_ensemble(folder: Path, cells: nbformat.NotebookNode) -> None:
    written = folder / "runs" / "hard_ensemble" / "ensemble.csv"
    # Two test people, two hands each, 29 bones.
    assert len(written.read_text().splitlines()) == 1 + 4 * 29
    page = next(out.data["text/html"] for cell in cells.cells for out in cell.get("outputs", ()) if "<svg" in str(out))
    assert page.count("<path") >= 2 * 29


def soft_ensemble(folder: Path, cells: nbformat.NotebookNode) -> None:
    made = folder / "runs" / "soft_ensemble"
    # Three test people, two hands each, 29 bones.
    assert len((made / "ensemble.csv").read_text().splitlines()) == 1 + 6 * 29
    assert (made / "mean.csv").read_text() != (made / "ensemble.csv").read_text()
    said = str([cell.get("outputs") for cell in cells.cells])
    assert "Honest dice" in said and "against" in said
    assert (made / "found.html").stat().st_size < 5_000_000


CHECKS = {"hard_ensemble": hard_ensemble, "soft_ensemble": soft_ensemble}
