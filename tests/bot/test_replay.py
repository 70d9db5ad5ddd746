"""`moments replay`: the example, real viewers' marks, real arrivals, both kinds of log; all of a log or nothing."""

import csv
import io
import json
import sqlite3
from collections import Counter
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from bot.replay import LONG_LOG
from commands.registry import COMMANDS
from moments.notes import clean_note
from moments.timecodes import hms
from tests.process import moments, running

EXAMPLE = Path(__file__).parents[2] / "examples" / "stream.chat"
REPLIES = Path(__file__).parent / "stream.replies"


def replayed(folder: Path, log: str, *words: str, **settings: str) -> list[str]:
    """What a log's replay prints, its last line the session's link."""
    (folder / "log.chat").write_text(log, encoding="utf-8")
    done = moments(folder, "replay", "log.chat", *words, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def exported(folder: Path, form: str = "csv", session: str = "latest") -> str:
    done = moments(folder, "export", session, "--format", form)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exported(folder), newline="")))


def test_the_example_uses_every_live_command_in_three_segments() -> None:
    said = [line.split("> ", 1)[1] for line in EXAMPLE.read_text("utf-8").splitlines() if "> !" in line]
    used = Counter(line[1:].split()[0] for line in said)
    other = {"setup", "vodshift", "promote", "link", "unlink"}  # choices, and what needs a VOD or a second platform
    recorded = {"moment", "saved", "best", "mymoments"}
    assert used.keys() >= COMMANDS.keys() - other - recorded
    assert used["clip"] >= 40


def test_the_example_is_answered_as_it_always_was(tmp_path: Path) -> None:
    done = moments(tmp_path, "replay", str(EXAMPLE))
    *replies, link = done.stdout.splitlines()
    session = link.rpartition("/")[2]
    answers = "\n".join(replies).replace(session, "SESSION") + "\n"
    if not REPLIES.exists():
        REPLIES.write_text(answers, "utf-8")
        pytest.fail(f"wrote {REPLIES}; look at it, then run again")
    assert answers == REPLIES.read_text("utf-8")
    assert link == f"http://localhost:8080/s/{session}"
    document = json.loads(exported(tmp_path, "json"))
    assert document["session"]["status"] == "ended"
    assert len(document["session"]["segments"]) == 3


def test_the_example_comes_out_in_order_in_every_form(tmp_path: Path) -> None:
    replies = moments(tmp_path, "replay", str(EXAMPLE)).stdout.splitlines()
    marked = [line for line in replies if line.startswith("<moments> Marked #")]
    marks = rows(tmp_path)
    positions = [(int(mark["segment_index"]), int(mark["offset_seconds"]), int(mark["number"])) for mark in marks]
    assert positions == sorted(positions)
    gone = 3  # one unclipped, one removed by a moderator, one forgotten
    assert len(marks) == len(marked) - gone >= 40
    assert not any("forgot to mute" in mark["note"] for mark in marks), "typed while paused"
    assert exported(tmp_path, "txt").splitlines() == [
        f"Segment {mark['segment_index']} {mark['offset_hms']}" + (f" – {mark['note']}" if mark["note"] else "")
        for mark in marks
    ]


def test_278_real_marks_come_out_at_their_offsets(tmp_path: Path, shared_data: Path) -> None:
    with (shared_data / "live-marks" / "korotagger_tags.csv").open(encoding="utf-8", newline="") as file:
        tags = list(csv.DictReader(file))
    assert len(tags) == 278
    for stream in sorted({tag["youtube_video_id"] for tag in tags}):
        own = [tag for tag in tags if tag["youtube_video_id"] == stream]
        own.sort(key=lambda tag: int(tag["offset_seconds"]))
        lines = ["[0:00:00] <~streamer> !start"]
        lines += [
            f"[{hms(int(tag['offset_seconds']))}] <viewer{at}> !clip {tag['note_raw_discord_markdown']}"
            for at, tag in enumerate(own)
        ]
        replayed(tmp_path, "\n".join(lines), "--channel", stream)
        marks = list(csv.DictReader(io.StringIO(exported(tmp_path, "csv", stream), newline="")))
        assert [(mark["offset_hms"], mark["note"]) for mark in marks] == [
            (hms(int(tag["offset_seconds"])), clean_note(tag["note_raw_discord_markdown"]).text) for tag in own
        ]


def test_RES_4_real_arrivals_lose_exactly_those_within_15_seconds_of_an_accepted_one(
    tmp_path: Path, shared_data: Path
) -> None:
    with (shared_data / "live-marks" / "chat_command_arrivals_anon.csv").open(encoding="utf-8", newline="") as file:
        arrivals = [(int(row["seconds"]), row["user"]) for row in csv.DictReader(file)]
    log = ["[0:00:00] <~streamer> !start", *(f"[{hms(second)}] <{user}> !clip" for second, user in arrivals)]
    replies = replayed(tmp_path, "\n".join(log))[1:-1]
    accepted: dict[str, int] = {}
    expected = []
    for second, user in arrivals:
        if user in accepted and second - accepted[user] < 15:
            expected.append(False)
        else:
            accepted[user] = second
            expected.append(True)
    assert [reply.startswith("<moments> Marked") for reply in replies] == expected
    assert len(rows(tmp_path)) == expected.count(True)


CHATTERINO = """# Start logging at 2026-11-18 23:58:00 CET
[23:58:10] owl: hello
[23:59:00] owl: !start Late show
[23:59:30] rook: !clip before midnight
[23:59:40] rook has been timed out for 10s.
[00:00:30] おもち mochi: !clip after midnight
[00:01:00] owl: !pause
"""


def test_a_log_as_chatterino_saves_it_may_pass_midnight(tmp_path: Path) -> None:
    replies = replayed(tmp_path, CHATTERINO, "--channel", "owl", "--moderator", "Owl", TZ="Europe/Berlin")
    assert replies[1:-1] == [
        '<moments> Marked #1 at 00:00:30 (segment 1): "before midnight"',
        '<moments> Marked #2 at 00:01:30 (segment 1): "after midnight"',
        "<moments> Paused at 00:02:00.",
    ]
    assert [mark["submitted_by"] for mark in rows(tmp_path)] == ["rook", "おもち"]
    assert rows(tmp_path)[0]["created_at"] == "2026-11-18T22:59:30.000000Z"


def test_start_opens_a_session_where_the_log_has_none(tmp_path: Path) -> None:
    replies = replayed(tmp_path, CHATTERINO.replace("!start Late show", "hi"), "--start", "23:59:15")
    assert replies[0].startswith("<moments> Started. ")
    assert [mark["offset_hms"] for mark in rows(tmp_path)] == ["00:00:15", "00:01:15"]
    assert '"status":"ended"' in exported(tmp_path, "json")


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("[0:00:01] <~a> !start\n[0:00:05] <b> !clip\nnonsense\n", "Line 3 is not a chat line"),
        ("[0:00:09] <~a> !start\n[0:00:05] <b> !clip\n", "Line 2 goes back in time."),
        ("[0:00:09] <~a> !start\n[2026-11-20T10:00:00Z] <b> !clip\n", "Line 2 has another kind of time"),
        ("[0:00:01] <~a> !start\n<b> " + "x" * 9000, "Line 2 is longer than 8 KiB."),
    ],
)
def test_FILE_3_a_log_with_a_mistake_stores_nothing(tmp_path: Path, log: str, sentence: str) -> None:
    (tmp_path / "log.chat").write_text(log, "utf-8")
    done = moments(tmp_path, "replay", "log.chat")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"moments: {sentence}")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "moments.db").exists()


def test_FILE_3_names_in_a_log_never_become_paths(tmp_path: Path) -> None:
    log = "[0:00:00] <~../../owl> !start ../../../title\n[0:00:05] <../rook> !clip ../../x\n"
    (tmp_path / "here").mkdir()
    replayed(tmp_path / "here", log, "--channel", "../../etc")
    assert {path.name for path in tmp_path.iterdir()} == {"here"}
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"log.chat", "moments.db", "moments.key"}


def test_a_log_replayed_twice_is_two_sessions_that_know_nothing_of_each_other(tmp_path: Path) -> None:
    first = moments(tmp_path, "replay", str(EXAMPLE)).stdout.splitlines()
    marks = [(mark["offset_hms"], mark["note"], mark["number"]) for mark in rows(tmp_path)]
    second = moments(tmp_path, "replay", str(EXAMPLE)).stdout.splitlines()
    sessions = [lines[-1].rpartition("/")[2] for lines in (first, second)]
    assert sessions[0] != sessions[1]
    assert [line.replace(sessions[1], sessions[0]) for line in second] == first
    for session in sessions:
        again = list(csv.DictReader(io.StringIO(exported(tmp_path, "csv", session), newline="")))
        assert [(mark["offset_hms"], mark["note"], mark["number"]) for mark in again] == marks


def test_a_log_is_never_replayed_into_a_session_that_is_open(tmp_path: Path) -> None:
    (tmp_path / "old.chat").write_text("[0:00:00] <~owl> !start\n[0:00:30] <rook> !clip\n[0:01:00] <~owl> !end\n")
    with running(tmp_path) as it:
        it.says("!start Live now")
        done = moments(tmp_path, "replay", "old.chat", "--channel", "console")
        assert done.returncode == 1
        assert done.stderr == (
            'moments: "Live now" is still open in console. End it first, or name another with --channel.\n'
        )
        assert "0 marks" in it.says("!session")


def test_a_log_without_a_session_keeps_nothing_of_it_anywhere(tmp_path: Path) -> None:
    replayed(tmp_path, "[0:00:00] <~owl> !start\n[0:10:00] <rook> !clip one\n")
    before = exported(tmp_path)
    (tmp_path / "log.chat").write_text("[0:05:00] <rook> !clip two\n[0:10:00] <rook> !clip three\n")
    done = moments(tmp_path, "replay", "log.chat")
    assert (done.returncode, done.stdout) == (1, "")
    assert exported(tmp_path) == before


def test_a_log_without_a_session_says_how_to_have_one(tmp_path: Path) -> None:
    (tmp_path / "log.chat").write_text("[0:00:05] <rook> !clip\n")
    done = moments(tmp_path, "replay", "log.chat")
    assert done.returncode == 1
    assert done.stderr == "moments: No session starts in this log, so nothing was kept. Add --start TIME.\n"


def test_a_replay_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    """Everything is one transaction: a trigger stands in for whatever breaks in the middle."""
    moments(tmp_path, "migrate")
    with closing(sqlite3.connect(tmp_path / "moments.db")) as database:
        database.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON mark WHEN NEW.number = 3 BEGIN SELECT raise(ABORT, 'no'); END"
        )
    log = "[0:00:00] <~a> !start\n" + "".join(f"[0:00:0{at}] <v{at}> !clip\n" for at in range(1, 6))
    (tmp_path / "log.chat").write_text(log)
    done = moments(tmp_path, "replay", "log.chat")
    assert done.returncode == 1
    with closing(sqlite3.connect(tmp_path / "moments.db")) as database:
        assert database.execute("SELECT count(*) FROM session").fetchone() == (0,)


def test_elapsed_logs_are_put_so_that_they_end_now_and_keep_every_distance(tmp_path: Path) -> None:
    log = "[0:00:00] <~a> !start\n" + "".join(f"[{30 * at}:00:00] <v> !clip\n" for at in range(1, 5))
    replayed(tmp_path, log)
    offsets = [int(mark["offset_seconds"]) for mark in rows(tmp_path)]
    assert [later - earlier for earlier, later in pairwise([0, *offsets])] == [108_000] * 4
    assert rows(tmp_path)[-1]["offset_hms"] == "120:00:00"


def test_a_long_log_says_beforehand_that_a_running_moments_has_to_wait(tmp_path: Path) -> None:
    lines = ["[0:00:00] <~a> !start", *(["<v> !session"] * LONG_LOG)]
    for name, log in {"short": lines[:-1], "long": lines}.items():
        (tmp_path / name).write_text("\n".join(log))
    assert moments(tmp_path, "replay", "long").stderr == ""
    with running(tmp_path):
        assert moments(tmp_path, "replay", "short").stderr == ""
        assert moments(tmp_path, "replay", "long").stderr == (
            "Moments is running: it may refuse marks for some seconds while this log is written.\n"
        )
