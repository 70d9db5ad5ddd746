"""What the documents say is so: their commands run, their links lead somewhere, their tables are complete."""

import re
import subprocess
from pathlib import Path

import pytest

from bot.cli import main
from bot.settings import Settings, variable
from commands import dispatch  # noqa: F401 -- registers the commands
from commands.access import LOWEST_ROLE
from commands.registry import COMMANDS
from moments.people import Role

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
CODE = " ".join(found for text in TEXTS.values() for found in re.findall(r"`[^`\n]+`|^ {4}.+$", text, re.MULTILINE))


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
def test_every_link_leads_to_a_file(path: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", TEXTS[path]):
        assert (path.parent / link).exists(), link


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
