"""Files: whole or not at all."""

from pathlib import Path

import pytest

from phalanx.core import files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "scores.json"
    files.write_text(target, "old")
    with pytest.raises(RuntimeError), files.whole(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_line_ends_are_kept(tmp_path: Path) -> None:
    files.write_text(tmp_path / "deep" / "a.csv", "a\nb\n")
    assert (tmp_path / "deep" / "a.csv").read_bytes() == b"a\nb\n"


def test_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert files.digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
