"""What is installed is what was locked, and the built wheel has everything it needs (OPS-1)."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.process import environment, free_port

ROOT = Path(__file__).parents[1]
LOCKS = (ROOT / "requirements.lock", ROOT / "tests" / "requirements.lock")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_OPS_1_every_dependency_is_pinned_with_hashes_and_without_an_address(lock: Path) -> None:
    text = lock.read_text("utf-8")
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert len(requirements) > 15
    for requirement in requirements:
        assert re.match(r"[a-z0-9._-]+(\[[a-z]+\])?==\S+( ; .*)? \\\n", requirement), requirement[:80]
        assert "--hash=sha256:" in requirement
    assert "://" not in text
    assert "--index" not in text


def test_OPS_1_what_runs_is_a_part_of_what_is_tested() -> None:
    run, tested = ({line.split()[0] for line in lock.read_text("utf-8").splitlines() if "==" in line} for lock in LOCKS)
    assert run <= tested


def test_OPS_1_a_file_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    (pinned,) = re.findall(r"^aiosqlite==\S+", LOCKS[0].read_text("utf-8"), re.MULTILINE)
    (tmp_path / "flipped.lock").write_text(f"{pinned} --hash=sha256:{'0' * 64}\n")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--require-hashes"]
    take = ["--only-binary", ":all:", "-d", str(tmp_path), "-r", str(tmp_path / "flipped.lock")]
    done = subprocess.run([*pip, *take], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    if "No matching distribution" in done.stderr:
        pytest.skip("no package index can be reached from here, so there is nothing that could be refused")
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_OPS_1_make_installs_nothing_but_what_is_locked() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "--require-hashes --only-binary :all:" in makefile
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert installs
    assert all("$(LOCKED)" in line or "--no-build-isolation --no-deps -e ." in line for line in installs)


def test_OPS_1_pages_load_nothing_from_elsewhere() -> None:
    for file in (*(ROOT / "web_export" / "templates").glob("*"), *(ROOT / "web_export" / "static").glob("*")):
        assert not re.search(r"(src|href|url|import)\W{1,3}(https?:)?//", file.read_text("utf-8")), file.name


def test_the_built_wheel_serves_the_site(tmp_path: Path) -> None:
    build = ["build", "--wheel", "--offline", "--no-build-isolation", "--quiet", "-o", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "uv", *build, str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(installed)]
    subprocess.run([*pip, str(wheel)], check=True)
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "bot", "run"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(installed), MOMENTS_WEB_PORT=str(port)),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr
            log = iter(process.stderr.readline, "")
            assert any("Moments is running" in line for line in log)
            with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
                styles = re.search(r'href="(/[^"]+\.css)"', page.read().decode())
            assert styles
            with urlopen(f"http://127.0.0.1:{port}{styles[1]}", timeout=10) as style:
                assert style.status == 200
        finally:
            process.terminate()
