"""The options that say how a command's files are written."""

import pytest
import typer

from phalanx.commands._dialect import chosen, parse_size
from phalanx.mask.dialect import DIALECTS, Columns


def test_a_dialect_by_name_is_that_dialect():
    assert all(chosen(name) == dialect for name, dialect in DIALECTS.items())


def test_what_differs_by_option():
    found = chosen("handbone", "id, kind ,mask", "column", 0, " 1 0 ")
    assert found.columns == Columns("id", "kind", "mask")
    assert (found.order, found.base, found.empty, found.empties) == ("column", 0, "1 0", ("1 0",))
    assert not chosen("handbone", "id,mask").classes
    # Image and class keep sharing a cell of another name, until there is a column for each.
    assert chosen("severstal", "key,mask").names("a.jpg_1") == ("a.jpg", "1")
    assert chosen("severstal", "ImageId,ClassId,EncodedPixels").joint is None


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("hand",), "--dialect"),
        (("handbone", "id"), "--columns"),
        (("handbone", "a,b,c,d"), "--columns"),
        (("handbone", "a,,c"), "--columns"),
        (("handbone", "a,a"), "--columns"),
        (("handbone", None, "rows"), "--order"),
        (("handbone", None, None, 2), "--base"),
        (("handbone", None, None, None, "1 1"), "--empty"),
        (("handbone", None, None, None, "a,b"), "--empty"),
    ],
)
def test_what_no_dialect_can_have(arguments, hint):
    with pytest.raises(typer.BadParameter) as caught:
        chosen(*arguments)
    assert caught.value.param_hint == hint
    with pytest.raises(typer.BadParameter) as caught:
        chosen(*arguments, side="to")
    assert caught.value.param_hint == ("--to" if hint == "--dialect" else f"--to-{hint[2:]}")


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(typer.BadParameter, match=f"'hand' is none of {', '.join(DIALECTS)}"):
        chosen("hand")


def test_size_is_height_times_width():
    assert parse_size("2048x1024") == (2048, 1024)
    for text in ("2048", "0x4", "4x-1", "4X4", "4x4x4", "1000000x1", " 4x4"):
        with pytest.raises(typer.BadParameter, match="is not height x width"):
            parse_size(text)
