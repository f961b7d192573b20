"""The one sanitiser of what strangers wrote: names, versions, reasons, log lines, addresses. Before a terminal, a log,
a table or Markdown shows such a text, it passes `plain`.

Whatever could move a cursor, break a line, reverse the direction of what follows or hide characters is replaced:
control and format characters, separators, surrogates, everything that Python does not call printable.
"""

MOST = 400
"""The most characters of a cell of a table."""

MOST_LINE = 8000
"""The most characters of a line of a log."""


def plain(text: str, most: int = MOST) -> str:
    """The text in one line of at most `most` characters, the last of which says if there was more."""
    if len(text) > most:
        text = f"{text[: most - 1]}…"
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"
