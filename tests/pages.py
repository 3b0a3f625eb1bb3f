"""The pages of the documentation, read for the tests: their code, commands and anchors."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from seg.cli.rules import RULES

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:python -m )?seg\.(\w+) (?=\S)(.*)")


def tokens(page: Path) -> Iterator[Token]:
    """Blocks of a page, and what is within their lines."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        yield token
        yield from token.children or []


def code(page: Path) -> Iterator[str]:
    """Each line of code of a page, one that is continued as a whole."""
    for token in tokens(page):
        if token.type in ("fence", "code_block", "code_inline"):
            yield from token.content.replace("\\\n", " ").splitlines()


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """The commands of `seg` on a page: which, and its arguments."""
    found = []
    for line in code(page):
        if match := COMMAND.fullmatch(line.strip()):
            words = shlex.split(match[2].partition(" & ")[0], comments=True)
            is_call = match[0].startswith("python") or any("=" in word for word in words)
            if match[1] in RULES and is_call and "..." not in match[0]:
                found.append((match[1], words))
    return found


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    every = list(tokens(page))
    heads = [after for head, after in itertools.pairwise(every) if head.type == "heading_open"]
    plain = ["".join(part.content for part in head.children) for head in heads]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in plain}
