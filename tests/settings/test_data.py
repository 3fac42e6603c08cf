"""What files do not say of themselves is said in settings, which are checked where they are."""

import pytest

from unrolled.errors import ConfigError
from unrolled.settings.data import DataConfig, FileFormat


def test_a_tab_may_be_written_out():
    assert FileFormat(delimiter="\\t") == FileFormat(delimiter="\t")
    config = DataConfig(("a.csv",), encoding="GBK", delimiter=";", header=False)
    assert DataConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("name", ["gb1803", "rot13", "base64", "undefined", ""])
def test_what_is_no_encoding(name):
    with pytest.raises(ConfigError) as error:
        FileFormat(encoding=name)
    assert str(error.value) == (
        f"encoding must be an encoding that Python knows, got {name!r}. "
        "Write for example gb18030 or cp1252."
    )


@pytest.mark.parametrize("delimiter", [";;", "", '"', "\n"])
def test_what_is_no_delimiter(delimiter):
    with pytest.raises(ConfigError) as error:
        DataConfig(delimiter=delimiter)
    assert str(error.value) == (
        f"delimiter must be one character, got {delimiter!r}. "
        "Write for example ';', or '\\t' for a tab."
    )


@pytest.mark.parametrize("name", ["encoding", "delimiter"])
def test_a_number_is_neither(name):
    with pytest.raises(ConfigError, match=f"^{name} must be text, got 7. Leave it out.$"):
        DataConfig(**{name: 7})
