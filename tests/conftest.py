"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy with something else is slow to make examples: that says nothing about the test.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real marks and chats that the project's people share; it is not part of the repository."""
    folder = Path(os.environ.get("MOMENTS_SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set MOMENTS_SHARED_DATA to the folder that holds live-marks/")
    return folder


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where a test keeps its marks."""
    return tmp_path / "moments.db"
