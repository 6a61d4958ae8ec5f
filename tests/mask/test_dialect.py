import pytest

from phalanx.core.errors import ConfigError
from phalanx.mask import dialect as dialects
from phalanx.mask.dialect import DIALECTS

BONES, NUCLEI = DIALECTS["handbone"], DIALECTS["dsb2018"]


def test_the_two_dialects():
    assert BONES.header == ("image_name", "class", "rle")
    assert NUCLEI.header == ("ImageId", "EncodedPixels")
    assert BONES.key("image1661130828152.png") == "image1661130828152.png"
    assert NUCLEI.key("00ae65.png") == "00ae65"
    assert NUCLEI.key("1.2.840.10008") == "1.2.840.10008"
    assert all(name == dialect.name for name, dialect in DIALECTS.items())


def test_names():
    assert dialects.named("dsb2018") is NUCLEI
    with pytest.raises(ConfigError, match="Choose handbone"):
        dialects.named("hand-bone")
