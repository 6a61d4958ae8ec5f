"""The viewer in a real browser: Debian's Chromium, headless, driven by Playwright."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from phalanx.core import catalogue
from phalanx.mask import polygon
from phalanx.mask import runs as run_lengths
from phalanx.mask.dialect import named
from phalanx.submit import write

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SIZE = (128, 128)
SHIFT = 3
LOST = "finger-9"


@pytest.fixture(scope="module")
def browser():
    """Chromium; tests skip where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="browser: Playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("browser: there is no chromium, chromium-browser or google-chrome here")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        # One context for all tests: Streamlit's own scripts are read and compiled once.
        yield opened.new_context(viewport={"width": 1280, "height": 860})
        opened.close()


@pytest.fixture(scope="module")
def truth(phantom) -> dict[str, dict[str, np.ndarray]]:
    """Runs of the test images' bones."""
    config = catalogue.entry("datasets", "handbone").Config(root=phantom)
    cases = catalogue.build("datasets", config).read().test
    return {
        case.id: {name: polygon.to_runs(rings, SIZE, "opencv") for name, rings in case.labels.rings.items()}
        for case in cases
    }


@pytest.fixture(scope="module")
def bad(truth) -> str:
    """The case whose image is truncated: the best one, so that it is not the first that is shown."""
    return max(truth, key=lambda case: np.mean([dice(mask, moved(mask)) for mask in truth[case].values()]))


@pytest.fixture(scope="module")
def address(phantom, truth, bad, tmp_path_factory):
    """A viewer of two files, the second of which lacks a bone; one image is truncated."""
    folder = tmp_path_factory.mktemp("view")
    images = folder / "images"
    images.mkdir()
    for path in (phantom / "test").rglob("*.png"):
        shutil.copy(path, images / path.name)
    (images / bad).write_bytes((images / bad).read_bytes()[:-2000])
    names = list(next(iter(truth.values())))
    shifted = ((case, SIZE, {name: moved(mask) for name, mask in masks.items()}) for case, masks in truth.items())
    write.write(folder / "moved.csv", named("handbone"), shifted, names)
    less = ((case, SIZE, {**masks, LOST: run_lengths.empty()}) for case, masks in truth.items())
    write.write(folder / "less.csv", named("handbone"), less, names)
    yield from serve(folder, "moved.csv", "less.csv", "--images", "images", "--truth", str(phantom))


def serve(folder: Path, *arguments: str):
    """The address of a viewer that runs until the generator is closed."""
    command = [sys.executable, "-c", "from phalanx.commands.cli import main; main()", "view", *arguments, "--headless"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as served:
        said = []
        for line in served.stdout:
            said.append(line)
            if told := re.search(r"http://127\.0\.0\.1:[0-9]+", line):
                yield told[0]
                break
        else:
            pytest.fail("".join(said))
        served.terminate()
        served.stdout.read()


@pytest.fixture
def page(browser, address):
    """The page with its first picture; it may neither complain nor ask for anything from elsewhere."""
    yield from watched(browser, address)


def watched(browser, address: str):
    opened = browser.new_page()
    trouble: list[str] = []
    opened.on("pageerror", lambda error: trouble.append(f"error {error}"))
    opened.on("request", lambda request: elsewhere(request.url) and trouble.append(f"asked for {request.url}"))
    opened.goto(address)
    opened.wait_for_selector(".bench[data-state=shown]")
    yield opened
    opened.evaluate("localStorage.clear()")
    opened.close()
    assert trouble == []


def elsewhere(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


def moved(mask: np.ndarray) -> np.ndarray:
    """The mask `SHIFT` pixels further right, cut at the border."""
    plane = run_lengths.to_mask(mask, SIZE)
    plane[:, SHIFT:] = plane[:, :-SHIFT].copy()
    plane[:, :SHIFT] = False
    return run_lengths.from_mask(plane)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return (2 * run_lengths.overlap(a, b) + 1e-4) / (run_lengths.area(a) + run_lengths.area(b) + 1e-4)


def shown(page) -> str:
    return page.locator(".case-name").text_content()


def open_next(page) -> None:
    before = page.get_attribute(".bench", "data-shown")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        """before => [...document.querySelectorAll('*')].some(host => {
            const bench = host.shadowRoot?.querySelector('.bench');
            return bench && bench.dataset.shown !== before;
        })""",
        arg=before,
    )


def colours(page, points: list[tuple[int, int]]) -> list[list[int]]:
    """Red, green, blue on the screen at the middle of image pixels `(x, y)`, the whole image being shown."""
    return page.locator(".stage > canvas").evaluate(
        """async (canvas, [points, size]) => {
            await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            const scale = Math.min(canvas.width / size[1], canvas.height / size[0]);
            const [left, top] = [(canvas.width - size[1] * scale) / 2, (canvas.height - size[0] * scale) / 2];
            return points.map(([x, y]) => Array.from(canvas.getContext('2d').getImageData(
                Math.floor(left + (x + 0.5) * scale), Math.floor(top + (y + 0.5) * scale), 1, 1).data).slice(0, 3));
        }""",
        [points, SIZE],
    )


def pixels(plane: np.ndarray, count: int = 5) -> list[tuple[int, int]]:
    """Some pixels `(x, y)` of a mask, spread over it."""
    found = np.argwhere(plane)
    return [(int(x), int(y)) for y, x in found[:: max(1, len(found) // count)]]


def only(page, *layers: str) -> None:
    """Switch these layers on, and all others off."""
    for button in page.locator(".layers button").all():
        on = button.get_attribute("aria-pressed") == "true"
        if on != (button.get_attribute("data-layer") in layers):
            button.click()
    page.mouse.move(5, 5)


def test_the_page_shows_cases_classes_and_scores(page, truth):
    assert page.locator(".row").count() == len(truth)
    assert page.locator(".class").count() == 29
    # Sorted by the mean Dice of the first file; the case shown is the worst one.
    scores = [float(text) for text in page.locator(".row .cell.a").all_inner_texts()]
    assert scores == sorted(scores)
    assert page.locator(".row.shown .cell.a").inner_text() == f"{scores[0]:.4f}"
    case = shown(page)
    row = page.locator(".class", has=page.get_by_text(LOST, exact=True))
    expected = dice(truth[case][LOST], moved(truth[case][LOST]))
    assert float(row.locator(".score.a").inner_text()) == pytest.approx(expected, abs=6e-5)
    assert float(row.locator(".score.b").inner_text()) == 0
    assert "B has no pixel of it" in row.get_attribute("title")


def test_missed_and_extra_are_painted_to_the_pixel(page, truth):
    only(page, "missed", "extra")
    masks = truth[shown(page)]
    planes = [
        {name: run_lengths.to_mask(change(mask), SIZE) for name, mask in masks.items()}
        for change in (lambda mask: mask, moved)
    ]
    missed = np.any([planes[0][name] & ~planes[1][name] for name in masks], 0)
    extra = np.any([planes[1][name] & ~planes[0][name] for name in masks], 0)
    for red, green, blue in colours(page, pixels(missed & ~extra)):
        assert blue > 190 > green > red
    for red, green, blue in colours(page, pixels(extra & ~missed)):
        assert red > 190 > green > blue
    for red, green, blue in colours(page, pixels(missed & extra)):
        assert red > 190
        assert blue > 150 > green
    for red, green, blue in colours(page, pixels(~missed & ~extra)):
        assert red == green == blue
    # Without the class that is looked at nothing of it remains.
    page.locator(".classes-none").click()
    assert all(red == green == blue for red, green, blue in colours(page, pixels(missed)))


def test_a_class_is_switched_off_and_shown_alone(page, truth):
    only(page, "truth", "fill")
    inside = {
        name: pixels(run_lengths.to_mask(truth[shown(page)][name], SIZE), 9)[4:5] for name in ("Radius", "finger-2")
    }

    def tinted(name: str) -> bool:
        red, green, blue = colours(page, inside[name])[0]
        return not red == green == blue

    assert tinted("Radius")
    assert tinted("finger-2")
    row = page.locator(".class", has=page.get_by_text("Radius", exact=True))
    row.locator(".switch").click()
    page.mouse.move(5, 5)
    assert row.locator(".switch").get_attribute("aria-pressed") == "false"
    assert not tinted("Radius")
    assert tinted("finger-2")
    row.hover()
    row.locator(".solo").click()
    page.mouse.move(5, 5)
    assert page.locator(".class:not(.off)").count() == 1
    assert tinted("Radius")
    assert not tinted("finger-2")
    # The table is sorted by what is shown.
    assert "Radius" in page.locator(".cases-head .a").get_attribute("title")
    page.keyboard.press("a")
    assert page.locator(".class.off").count() == 0


def test_keys_lead_through_the_cases_in_the_order_of_the_table(page, truth):
    names = [cell.get_attribute("title") for cell in page.locator(".row .cell.case").all()]
    assert sorted(names) == sorted(truth)
    seen = [shown(page)]
    for _ in names[1:]:
        open_next(page)
        seen.append(shown(page))
    assert seen == names
    page.locator(".cases-head .case").click()
    assert [cell.get_attribute("title") for cell in page.locator(".row .cell.case").all()] == list(truth)
    page.locator(".cases-search").fill(list(truth)[1])
    assert page.locator(".row").count() == 1
    # Letters that are typed are no keys.
    assert page.locator(".pick").get_attribute("aria-pressed") == "false"


def test_an_image_that_cannot_be_read_is_told_in_the_page(page, bad):
    page.locator(".row", has=page.locator(f".case[title='{bad}']")).click()
    alert = page.locator(".trouble")
    alert.wait_for()
    assert f"the image file is truncated: {bad}" in alert.text_content()
    assert "Fetch it again" in alert.text_content()
    assert shown(page) == bad
    open_next(page)
    assert alert.is_hidden()


def test_picked_cases_are_listed_and_exported(page, tmp_path):
    first = shown(page)
    page.keyboard.press("s")
    open_next(page)
    second = shown(page)
    page.locator(".pick").click()
    page.get_by_role("button", name="CSV", exact=True).wait_for()
    # The list follows a moment after the last pick.
    page.wait_for_timeout(700)
    with page.expect_download() as told:
        page.get_by_role("button", name="CSV", exact=True).click()
    lines = Path(told.value.path()).read_text().splitlines()
    assert lines[0].startswith("case,Dice moved,Dice less,weakest class")
    assert [line.split(",")[0] for line in lines[1:]] == [first, second]
    with page.expect_download() as told:
        page.get_by_role("button", name="PNG sheet").click()
    assert Path(told.value.path()).read_bytes().startswith(b"\x89PNG")
    page.reload()
    page.wait_for_selector(".bench[data-state=shown]")
    assert page.locator(".star[aria-pressed=true]").count() == 2


def test_the_window_changes_the_greys_and_charts_come_when_asked_for(page, truth):
    only(page)
    point = pixels(run_lengths.to_mask(truth[shown(page)]["Radius"], SIZE), 9)[4:5]
    before = colours(page, point)[0]
    page.locator(".window .low").fill("200")
    assert colours(page, point)[0][0] < before[0]
    page.locator(".auto").click()
    assert colours(page, point)[0] == before
    page.get_by_text("Scores of this case").click()
    page.locator(".js-plotly-plot .scatterlayer").first.wait_for()
    page.get_by_text("All cases", exact=True).click()
    page.locator(".js-plotly-plot .heatmaplayer").first.wait_for()
    assert page.locator("[data-testid=stException]").count() == 0


def test_a_volume_is_cut_three_ways_through_one_voxel(browser, tmp_path):
    labels = np.zeros((12, 16, 8), np.uint8)
    labels[1:5, 3:9, 2:7] = 3
    for name, voxels in (("scan", (labels * 40).astype(np.int16)), ("labels", labels)):
        nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1, 1, 3, 1])), tmp_path / f"{name}.nii.gz")
    for address in serve(tmp_path, "labels.nii.gz", "--images", "scan.nii.gz"):
        for opened in watched(browser, address):
            bench = opened.locator(".bench")
            assert opened.locator(".plane").count() == 3
            assert bench.get_attribute("data-at") == "6,8,4"
            assert opened.locator(".class .name").all_inner_texts() == ["label 3"]
            opened.locator(".plane.axial canvas").hover()
            opened.mouse.wheel(0, -100)
            opened.wait_for_function("host => host.dataset.at === '6,8,5'", arg=bench.element_handle())
            # A click in the slice moves the voxel; what is at the left of the screen is the patient's right.
            frame = opened.locator(".plane.axial canvas").bounding_box()
            scale = min(frame["width"] / 12, frame["height"] / 16)
            left, top = frame["x"] + (frame["width"] - 12 * scale) / 2, frame["y"] + (frame["height"] - 16 * scale) / 2
            opened.mouse.click(left + 8.5 * scale, top + 10.5 * scale)
            opened.wait_for_function("host => host.dataset.at === '3,5,5'", arg=bench.element_handle())
            assert "voxel 3 5 5   grey 120   A label 3" in opened.locator(".where").text_content()


def test_scripts_hold_runs_against_each_other(browser):
    """The page's own arithmetic on runs, against planes."""
    scripts = [(ROOT / f"src/phalanx/view/_app_{name}.js").read_text() for name in ("load", "paint")]
    opened = browser.new_page()
    opened.add_script_tag(content="\n".join([*scripts, "window.scripts = { eachLess, Mask, autoWindow };"]))
    generator = np.random.default_rng(5)
    for _ in range(30):
        a, b = (generator.random((7, 11)) < share for share in generator.random(2))
        runs = [run_lengths.from_mask(plane).ravel().tolist() for plane in (a, b)]
        less, held = opened.evaluate(
            """([a, b]) => {
                const found = [];
                scripts.eachLess(Int32Array.from(a), Int32Array.from(b), (start, stop) => found.push([start, stop]));
                const mask = new scripts.Mask(Int32Array.from(a), 0, a.length, a.length, 11);
                return [found, [...Array(77).keys()].filter(pixel => mask.has(pixel))];
            }""",
            runs,
        )
        painted = np.zeros(77, bool)
        for start, stop in less:
            assert not painted[start:stop].any()
            painted[start:stop] = True
        assert (painted == (a & ~b).ravel()).all()
        assert held == np.flatnonzero(a).tolist()
    counts = np.bincount(np.arange(1000) % 200, minlength=256).tolist()
    assert opened.evaluate("counts => scripts.autoWindow(counts)", counts) == [1, 198]
    opened.close()
