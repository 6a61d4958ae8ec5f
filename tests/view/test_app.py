"""What the viewer's page is given: packed cases, scores, answers of the routes, the list of picked cases, the sheet."""

import asyncio
import json
import socket
from dataclasses import replace

import cv2
import numpy as np
import pytest
from starlette.applications import Starlette

from phalanx.core.errors import DataError, PhalanxError
from phalanx.mask import pile, runs
from phalanx.view import _app_figures, _app_pack, _app_picked, _app_routes, _app_scores, _app_sheet, app
from phalanx.view.gallery import Doubt, Gallery, Member

HEIGHT, WIDTH = 40, 56
CLASSES = ("Lunate", "Pisiform", "Radius")
# Rows and columns of rectangles, case by case and class by class; None: no such row.
TRUTH = [[(2, 12, 3, 13), (20, 30, 20, 36), None], [(0, 40, 0, 56), (), (5, 6, 7, 8)]]
A = [[(2, 12, 3, 13), (20, 30, 28, 44), (1, 3, 1, 3)], [(0, 40, 0, 28), (), (5, 6, 7, 8)]]
B = [[(2, 12, 3, 13), (), (1, 3, 1, 5)], [(0, 40, 0, 56), (3, 5, 3, 5), None]]


def plane(box) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    if box:
        mask[box[0] : box[1], box[2] : box[3]] = True
    return mask


def member(name: str, boxes, by_columns: bool = False) -> Member:
    flat = [box for case in boxes for box in case]
    masks = [runs.from_mask(plane(box).T.copy() if by_columns else plane(box)) for box in flat]
    return Member(name, pile.of(masks), np.array([[box is not None for box in case] for case in boxes]))


def image(place: int) -> np.ndarray:
    if place == 1:
        raise DataError("the image file is truncated", "two.png, 99 bytes", "fetch it again")
    return np.full((HEIGHT, WIDTH), 100, np.uint8)


def gallery(**changes) -> Gallery:
    plain = Gallery(
        title="a · b",
        cases=["one.png", "=two.png"],
        sizes=[(HEIGHT, WIDTH)] * 2,
        classes=CLASSES,
        colours=["#ff0000", "#00ff00", "#0000ff"],
        members=[member("a", A), member("b", B)],
        truth=member("truth", TRUTH),
        by_columns=False,
        photo=lambda place: (cv2.imencode(".png", image(place))[1].tobytes(), "image/png"),
        pixels=image,
    )
    return replace(plain, **changes)


def unpacked(content: bytes, kind) -> tuple[dict, np.ndarray]:
    length = int.from_bytes(content[:4], "little")
    return json.loads(content[4 : 4 + length]), np.frombuffer(content[4 + -(-length // 4) * 4 :], kind)


def ask(shown: Gallery, path: str) -> tuple[int, dict[str, str], bytes]:
    """The answer of a route, without a server."""
    route, _, query = path.partition("?")
    scope = {
        "type": "http", "method": "GET", "path": route, "query_string": query.encode(), "headers": [],
        "root_path": "", "scheme": "http", "server": ("127.0.0.1", 1), "http_version": "1.1",
    }  # fmt: skip
    sent: list[dict] = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    served = Starlette(routes=_app_routes.routes(shown, _app_scores.measure(shown)))
    asyncio.run(served(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("by_columns", [False, True])
def test_a_packed_case_gives_back_every_mask_and_a_ring_around_it(by_columns):
    sources = [member(name, boxes, by_columns) for name, boxes in (("a", A), ("b", B), ("truth", TRUTH))]
    shown = gallery(members=sources[:2], truth=sources[2], by_columns=by_columns)
    header, numbers = unpacked(_app_pack.case(shown, 0), np.int32)
    assert header["size"] == [HEIGHT, WIDTH]
    assert [source["missing"] for source in header["sources"]] == [[], [], [2]]
    for boxes, source in zip((A, B, TRUTH), header["sources"], strict=True):
        assert [entry[0] for entry in source["masks"]] == [label for label in range(3) if boxes[0][label]]
        for label, begin, middle, end in source["masks"]:
            drawn = runs.to_mask(numbers[begin:middle].reshape(-1, 2).astype(np.int64), (HEIGHT, WIDTH))
            assert (drawn == plane(boxes[0][label])).all()
            top, bottom, left, right = boxes[0][label]
            ring = numbers[middle + 1 : end].reshape(-1, 2)
            assert numbers[middle] == len(ring)
            assert ring.min(0).tolist() == [left, top]
            assert ring.max(0).tolist() == [right - 1, bottom - 1]


def test_scores_are_dice_by_hand():
    scores = _app_scores.measure(gallery())
    # Half of Pisiform's 160 pixels overlap; half of the second image is a third of both halves' sum: 2/3.
    expected = np.array([
        [[1, 0.5, np.nan], [2 / 3, 1, 1]],
        [[1, 0, np.nan], [1, 0, np.nan]],
    ])  # fmt: skip
    np.testing.assert_allclose(scores.dice, expected, atol=5e-5)
    np.testing.assert_allclose(scores.of_cases, [[0.75, 8 / 9], [0.5, 0.5]], atol=5e-5)
    np.testing.assert_allclose(scores.apart, [[0, 1, 1 / 3], [1 / 3, 1, np.nan]], atol=5e-5)
    assert scores.first == 0
    # Classes: (1 + 2/3) / 2, 0 and 2/3.
    assert scores.between[0, 1] == pytest.approx((5 / 6 + 0 + 2 / 3) / 3, abs=5e-5)
    assert scores.between[0, 1] == scores.between[1, 0]


def test_one_file_without_truth_has_no_score_and_no_disagreement():
    scores = _app_scores.measure(gallery(members=[member("a", A)], truth=None))
    assert scores.dice.shape == (1, 2, 3)
    assert np.isnan(scores.dice).all()
    assert np.isnan(scores.apart).all()
    assert scores.between.tolist() == [[1.0]]
    assert scores.first == 0


def test_without_truth_the_case_with_most_disagreement_comes_first():
    scores = _app_scores.measure(gallery(truth=None))
    # (0 + 1 + 1/3) / 3 and (1/3 + 1) / 2.
    np.testing.assert_allclose(scores.apart_of_cases, [4 / 9, 2 / 3], atol=5e-5)
    assert scores.first == 1


def test_facts_hold_names_and_every_score():
    shown = gallery(notes=["one is left out"])
    status, headers, content = ask(shown, "/viewer/facts")
    header, numbers = unpacked(content, np.float32)
    scores = _app_scores.measure(shown)
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert (header["cases"], header["members"], header["truth"]) == (["one.png", "=two.png"], ["a", "b"], "truth")
    assert (header["doubt"], header["notes"]) == (False, ["one is left out"])
    np.testing.assert_array_equal(numbers, np.concatenate([scores.dice.ravel(), scores.apart.ravel()]))


def test_an_image_that_cannot_be_read_is_told_and_its_masks_are_still_there():
    status, _, content = ask(gallery(), "/viewer/image/1")
    assert status == 422
    assert json.loads(content) == {"error": "the image file is truncated: two.png, 99 bytes. Fetch it again"}
    assert ask(gallery(), "/viewer/case/1")[0] == 200
    status, headers, content = ask(gallery(), "/viewer/image/0")
    assert (status, headers["content-type"]) == (200, "image/png")
    assert (cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) == 100).all()


def test_a_mask_that_leaves_the_image_is_told():
    status, _, content = ask(gallery(sizes=[(HEIGHT, WIDTH), (HEIGHT - 1, WIDTH)]), "/viewer/case/1")
    line = json.loads(content)["error"]
    assert status == 422
    assert "Lunate of =two.png in a ends at pixel 2212, the image is 39 x 56. Name the folder" in line


@pytest.mark.parametrize("path", ["/viewer/case/2", "/viewer/image/7"])
def test_a_case_that_is_not_there_is_told(path):
    status, _, content = ask(gallery(), path)
    assert status == 422
    assert "there is no such case" in json.loads(content)["error"]


def test_doubt_is_the_largest_of_the_classes_asked_for():
    levels = np.zeros((3, 4, 6), np.uint8)
    levels[0, 1, 2], levels[1, 1, 2], levels[2, 3, 5] = 90, 200, 30
    shown = gallery(doubt=lambda _: Doubt(levels, (0, 8, 20, 38)))
    for classes, expected in (("0,2", levels[[0, 2]].max(0)), ("1", levels[1]), ("", np.zeros((4, 6), np.uint8))):
        status, headers, content = ask(shown, f"/viewer/doubt/0?classes={classes}")
        assert (status, headers["x-box"]) == (200, "0,8,20,38")
        assert (cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) == expected).all()
    status, _, content = ask(gallery(), "/viewer/doubt/0?classes=1")
    assert (status, json.loads(content)["error"]) == (422, "there is no store. Start the viewer with --store")


def test_picked_cases_as_csv():
    table = _app_picked.table(gallery(), _app_scores.measure(gallery()), [1, 0])
    lines = _app_picked.csv(table).decode().splitlines()
    assert lines[0] == "case,Dice a,Dice b,weakest class,its Dice,disagreement"
    # A name that a spreadsheet would take for a formula.
    assert lines[1].startswith("'=two.png,0.8888")
    assert lines[2].split(",")[0] == "one.png"
    assert lines[2].split(",")[3] == "Pisiform"
    alone = gallery(members=[member("a", A)], truth=None)
    assert _app_picked.table(alone, _app_scores.measure(alone), [0]).columns.tolist() == ["case"]


def test_classes_of_a_case_with_their_pixels():
    table = _app_picked.classes(gallery(), _app_scores.measure(gallery()), 0)
    assert table["pixels a"].tolist() == [100, 160, 4]
    assert table["pixels b"].tolist() == [100, 0, 8]
    assert table["pixels truth"].isna().tolist() == [False, False, True]


def test_the_chart_of_a_case_has_the_weakest_class_on_top():
    figure = _app_figures.case(gallery(), _app_scores.measure(gallery()), 0)
    assert figure.layout.yaxis.ticktext == ("Pisiform", "Lunate", "Radius")
    assert [trace.name for trace in figure.data] == ["a", "b"]
    assert list(figure.data[0].x[:2]) == pytest.approx([0.5, 1], abs=1e-4)


def test_the_sheet_shows_what_is_missed_and_extra_and_names_an_image_that_cannot_be_read():
    shown = gallery()
    content = _app_sheet.png(shown, _app_scores.measure(shown), [0, 1])
    sheet = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    side, margin, line = _app_sheet._SIDE, _app_sheet._MARGIN, _app_sheet._LINE
    scale = side / WIDTH
    assert sheet.shape[1] == 2 * (2 * side + 4 + margin) + margin
    top, left = margin + 3 * line, margin + side + 4

    def at(x: float, y: float) -> tuple[int, ...]:
        return tuple(sheet[top + int((y + 0.5) * scale), left + int((x + 0.5) * scale)].tolist())

    # Pisiform is 20 to 36 in the truth and 28 to 44 in a; the rest of the image keeps its grey, darker.
    assert at(23, 25) == _app_sheet._MISSED
    assert at(40, 25) == _app_sheet._EXTRA
    assert at(32, 25) == at(50, 36) == (45, 45, 45)
    assert (sheet[:, left + side + margin :] == _app_sheet._BAD).all(-1).any()


def test_without_truth_the_sheet_shows_disagreement():
    shown = gallery(truth=None)
    content = _app_sheet.png(shown, _app_scores.measure(shown), [0])
    sheet = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert (sheet == _app_sheet._APART).all(-1).any()
    assert not (sheet == _app_sheet._MISSED).all(-1).any()


def test_a_taken_port_is_refused_and_another_one_found():
    with socket.socket() as taken:
        taken.bind((app.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PhalanxError, match=f"the port is taken: {port}. Choose another with --port"):
            app.free_port(port)
        assert app.free_port(None) != port


def test_the_page_is_for_this_machine_alone():
    settings = app.settings(8600)
    assert settings["server.address"] == "127.0.0.1"
    assert settings["server.port"] == 8600
    assert settings["browser.gatherUsageStats"] is False
    assert settings["server.fileWatcherType"] == "none"
