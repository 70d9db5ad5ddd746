"""The cleaner: what it keeps, what it drops, and that nothing hostile gets past it or slows it down."""

import csv
import time
import unicodedata
from pathlib import Path

import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st

from moments.notes import clean_name, clean_note, isolate, shortened

LANGUAGES = {
    "family emoji": "👨‍👩‍👧‍👦 at home",
    "England's flag": "go 🏴󠁧󠁢󠁥󠁮󠁧󠁿 go",
    "skin tones": "👍🏽 👩🏿‍🚀",
    "keycaps": "1️⃣ #️⃣",
    "Persian ZWNJ": "می‌خواهم این را",
    "Hindi conjuncts": "क्षत्रिय क्‍ष हिन्दी",
    "Arabic harakat": "مُحَمَّدٌ رَسُولُ",
    "Hebrew points": "שָׁלוֹם עֲלֵיכֶם",
    "Thai": "น้ำใจ ที่นี่",
    "Tibetan": "བོད་ཡིག རྒྱལ",
    "Vietnamese": "Tiếng Việt ế ộ",
    "Hangul jamo": "한국어 ᄒᆞᆫ글",
}

HOSTILE_CHARACTERS = (
    "a e\u0301 \t\n\r\0\x1b\x85\xad"
    "\u0300\u0315\u0345\u0316\u034f\u0600\u0903\u0915\u094d\u093c\u102b\u1100\u1161\u11a8\u115f"
    "\u180e\u200b\u200c\u200d\u200e\u2028\u202e\u2066\u2069\u2800\u3164\ufe0f\ufeff\ufdd0\uffff\ud800\udfff"
    "\U0001f1e6\U0001f1e7\U0001f3f4\U0001f468\U0001f469\U0001f3fd\U000e0067\U000e0062\U000e0065\U000e007f\U000e0100\u20e3"
)
hostile_text = st.text() | st.text(st.sampled_from(HOSTILE_CHARACTERS), max_size=400)
surrogates_too = st.text(st.characters(codec=None, exclude_categories=()))  # lone surrogates are not excluded

ATTACKS = {
    "zalgo": "Z" + "\u0315\u0300" * 4000,
    "zalgo a letter": ("Z" + "\u0345" * 30 + "\u0316" * 30) * 130,
    "one long family": "👩\u200d" * 4000,
    "joiners": "👩" + "\u200d" * 8000,
    "half flags": "\U0001f1e6" * 8000,
    "tags": "🏴" + "\U000e0067" * 8000,
    "prefixes": "\u0600" * 8000,
    "prefixes that eat": "\u0600" * 17 + "abcdefgh" * 1000,
    "prefixes and half flags": ("\u0600" * 17 + "\U0001f1e6") * 450,
    "jamo": "\u1100" * 20 + "\u1161\u11a8" * 4000,
    "conjuncts": "\u0915\u094d" * 4000,
    "marks between invisibles": "\u200b\u0300" * 4000,
    "surrogates": "\ud800\u0300" * 4000,
    "spaces": " " * 8192,
    "words": "a  " * 2700,
}


def graphemes(text: str) -> list[str]:
    return regex.findall(r"\X", text)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("that dodge", "that dodge"),
        ("  that   dodge  ", "that dodge"),
        ("", ""),
        ("   ", ""),
        ("two\nlines\r\nthree\tfour\u2028five\u3000six\x85seven", "two lines three four five six seven"),
        ("\x1b[2Jcleared\0", "[2Jcleared"),
        ("cafe\u0301", "café"),
        ("ｆｕｌｌ ﬁ ﷺ", "ｆｕｌｌ ﬁ ﷺ"),  # never NFKC
        ("soft\xadhyphen zero\u200bwidth \ufeffmark", "softhyphen zerowidth mark"),
        ("\u202egnp.exe\u202c \u2066x\u2069", "gnp.exe x"),
        ("a \u200b b", "a b"),
        ("e\u200b\u0301", "é"),
        ("\ud83d lone \udc4d", "lone"),
        ("\ufdd0\uffff\U0010ffff!", "!"),
        ("\u200d\ufe0f\u200e", ""),
        ("\u3164\u115f\u2800", ""),
        ("hidden \U000e0041\U000e0042", "hidden"),
        ("🏴" + "\U000e0067" * 40, "🏴"),
        ("@everyone =1+1 <script>", "@everyone =1+1 <script>"),
    ],
)
def test_what_stays_of_a_note(typed: str, kept: str) -> None:
    assert clean_note(typed) == (kept, False)


@pytest.mark.parametrize("text", LANGUAGES.values(), ids=LANGUAGES.keys())
def test_TXT_2_no_language_is_harmed(text: str) -> None:
    assert clean_note(text) == (unicodedata.normalize("NFC", text), False)


@pytest.mark.parametrize("unassigned", ["\U0001fae9", "\U0001faff", "\u0378", "\U000323b0"])
def test_TXT_3_unassigned_code_points_are_kept(unassigned: str) -> None:
    assert clean_note(f"new {unassigned}").text == f"new {unassigned}"


@given(hostile_text | surrogates_too, st.sampled_from([1, 60, 100]))
@example("a" * 99 + " b", 100)
@example("\u0600" * 17 + "abcdef" * 30, 100)
@example("👩" * 101, 100)
def test_TXT_1_cleaning_holds_its_limits_and_is_stable(text: str, limit: int) -> None:
    cleaned, _ = clean_note(text, limit)
    clusters = graphemes(cleaned)
    assert clean_note(cleaned, limit) == (cleaned, False)
    assert len(clusters) <= limit
    assert len(cleaned) <= 16 * limit
    assert all(len(cluster) <= 16 and len(regex.findall(r"\p{M}", cluster)) <= 8 for cluster in clusters)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert "  " not in cleaned
    assert cleaned == cleaned.strip()
    assert not regex.search(
        r"[\p{Cc}\p{Cs}\u2028\u2029\u202A-\u202E\u2066-\u2069\uFEFF\p{Noncharacter_Code_Point}]", cleaned
    )
    cleaned.encode()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120))
def test_the_fast_way_for_plain_notes_is_no_other_way(text: str) -> None:
    """A zero-width space sends the same words the slow way."""
    assert clean_note(text) == clean_note(text + "\u200b")


@pytest.mark.parametrize("character", ["a", "👍🏽", "é̂", "한", "👨‍👩‍👧‍👦"])
def test_a_note_is_cut_after_100_characters_and_says_so(character: str) -> None:
    assert clean_note(character * 100) == (character * 100, False)
    assert clean_note(character * 101) == (character * 100, True)


def test_a_cut_leaves_no_space_at_the_end() -> None:
    assert clean_note("a" * 99 + " bcd") == ("a" * 99, True)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_TXT_6_hostile_text_is_cleaned_within_5_ms(attack: str) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        clean_note(attack)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(10)) < 0.005
    cleaned = clean_note(attack).text
    assert clean_note(cleaned).text == cleaned


def test_a_name_has_60_characters() -> None:
    assert clean_name("  Any%   speedrun ") == "Any% speedrun"
    assert clean_name("名" * 61) == "名" * 60


@given(hostile_text, st.integers(1, 20))
def test_shortened_text_fits_and_tears_nothing_apart(text: str, length: int) -> None:
    short = shortened(text, length)
    assert len(short) <= length or short == "…"
    if short != text:
        assert text.startswith("".join(graphemes(short.removesuffix("…"))))
        assert short.endswith("…")


@pytest.mark.parametrize("text", ["plain", "café 東京 👍", "", "Привет"])
def test_left_to_right_words_stay_as_they_are(text: str) -> None:
    assert isolate(text) == text


@pytest.mark.parametrize("text", ["مرحبا", "שלום", "song ١٢", "mixed \u200f mark"])
def test_right_to_left_words_are_isolated(text: str) -> None:
    assert isolate(text) == f"\u2068{text}\u2069"


def test_real_notes_stay_as_their_viewers_wrote_them(shared_data: Path) -> None:
    with (shared_data / "live-marks" / "korotagger_tags.csv").open(encoding="utf-8", newline="") as file:
        notes = [row["note_raw_discord_markdown"] for row in csv.DictReader(file)]
    assert len(notes) == 278
    changed = [(note, cleaned) for note in notes if (cleaned := clean_note(note)).text != " ".join(note.split())]
    assert [cleaned.was_cut for _, cleaned in changed] == [True]
    assert all(note.startswith(cleaned.text) for note, cleaned in changed)
