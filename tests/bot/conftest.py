"""What tests of the command line may ask for."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, and no setting of the machine's."""
    for name in os.environ:
        if name.startswith("MOMENTS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
