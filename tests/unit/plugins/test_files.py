from pathlib import Path

import pytest

from clawdbot.plugins.files import File


@pytest.mark.parametrize("data", ["a,b\n", b"a,b\n"])
def test_a_file_lies_in_the_calls_folder_whatever_its_name_says(
    data: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = File("/etc/../table.csv", data)
    assert "table.csv" == file.name
    assert b"a,b\n" == Path(file).read_bytes()
    assert b"a,b\n" == (tmp_path / "table.csv").read_bytes()
