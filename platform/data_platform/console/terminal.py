"""Text and bytes from outside, made safe for a terminal: nothing in it moves a cursor or rings a bell."""

_NAMED = {"\r": "\\r", "\n": "\\n", "\t": "\\t"}

_END_OF_ASCII, _END_OF_BMP = 0x80, 0x10000
_FIRST_LONE_BYTE, _LAST_LONE_BYTE = 0xDC80, 0xDCFF


def shown(text: str) -> str:
    """The text with every character that is not printable as an escape of Python's."""
    return "".join(
        _NAMED.get(character) or (character if character.isprintable() else _escape(character)) for character in text
    )


def shown_bytes(content: bytes) -> str:
    """Bytes as text, a line to each line end; what is no UTF-8 by its number, no control character as itself."""
    lines = [_line(line) for line in content.split(b"\n")]
    return "\\n\n".join(lines).removesuffix("\n")


def cut(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis where it is longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _line(line: bytes) -> str:
    # A byte that is no UTF-8 becomes a lone surrogate: never printable, the byte in its last two digits.
    return shown(line.decode("utf-8", errors="surrogateescape").replace("\\", "\\\\"))


def _escape(character: str) -> str:
    code = ord(character)
    if _FIRST_LONE_BYTE <= code <= _LAST_LONE_BYTE:
        return f"\\x{code & 0xFF:02x}"
    return f"\\x{code:02x}" if code < _END_OF_ASCII else f"\\u{code:04x}" if code < _END_OF_BMP else f"\\U{code:08x}"
