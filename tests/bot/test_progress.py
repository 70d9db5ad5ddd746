"""Progress: seen on a terminal, wiped at the end, and not a byte of it anywhere else."""

import io

import pytest

from bot.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_it_and_keeps_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress("Exporting \x1b[2Jone\nnight") as show:
        show("0.1 MB")
        show("0.2 MB")
    assert terminal.getvalue() == "\r\x1b[KExporting [2Jone night: 0.1 MB\r\x1b[K"


def test_elsewhere_it_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Exporting") as show:
        show("0.1 MB")
    assert capsys.readouterr() == ("", "")
