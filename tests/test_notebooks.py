"""Notebooks run from the first cell to the last, in an empty folder, on data they make themselves."""

import csv
import html
import re
import shutil
from collections import Counter
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(path.relative_to(ROOT) for path in (*ROOT.glob("ensembles/*.ipynb"), *ROOT.glob("codebook/*.ipynb")))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_notebook(notebook: Path, tmp_path: Path) -> None:
    cells = run(notebook, tmp_path)
    CHECKS.get(notebook.stem, lambda *_: None)(tmp_path, cells)


def run(notebook: Path, root: Path) -> nbformat.NotebookNode:
    """Run a notebook in a folder of its own name below `root`; its cells, with what they said."""
    folder = root / notebook.parent
    folder.mkdir(exist_ok=True)
    cells = nbformat.read(ROOT / notebook, as_version=4)
    client = nbclient.NotebookClient(cells, timeout=200, resources={"metadata": {"path": str(folder)}})
    client.execute()
    code = [cell for cell in cells.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any(cell.outputs for cell in code)
    return cells


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


def metadata_to_csv(folder: Path, cells: nbformat.NotebookNode) -> None:
    with (folder / "runs" / "metadata" / "meta_data.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "age", "sex", "weight_kg", "height_cm", "nail_art", "part", "images"]
    assert {row["sex"] for row in rows} == {"F", "M"}
    # The phantom lists one person without images, as the competition lists six; the shared table comes alone.
    parts = Counter((row["part"], row["images"]) for row in rows)
    alone = not (folder / "runs" / "metadata" / "train").is_dir()
    assert parts == ({("", "0"): 120} if alone else {("train", "2"): 10, ("test", "2"): 6, ("", "0"): 1})


def metadata_eda(folder: Path, cells: nbformat.NotebookNode) -> None:
    figures = [out for cell in cells.cells for out in cell.get("outputs", ()) if "application/vnd.plotly" in str(out)]
    assert len(figures) == 6
    if (folder / "runs" / "metadata" / "train").is_dir():
        said = str([cell.get("outputs") for cell in cells.cells])
        assert "train: 20 hands" in said and "test: 12 hands" in said
        table = (folder / "runs" / "metadata" / "wrists_train.csv").read_text().splitlines()
        assert len(table) == 1 + 20 and table[0] == "case,group,side,bend,hand,forearm,part"


def visualize_inference(folder: Path, cells: nbformat.NotebookNode) -> None:
    page = (folder / "runs" / "metadata" / "worst_cases.html").read_text(encoding="utf-8")
    # Three cases, the first and the second against the truth, two panels each.
    assert len(re.findall('<article class="case-card"', page)) == 6
    assert len(re.findall('aria-label="truth and first"', page)) == 3
    shown = next(
        out.data["text/html"] for cell in cells.cells for out in cell.get("outputs", ()) if "srcdoc" in str(out)
    )
    assert html.unescape(re.search('srcdoc="([^"]*)"', shown)[1]) == page


def test_metadata_of_the_competition(shared_data: Path, tmp_path: Path) -> None:
    """The two notebooks on people, with the table alone."""
    (tmp_path / "runs" / "metadata").mkdir(parents=True)
    shutil.copy(shared_data / "hand_metadata" / "meta_data.xlsx", tmp_path / "runs" / "metadata")
    for name in ("metadata_to_csv", "metadata_eda"):
        CHECKS[name](tmp_path, run(Path("codebook") / f"{name}.ipynb", tmp_path))


CHECKS = {
    "hard_ensemble": hard_ensemble,
    "soft_ensemble": soft_ensemble,
    "metadata_to_csv": metadata_to_csv,
    "metadata_eda": metadata_eda,
    "visualize_inference": visualize_inference,
}
