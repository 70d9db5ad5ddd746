"""Following short links, over TLS, to a server on this machine that stands for the fixed hosts."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import providers.shortlinks
from moments.errors import BadLink, TooFast
from providers.links import Link, ShortLink, recognise
from providers.shortlinks import ShortLinks, is_public, open_short_links

TRACK = "4uLU6hMCjMI75M1A2tKUQC"
PUBLIC = "93.184.216.34"
HOSTS = ["spotify.link", "open.spotify.com", "on.soundcloud.com", "vm.tiktok.com", "link.deezer.com", "www.tiktok.com"]

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def points(location: str, status: int = 302, more: str = "") -> Answer:
    """A redirect, followed by a body that never ends."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\n{more}\r\n".encode())
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    return answer


async def says_nothing(writer: asyncio.StreamWriter) -> None:
    await writer.drain()
    await asyncio.Event().wait()


async def heads_without_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 302 Found\r\n")
    while True:
        writer.write(b"X-More: and more\r\n" * 500)
        await writer.drain()


async def drips(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 302 Found\r\n")
    while True:
        writer.write(b"X-More: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def no_redirect(writer: asyncio.StreamWriter) -> None:
    page = b'<script>location="https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"</script>'
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page))


@dataclass
class Far:
    """The services' hosts, at one port of this machine."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[bytes] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            host = next(line.partition(": ")[2] for line in lines if line.lower().startswith("host:"))
            url = f"https://{host}{lines[0].split()[1]}"
            self.asked.append(url)
            self.headers.append(head)
            await self.answers.get(url, no_redirect)(writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the follower hung up, as it should
        finally:
            writer.close()


class Detour(httpx.AsyncBaseTransport):
    """Real connections, with the public address replaced by this machine's at the last moment."""

    def __init__(self, far: Far, trusted: ssl.SSLContext) -> None:
        self._far = far
        self._real = httpx.AsyncHTTPTransport(verify=trusted)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._far.dialled.append(request.url.host)
        assert (request.url.scheme, request.url.port) == ("https", None)
        request.url = request.url.copy_with(host="127.0.0.1", port=self._far.port)
        return await self._real.handle_async_request(request)

    async def aclose(self) -> None:
        await self._real.aclose()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "short links")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def far(certificate: Path) -> AsyncIterator[Far]:
    far = Far()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    serving: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(far.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    far.port = server.sockets[0].getsockname()[1]
    yield far
    server.close()
    for task in list(serving):
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


class Names:
    """A resolver that answers each time with the next of these."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers) or [[PUBLIC]]

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def opened(
    far: Far, certificate: Path, names: Names | None = None, clock: Clock | None = None
) -> AsyncIterator[ShortLinks]:
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with open_short_links(
        transport=Detour(far, trusted), lookup=names or Names(), clock=clock or Clock()
    ) as links:
        yield links


def short(url: str = "https://spotify.link/AbC123") -> ShortLink:
    found = recognise(url)
    assert isinstance(found, ShortLink)
    return found


async def lost(links: ShortLinks, url: str = "https://spotify.link/AbC123") -> str:
    with pytest.raises(BadLink) as refused:
        await links.follow(short(url), "rosa")
    assert refused.value.__context__ is None
    return str(refused.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_OUT_4_a_short_link_is_followed_and_no_body_read(far: Far, certificate: Path, status: int) -> None:
    far.answers["https://spotify.link/AbC123"] = points(f"https://open.spotify.com/track/{TRACK}?si=1", status)
    async with opened(far, certificate) as links:
        assert await links.follow(short(), "rosa") == Link("spotify", TRACK, "track")
    assert far.asked == ["https://spotify.link/AbC123"]
    assert far.dialled == [PUBLIC]
    assert b"Accept-Encoding: identity" in far.headers[0]


@pytest.mark.parametrize(
    ("pasted", "location", "link"),
    [
        ("on.soundcloud.com/AbC", "https://soundcloud.com/rosa/late-night?si=1", "rosa/late-night"),
        ("vm.tiktok.com/ZMAbC/", "https://www.tiktok.com/@rosa/video/6718335390845095173?_r=1", "6718335390845095173"),
        ("www.tiktok.com/t/ZTAbC/", "/@rosa/video/6718335390845095173", "6718335390845095173"),
        ("link.deezer.com/s/31J", "https://link.deezer.com/?dest=https%3A%2F%2Fwww.deezer.com%2Ftrack%2F42", "42"),
        ("open.spotify.com/s/2cz", f"//open.spotify.com/track/{TRACK}", TRACK),
    ],
)
async def test_each_services_short_links_lead_to_its_things(
    far: Far, certificate: Path, pasted: str, location: str, link: str
) -> None:
    start = short(pasted)
    far.answers[start.url] = points(location)
    async with opened(far, certificate) as links:
        assert (await links.follow(start, "rosa")).media_id == link
    assert far.asked == [start.url]


async def test_a_time_written_on_the_short_link_beats_the_one_behind_it(far: Far, certificate: Path) -> None:
    far.answers["https://on.soundcloud.com/AbC"] = points("https://soundcloud.com/rosa/late-night#t=0:10")
    async with opened(far, certificate) as links:
        plain = await links.follow(short("https://on.soundcloud.com/AbC"), "rosa")
        timed = await links.follow(short("https://on.soundcloud.com/AbC?t=45"), "rosa")
    assert (plain.start_seconds, timed.start_seconds) == (10, 45)


async def test_OUT_4_three_hops_and_no_more(far: Far, certificate: Path) -> None:
    for n in range(4):
        far.answers[f"https://spotify.link/{n}"] = points(f"https://spotify.link/{n + 1}")
    far.answers["https://spotify.link/2a"] = points("https://spotify.link/2b")
    far.answers["https://spotify.link/2b"] = points("https://spotify.link/2c")
    far.answers["https://spotify.link/2c"] = points(f"https://open.spotify.com/track/{TRACK}")
    clock = Clock()
    async with opened(far, certificate, clock=clock) as links:
        assert "could not be followed" in await lost(links, "https://spotify.link/0")
        assert len(far.asked) == 3
        clock.now += 10
        assert (await links.follow(short("https://spotify.link/2a"), "rosa")).media_id == TRACK


async def test_OUT_4_a_loop_ends(far: Far, certificate: Path) -> None:
    far.answers["https://spotify.link/AbC123"] = points("https://spotify.link/AbC123")
    async with opened(far, certificate) as links:
        await lost(links)
    assert len(far.asked) == 3


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1/",
        "https://spotify.link.evil.example/AbC",
        "https://spotify.link:8443/AbC",
        "https://me@spotify.link/AbC",
        "https://youtu.be/dQw4w9WgXcQ",
        "https://vm.tiktok.com/AbC",
        "https://on.soundcloud.com/AbC",
        "https://open.spotify.com/",
        "//evil.example/AbC",
        "/",
        "AbC",
        "javascript:alert(1)",
        "http://[",
        "x" * 3000,
        "",
    ],
)
async def test_OUT_4_a_hop_to_another_place_is_not_made(far: Far, certificate: Path, location: str) -> None:
    names = Names()
    far.answers["https://spotify.link/AbC123"] = points(location)
    async with opened(far, certificate, names) as links:
        await lost(links)
    assert far.asked == ["https://spotify.link/AbC123"]
    assert names.asked == ["spotify.link"]


async def test_what_is_behind_it_may_be_refused_in_its_own_words(far: Far, certificate: Path) -> None:
    far.answers["https://spotify.link/AbC123"] = points(f"https://open.spotify.com/playlist/{TRACK}")
    async with opened(far, certificate) as links:
        assert "playlist" in await lost(links)
        assert "playlist" in await lost(links)
    assert len(far.asked) == 1


@pytest.mark.parametrize("answer", [no_redirect, hangs_up, heads_without_end])
async def test_OUT_4_no_answer_of_its_breaks_anything(far: Far, certificate: Path, answer: Answer) -> None:
    far.answers["https://spotify.link/AbC123"] = answer
    async with opened(far, certificate) as links:
        assert "could not be followed" in await lost(links)
    assert len(far.asked) == 1


async def test_OUT_4_two_locations_are_none(far: Far, certificate: Path) -> None:
    track = f"https://open.spotify.com/track/{TRACK}"
    far.answers["https://spotify.link/AbC123"] = points(track, more=f"Location: {track}\r\n")
    async with opened(far, certificate) as links:
        await lost(links)


@pytest.mark.parametrize("answer", [says_nothing, drips])
async def test_OUT_4_whatever_takes_long_is_left(
    far: Far, certificate: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers.shortlinks, "TOTAL_SECONDS", 0.4)
    far.answers["https://spotify.link/AbC123"] = answer
    began = time.monotonic()
    async with opened(far, certificate) as links:
        await lost(links)
    assert time.monotonic() - began < 3


NOT_PUBLIC = [
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 -- an answer to refuse
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:93.184.216.34",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
async def test_OUT_4_an_address_inside_is_never_connected_to(far: Far, certificate: Path, address: str) -> None:
    assert not is_public(address)
    for answer in ([address], [PUBLIC, address]):
        async with opened(far, certificate, Names(answer)) as links:
            await lost(links)
    assert not far.dialled


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_addresses_of_the_open_internet(address: str) -> None:
    assert is_public(address)


async def test_OUT_4_a_resolver_that_changes_its_mind_is_asked_once_a_hop(far: Far, certificate: Path) -> None:
    names = Names([PUBLIC], ["127.0.0.1"])
    far.answers["https://spotify.link/AbC123"] = points("https://spotify.link/next")
    far.answers["https://spotify.link/next"] = points(f"https://open.spotify.com/track/{TRACK}")
    async with opened(far, certificate, names) as links:
        await lost(links)
    assert names.asked == ["spotify.link"] * 2
    assert far.dialled == [PUBLIC]


async def test_OUT_4_a_server_with_another_name_is_not_believed(far: Far, certificate: Path) -> None:
    far.answers["https://vt.tiktok.com/AbC"] = points("https://www.tiktok.com/@a/video/1")
    async with opened(far, certificate) as links:
        await lost(links, "https://vt.tiktok.com/AbC")
    assert far.dialled == [PUBLIC]
    assert not far.asked


async def test_a_host_nobody_knows_is_said_kindly(far: Far, certificate: Path) -> None:
    class Unknown(Names):
        async def __call__(self, host: str) -> Sequence[str]:
            raise OSError(-2, "Name or service not known")

    async with opened(far, certificate, Unknown()) as links:
        assert "could not be followed" in await lost(links)


async def test_OUT_4_failures_are_remembered_for_a_minute_and_finds_for_an_hour(far: Far, certificate: Path) -> None:
    clock = Clock()
    async with opened(far, certificate, clock=clock) as links:
        await lost(links)
        clock.now = 59
        await lost(links)
        assert len(far.asked) == 1
        clock.now = 61
        far.answers["https://spotify.link/AbC123"] = points(f"https://open.spotify.com/track/{TRACK}")
        assert await links.follow(short(), "rosa")
        clock.now = 61 + 3599
        assert await links.follow(short(), "rosa")
        assert len(far.asked) == 2
        clock.now = 61 + 3601
        assert await links.follow(short(), "rosa")
        assert len(far.asked) == 3


async def test_OUT_4_one_a_person_in_five_seconds_and_five_a_second_in_all(far: Far, certificate: Path) -> None:
    clock = Clock()
    for n in range(9):
        far.answers[f"https://spotify.link/{n}"] = points(f"https://open.spotify.com/track/{TRACK}")
    async with opened(far, certificate, clock=clock) as links:
        await links.follow(short("https://spotify.link/0"), "rosa")
        clock.now = 4.9
        with pytest.raises(TooFast):
            await links.follow(short("https://spotify.link/1"), "rosa")
        assert await links.follow(short("https://spotify.link/0"), "rosa")  # known, so it costs no turn
        clock.now = 5.0
        for n in range(1, 6):
            await links.follow(short(f"https://spotify.link/{n}"), f"person {n}")
        with pytest.raises(TooFast):
            await links.follow(short("https://spotify.link/6"), "person 6")
        clock.now = 6.0
        assert await links.follow(short("https://spotify.link/6"), "person 6")
    assert len(far.asked) == 7


async def test_what_is_remembered_is_bounded(far: Far, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers.shortlinks, "MOST_KEPT", 3)
    clock = Clock()
    async with opened(far, certificate, clock=clock) as links:
        for n in range(9):
            clock.now += 1
            with pytest.raises(BadLink):
                await links.follow(short(f"https://spotify.link/{n}"), f"person {n}")
        assert (len(links._known), len(links._people)) == (3, 3)
