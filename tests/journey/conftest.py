from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder whose socket path is short."""
    return tmp_path_factory.mktemp("w")
