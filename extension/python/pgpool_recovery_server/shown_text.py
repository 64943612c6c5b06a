"""Make a program's text safe for a log and a terminal: control characters are shown, not sent."""

LOWEST_LONE_BYTE_SHOWN = "\udca0"  # The byte A0, decoded with surrogateescape.
LONE_BYTES = ("\udc80", "\udcff")


def shown_line(text: str) -> str:
    r"""Return one line with every character escaped that is not printable, except tabs.

    >>> print(shown_line("a\x1b[2J\nc\x9b\u2028"))
    a\x1b[2J\nc\x9b\u2028
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)


def shown_text(text: str) -> str:
    r"""Return a text of several lines in the same form.

    >>> shown_text("a\nb\rc")
    'a\nb\\rc'
    """
    return "\n".join(shown_line(line) for line in text.split("\n"))


def shown_bytes(line: bytes) -> bytes:
    r"""Return the bytes of a line in the same form; a byte that is not UTF-8 may be a letter.

    >>> shown_bytes("\u00e4\x1b\x9b".encode() + b"\xe4\x9b\x00")
    b'\xc3\xa4\\x1b\\x9b\xe4\\x9b\\x00'
    """
    text = line.decode("utf-8", "surrogateescape")
    if text.isprintable():
        return line
    return "".join(map(_shown_character, text)).encode("utf-8", "surrogateescape")


def _shown_character(character: str) -> str:
    if LONE_BYTES[0] <= character <= LONE_BYTES[1]:
        is_letter = character >= LOWEST_LONE_BYTE_SHOWN
        return character if is_letter else "\\x%02x" % (ord(character) & 0xFF)
    return character if character == "\t" else shown_line(character)
