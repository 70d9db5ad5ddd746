"""The command line: words in, one exit code out, and the one place where errors become a line on standard error.

0 is done, 1 failed, 2 usage (unusable settings and keys among it). What a verb needs is imported when it is
typed, so that `moments --help` answers at once.
"""
# ruff: noqa: PLC0415 - see above

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from bot.settings import Settings

DONE, FAILED, USAGE = 0, 1, 2

_LONGEST_NUMBER = 15
"""Digits; longer ones no database has."""

Verb = Callable[["Settings", argparse.Namespace], Coroutine[Any, Any, int]]

_EXPORT_OPTIONS = {
    "fps": "frames a second of the timeline: 25, 29.97, 60 (editor formats)",
    "start-tc": "the timeline's first timecode, 01:00:00:00 say (editor formats)",
    "shift": "seconds to move every mark, later when positive",
    "lead": "seconds to move every mark back instead of the channel's lead",
    "min-people": "only moments that so many people marked",
    "part": "which part of an export that is split",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was typed; the process's exit code."""
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    return exit_code(lambda: _perform(arguments))


def _perform(arguments: argparse.Namespace) -> int:
    from bot.settings import load_settings

    settings = load_settings()
    _prepare(settings, arguments)
    verb: Verb = arguments.verb
    code = asyncio.run(verb(settings, arguments))
    sys.stdout.flush()
    return code


def exit_code(work: Callable[[], int]) -> int:
    """What the work returns, or the code of the error that ended it, said in one line."""
    from moments.errors import MomentsError

    try:
        return work()
    except MomentsError as error:
        _complain(*_lines(error))
        return _code(error)
    except KeyboardInterrupt:
        _complain("Stopped before it was done.")
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python's own last flush must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        if error.filename is None:
            return _surprised(error)
        _complain(f"{os.fsdecode(error.filename)}: {error.strerror}.")
        return FAILED
    except Exception as error:
        return _surprised(error)


def _prepare(settings: "Settings", arguments: argparse.Namespace) -> None:
    from bot.logs import configure_logs

    configure_logs(settings.log_format, settings.log_level)
    if arguments.verb is not _export:  # an export is a document of the user's own, with the user's own mode
        os.umask(0o077)


def _code(error: Exception) -> int:
    from bot.settings import SettingsError
    from moments.errors import UsageError
    from storage.keys import SecretKeyError

    return USAGE if isinstance(error, SettingsError | SecretKeyError | UsageError) else FAILED


def _surprised(error: Exception) -> int:
    import structlog

    structlog.get_logger("bot").error("unexpected", exc_info=error)
    _complain(f"Something broke on our side ({type(error).__name__}); the log says where.")
    return FAILED


def _lines(error: Exception) -> list[str]:
    from bot.settings import SettingsError

    return str(error).splitlines() if isinstance(error, SettingsError) else [str(error)]


def _complain(*lines: str) -> None:
    from bot.logs import plain

    for line in lines:
        print(f"moments: {plain(line)}", file=sys.stderr)  # noqa: T201 - the command line's own voice


class _Parser(argparse.ArgumentParser):
    """argparse with our manners: one line on standard error, exit code 2."""

    def error(self, message: str) -> NoReturn:
        _complain(f"{message}. Type {self.prog} --help to see what is possible.")
        sys.exit(USAGE)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    words = list(argv)
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help", "--version"}):
        words.insert(0, "run")
    return _parser().parse_args(words)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="moments", description="Mark the part that moved you, from chat.", allow_abbrev=False)
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    verbs = parser.add_subparsers(metavar="COMMAND")

    def verb(name: str, perform: Verb, help_text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=help_text, description=f"{help_text}.", allow_abbrev=False)
        added.set_defaults(verb=perform)
        return added

    run = verb("run", _run, "Start the site, the store and every platform (the default)")
    run.add_argument(
        "--console", action="store_true", help="take chat from standard input, also when it is no terminal"
    )
    _add_replay(verb("replay", _replay, "Run a chat log through the commands, on the log's own clock"))
    _add_export(verb("export", _export, "Download a session's marks"))
    verb("migrate", _migrate, "Make the database, or bring it up to date")
    backup = verb(
        "backup", _backup, "Save the database to a file, also while Moments runs; the secret key is not in it"
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.add_argument("--force", action="store_true", help="overwrite FILE")
    restore = verb("restore", _restore, "Put a backup in the database's place; the old one is kept aside")
    restore.add_argument("file", type=Path, metavar="FILE")
    _add_tracks(verb("tracks", _tracks, "List recordings that may be the same, and decide"))
    doctor = verb("doctor", _doctor, "Look for what could go wrong; changes nothing")
    doctor.add_argument(
        "--rotate",
        action="store_true",
        help="seal every stored token anew with the first key of MOMENTS_SECRET_KEY instead; nothing else changes",
    )
    return parser


def _add_replay(replay: argparse.ArgumentParser) -> None:
    replay.add_argument(
        "file", type=Path, metavar="FILE", help="[01:12:34] <name> message, or a log as Chatterino saves it"
    )
    replay.add_argument("--channel", metavar="NAME", help="the channel the log is from")
    replay.add_argument("--start", metavar="TIME", help="start a session at this time of the log")
    replay.add_argument(
        "--moderator",
        action="append",
        default=[],
        metavar="NAME",
        dest="moderators",
        help="who moderates; may be repeated",
    )


def _add_tracks(tracks: argparse.ArgumentParser) -> None:
    tracks.set_defaults(what="list", words=[])
    acts = tracks.add_subparsers(metavar="WHAT")

    def act(what: str, help_text: str, *words: str, number: bool = False) -> None:
        added = acts.add_parser(what, help=help_text, description=f"{help_text}.", allow_abbrev=False)
        for word in words:
            added.add_argument("words", action="append", metavar=word, type=_number if number else str)
        added.set_defaults(what=what)

    act("same", "Answer question N: they are the same, count their people together", "N", number=True)
    act("different", "Answer question N: they are not, and no rule may say so", "N", number=True)
    act("merge", "Say that two links are the same recording", "URL", "URL")
    act("unmerge", "Undo merge N, whoever asked for it", "N", number=True)
    act("show", "Where a recording is, and which merges hold it together", "URL")
    act("hide", "Take what somebody said about a moment out of everyone's sight", "MOMENT")
    act("unhide", "Show it again", "MOMENT")


def _number(text: str) -> str:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise argparse.ArgumentTypeError("say its number, as moments tracks shows it")
    return text


def _add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument("session", metavar="SESSION", help="an id, latest, or a channel")
    export.add_argument("--format", required=True, metavar="FORMAT", help="csv, excel.csv, txt, json, edl, …")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="write a file instead of standard output")
    for name, meaning in _EXPORT_OPTIONS.items():
        export.add_argument(f"--{name}", metavar="VALUE", help=meaning)


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print the installed version; looked up only when asked."""
        from importlib.metadata import version

        sys.stdout.write(f"moments {version('moments')}\n")
        parser.exit()


async def _run(settings: "Settings", arguments: argparse.Namespace) -> int:
    import structlog

    from bot.app import serve
    from bot.settings import unknown_settings

    for sentence in unknown_settings():
        structlog.get_logger("bot").warning(sentence)
    await serve(settings, console=arguments.console or (sys.stdin is not None and sys.stdin.isatty()))
    return DONE


async def _replay(settings: "Settings", arguments: argparse.Namespace) -> int:
    from bot.replay import replay

    await replay(
        settings,
        arguments.file,
        channel=arguments.channel,
        start=arguments.start,
        moderators=arguments.moderators,
    )
    return DONE


async def _export(settings: "Settings", arguments: argparse.Namespace) -> int:
    from bot.export import export

    options = {name.replace("-", "_"): getattr(arguments, name.replace("-", "_")) for name in _EXPORT_OPTIONS}
    given = {name: value for name, value in options.items() if value is not None}
    await export(settings, arguments.session, arguments.format, given, arguments.output)
    return DONE


async def _migrate(settings: "Settings", _arguments: argparse.Namespace) -> int:
    from bot.files import migrate

    await migrate(settings)
    return DONE


async def _backup(settings: "Settings", arguments: argparse.Namespace) -> int:
    from bot.files import backup

    await backup(settings, arguments.file, force=arguments.force)
    return DONE


async def _restore(settings: "Settings", arguments: argparse.Namespace) -> int:
    from bot.files import restore

    await restore(settings, arguments.file)
    return DONE


async def _tracks(settings: "Settings", arguments: argparse.Namespace) -> int:
    from bot.tracks import decide

    await decide(settings, arguments.what, arguments.words)
    return DONE


async def _doctor(settings: "Settings", arguments: argparse.Namespace) -> int:
    from bot.doctor import examine, rotate

    return await (rotate if arguments.rotate else examine)(settings, sys.stdout)
