"""What outsiders wrote, on a terminal: every byte told, none obeyed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_platform.console.terminal import cut, shown, shown_bytes


@given(st.binary() | st.text().map(str.encode))
def test_no_byte_reaches_the_terminal_as_a_control_character_and_none_is_lost(content: bytes) -> None:
    text = shown_bytes(content)
    assert all(line.isprintable() for line in text.split("\n"))
    spelt = text.replace("\\n\n", "\n").replace("\\\\", "\0")

    def meant(found: re.Match[str]) -> bytes:
        digits, named = found[1], {"r": b"\r", "n": b"\n", "t": b"\t"}
        if found[0][1] in named:
            return named[found[0][1]]
        return bytes([int(digits, 16)]) if found[0][1] == "x" else chr(int(digits, 16)).encode()

    parts = re.split(r"(\\(?:x..|u....|U........|r|n|t))", spelt)
    back = b"".join(
        meant(found) if (found := re.fullmatch(r"\\[xuUrnt](.*)", part)) else part.replace("\0", "\\").encode()
        for part in parts
    )
    assert back == content


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\x9bb", "a\\u009bb"),
        ("Élan 中", "Élan 中"),
        ("a\r\nb\tc\x07", "a\\r\\nb\\tc\\x07"),
    ],
)
def test_escapes_and_tricks_of_direction_are_spelt_out(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert (cut("abcdef", 6), cut("abcdefg", 6)) == ("abcdef", "abcde…")
