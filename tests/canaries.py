"""LOG-1: secrets nobody else has, and the search for them in everything that comes out of Moments."""

import base64
import http.client
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import get_args
from urllib.parse import quote

from pydantic import SecretStr

from bot.settings import PREFIX, Settings
from tests.process import Running, moments

PAGES = ("/", "/readyz", "/healthz", "/metrics", "/s/nothing", "/api/v1/sessions/nothing", "/login/twitch", "/me")
"""Asked for in any case: pages that work, pages that are not there, and a problem document."""


class Canaries:
    """Secrets by what they are. What is added is searched for in whatever dress a program might give it."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def new(self, what: str) -> str:
        """A secret of its own for this purpose, long enough to be any."""
        return self.add(what, f"canary-{secrets.token_hex(24)}")

    def add(self, what: str, value: str) -> str:
        """Search for a secret somebody else made, too."""
        self._known[value] = what
        return value

    def settings(self) -> dict[str, str]:
        """The environment with a canary in every secret setting there is, by its type: a new one needs no test."""
        names = [name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)]
        return {f"{PREFIX}{name}".upper(): self.new(name) for name in names}

    def in_text(self, text: str | bytes) -> list[str]:
        """Which secrets a text shows."""
        raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        return [what for value, what in self._known.items() if any(form in raw for form in _forms(value))]

    def assert_in_none_of(self, *outputs: Mapping[str, str | bytes]) -> None:
        """Fail with who shows what; the secret itself is in no failure's text either."""
        assert self._known, "nothing was hidden, so finding nothing proves nothing"
        texts = [each for some in outputs for each in some.items()]
        shown = {where: found for where, text in texts if (found := self.in_text(text))}
        assert not shown, f"secrets came out: {shown}"


ENOUGH = 24
"""So many characters of a longer secret are it: what shows variables cuts them."""


def _forms(value: str) -> Iterator[bytes]:
    """As it is or begins, in a URL, as hex, and in base64 wherever it may begin in a longer text."""
    raw = value.encode()
    yield raw[:ENOUGH]
    yield quote(value, safe="").encode()
    yield raw.hex().encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        inner = encoded[4 if before else 0 : len(encoded) - 4]  # its ends depend on the neighbours
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def spoken(it: Running) -> dict[str, str]:
    """What a process has written so far."""
    return {"standard error, the log": "".join(it.log), "standard output": "".join(it.printed)}


def answers(port: int, paths: Iterable[str] = PAGES, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the site answers, errors too, with every header."""
    said = {}
    for method, path in [*(("GET", path) for path in paths), ("POST", "/logout"), ("DELETE", "/")]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(method, path, headers=dict(headers or {}))
        answer = connection.getresponse()
        said[f"{method} {path}"] = f"{answer.status} {answer.getheaders()}" + answer.read().decode(errors="replace")
        connection.close()
    return said


def told(folder: Path, *commands: tuple[str, ...], **settings: str) -> dict[str, str]:
    """What other commands print of the same installation: the doctor, and whatever else is asked for."""
    said = {}
    for words in (("doctor",), *commands):
        done = moments(folder, *words, **settings)
        said[f"moments {' '.join(words)}"] = done.stdout + done.stderr
    return said


def files(folder: Path) -> dict[str, bytes]:
    """Every file Moments made, the database among them; but for the key's own."""
    return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.suffix != ".key"}
