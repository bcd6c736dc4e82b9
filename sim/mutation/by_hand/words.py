"""Finding a piece of Python in a source text word by word: line breaks, indentation and comments do not count."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache

__all__ = ["find_words"]

_LAYOUT = {
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.COMMENT,
    tokenize.ENDMARKER,
    tokenize.ENCODING,
}
_CLOSING = {")", "]", "}"}

Word = tuple[str, int, int]
"""Text, and where it starts and stops in the source."""


def find_words(text: str, piece: str, within: str | None = None) -> Iterator[slice]:
    """Where the words of ``piece`` stand in a row; ``within`` the class or function of that name only."""
    wanted = [word for word, _, _ in _words(piece)]
    if not wanted:
        raise ValueError("there is no word to look for")
    if within is not None and within not in text:
        return
    words = [word for word in _words(text) if within is None or any(word[1] in part for part in _parts(text, within))]
    # A comma that a formatter puts behind the last of several is layout too, unless it is asked for.
    words = [
        word
        for word, following in zip(words, [*words[1:], ("", 0, 0)], strict=True)
        if not (word[0] == "," and following[0] in _CLOSING)
    ]
    for first in range(len(words) - len(wanted) + 1):
        if words[first][0] == wanted[0] and [word[0] for word in words[first : first + len(wanted)]] == wanted:
            yield slice(words[first][1], words[first + len(wanted) - 1][2])


@cache
def _words(text: str) -> tuple[Word, ...]:
    """A piece need not be whole: brackets may be left open at its end."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    words: list[Word] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type not in _LAYOUT and token.string:
                (row, column), (end_row, end_column) = token.start, token.end
                words.append((token.string, starts[row - 1] + column, starts[end_row - 1] + end_column))
    except tokenize.TokenError:
        pass  # raised at the end of the text, when all words have been seen
    return tuple(words)


def _parts(text: str, name: str) -> list[range]:
    """The classes and functions of a name, as ranges of places in the text."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [
        range(starts[node.lineno - 1], starts[node.end_lineno or node.lineno])
        for node in ast.walk(ast.parse(text))
        if isinstance(node, kinds) and node.name == name
    ]
