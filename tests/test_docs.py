"""What the documents say is so: their commands run, their links lead somewhere, their tables are complete."""

import re
import subprocess
from pathlib import Path

import pytest

from bot.cli import main
from bot.discord.client import INVITE_PERMISSIONS
from bot.lock import ELSEWHERE
from bot.settings import Settings, variable
from commands import dispatch  # noqa: F401 -- registers the commands
from commands.access import LOWEST_ROLE
from commands.choices import CHOICES
from commands.dispatch import GROUP
from commands.registry import COMMANDS, NAMES
from commands.setup import OTHERS
from moments.people import Role
from moments.sessions import Channel
from tests import twitch_process
from tests.fake_discord import __main__ as fake_discord
from tests.fake_twitch import __main__ as fake_twitch
from web_export.oauth import CALLBACKS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
CODE = " ".join(found for text in TEXTS.values() for found in re.findall(r"`[^`\n]+`|^ {4}.+$", text, re.MULTILINE))
TWITCH, DISCORD = TEXTS[ROOT / "docs" / "twitch.md"], TEXTS[ROOT / "docs" / "discord.md"]
LARGEST_PICTURE = 150 * 1024


@pytest.mark.parametrize("verb", sorted(set(re.findall(r'(?:(?<![!<\w-])moments |ARGS=")([a-z]+)', CODE))))
def test_every_verb_in_the_documents_is_one(verb: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0


def test_every_make_target_and_setting_in_the_documents_is_one() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z]+)", CODE)) <= set(targets)
    assert set(re.findall(r"MOMENTS_[A-Z_]+[A-Z]", CODE)) <= set(map(variable, Settings.model_fields))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading_in_it(path: Path) -> None:
    for link, heading in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)", TEXTS[path]):
        target = (path.parent / link).resolve() if link else path
        assert target.exists(), link
        assert not heading or heading in headings(TEXTS[target]), f"{link}#{heading}"


def headings(text: str) -> set[str]:
    """What a link may name, as GitHub makes it of each heading."""
    found = re.findall(r"^#+ (.+)$", re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_picture_is_shown_with_words_for_who_cannot_see_it_and_is_small() -> None:
    shown = {
        (path.parent / link).resolve(): words
        for path, text in TEXTS.items()
        for words, link in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", text)
    }
    pictures = set((ROOT / "docs" / "pictures").iterdir())
    assert shown.keys() == pictures
    assert [path.name for path, words in shown.items() if len(words) < 20] == []
    assert [path.name for path in pictures if path.stat().st_size > LARGEST_PICTURE] == []


@pytest.mark.parametrize(("platform", "text"), [("twitch", TWITCH), ("discord", DISCORD)])
def test_every_setting_of_a_platform_is_in_its_document(platform: str, text: str) -> None:
    of_platform = {variable(name) for name in Settings.model_fields if name.startswith(f"{platform}_")}
    assert of_platform
    assert of_platform <= set(re.findall(r"MOMENTS_[A-Z_]+", text))


@pytest.mark.parametrize(("platform", "text"), [("twitch", TWITCH), ("discord", DISCORD)])
def test_every_address_a_login_comes_back_to_is_in_the_document_of_its_provider(platform: str, text: str) -> None:
    for path in CALLBACKS.values():
        listed = f"https://moments.example.org{path.format(platform)}" in text
        assert listed == (platform == "twitch" or "connect" not in path), path


@pytest.mark.parametrize(
    ("platform", "known"),
    [("twitch", fake_twitch.CALLBACKS), ("twitch", twitch_process.CALLBACKS), ("discord", fake_discord.CALLBACKS)],
)
def test_the_fakes_know_every_address_a_login_comes_back_to(platform: str, known: tuple[str, ...]) -> None:
    begun = {path.format(platform) for path in CALLBACKS.values()}
    assert {*known} == {path for path in begun if platform == "twitch" or "connect" not in path}


def test_every_command_in_the_document_for_twitch_is_one_and_every_choice_can_be_made() -> None:
    typed = [line.split() for line in re.findall(r"`!([^`]+)`", TWITCH)]
    assert {words[1] if words[0] == GROUP else words[0] for words in typed} <= NAMES.keys()
    chosen = [words[1:] for words in typed if words[0] == "setup" and words[1:]]
    assert {name for name, *_ in chosen} >= CHOICES.keys() - {"link", "profile"}  # those commands are still to come
    channel = Channel(1, "twitch", "1001", "owl")
    for name, *value in chosen:
        assert name in OTHERS or CHOICES[name].change(channel, " ".join(value)), name


def test_every_command_in_the_document_for_discord_is_one_and_every_choice_can_be_made_there() -> None:
    typed = [line.split() for line in re.findall(r"`/([a-z][^`]*)`", DISCORD)]
    assert set(re.findall(r"`/([a-z]+)", DISCORD)) - pages() <= COMMANDS.keys()
    everybody, *others = re.findall(r"^\| [^|]+ \| (`/.+) \|$", DISCORD.partition("### Who may what")[2], re.MULTILINE)[
        :3
    ]
    assert set(re.findall(r"`/([a-z]+)`", everybody)) == {n for n, role in LOWEST_ROLE.items() if role is Role.VIEWER}
    named = set(re.findall(r"`/([a-z]+)", " ".join(others)))
    assert named == {name for name, role in LOWEST_ROLE.items() if role is Role.MODERATOR}
    chosen = [words[1:] for words in typed if words[0] == "setup" and words[1:]]
    assert {name for name, *_ in chosen} >= {name for name, choice in CHOICES.items() if choice.is_for("discord")}
    channel = Channel(1, "discord", "2001", "owls")
    for name, *value in chosen:
        choice, word = CHOICES.get(name), " ".join(value)
        assert name in OTHERS or (choice and choice.is_offered(word or choice.read(channel), "discord")), name
        assert not (choice and word) or choice.change(channel, word), name


def pages() -> set[str]:
    """The first words of our own pages' addresses."""
    routes = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "web_export").rglob("*.py"))
    return set(re.findall(r"\"/([a-z]+)", routes)) - COMMANDS.keys()


def test_PLAT_1_the_document_explains_the_permissions_the_invite_asks_for_one_by_one() -> None:
    bits = {"View Channels": 1 << 10, "Send Messages": 1 << 11, "Embed Links": 1 << 14}
    assert re.findall(r"^\| +\| ([A-Z][A-Za-z ]+) \|", DISCORD, re.MULTILINE) == [*bits]
    assert sum(bits.values()) == INVITE_PERMISSIONS
    assert f"{INVITE_PERMISSIONS} ({' + '.join(map(str, bits.values()))})" in DISCORD


@pytest.mark.parametrize("text", [TWITCH, DISCORD], ids=["twitch", "discord"])
def test_what_the_page_on_a_silent_bot_quotes_is_what_the_code_says(text: str) -> None:
    _, _, page = text.partition("## The bot is silent")
    cells = re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
    quoted = [words for cell in cells for words in re.findall(r"`([^`]+)`", cell) if not words.startswith(("!", "/"))]
    said = code()
    parts = [part for words in quoted for part in words.removeprefix("down: ").split("…")]
    assert len(parts) > 30
    assert [part for part in parts if part.rstrip(")") not in said] == []


def code() -> str:
    """All that the program may say, strings that are written in pieces put together."""
    folders = [ROOT / name for name in ("bot", "commands", "moments", "web_export")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".html"}]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    text += "".join(ELSEWHERE.format(platform) for platform in ("Twitch", "Discord"))
    return re.sub(r"""["']\n\s*f?["']""", "", text).replace("{READY}", "ready")


def test_the_readme_lists_exactly_the_commands_there_are() -> None:
    rows = re.findall(r"^\| `!(.+?)` \| (\w+) \| (.+) \|$", TEXTS[ROOT / "README.md"], re.MULTILINE)
    who = {Role.VIEWER: "everyone", Role.MODERATOR: "moderators"}
    ordered = [COMMANDS[name] for name in LOWEST_ROLE]
    listed = [(usage.replace("\\|", "|"), role) for usage, role, _ in rows]
    assert listed == [(command.usage, who[LOWEST_ROLE[command.name]]) for command in ordered]
    for command, (_, _, words) in zip(ordered, rows, strict=True):
        assert words.startswith(command.help.removesuffix(".")), command.name


def test_no_file_knows_a_package_registry_or_the_workplace_it_was_made_in() -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    unwanted = re.compile(rb"py(?=pi)pi\.org|python(?=h)hosted|npm(?=j)js\.|crates(?=\.)\.io|/wor(?=k)k/")
    files = [path for name in names if name and (path := ROOT / name).is_file()]
    assert [str(path) for path in files if unwanted.search(path.read_bytes())] == []
