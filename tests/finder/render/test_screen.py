"""Markdown on a terminal: rendered, whole, and harmless."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from finder.render.screen import prose
from finder.render.text import width

STYLE = re.compile(r"\x1b\[[\d;]*m")


def shown(text: str, columns: int = 60) -> list[str]:
    return [STYLE.sub("", one) for one in prose(text, columns)]


def test_blocks_are_rendered() -> None:
    assert shown("# Title\n\nSome **bold** and `code`\nnext line\n\n- one\n  - two\n\n> said") == [
        "Title",
        "",
        "Some bold and code",
        "next line",
        "",
        " • one",
        "    • two",
        "",
        "▌ said",
    ]


def test_numbers_of_a_list_are_those_of_the_text() -> None:
    items = [f"{number}. item\n" for number in range(8, 11)]
    assert shown("".join(items)) == [" 8. item", " 9. item", "10. item"]
    assert shown("1. one\n   1. two") == ["1. one", "   1. two"]
    assert shown("1.\n2. x")[-1] == "2. x"


def test_styles_are_the_terminals_own_colours() -> None:
    (line,) = prose("**b** `c`", 60)
    assert line == "\x1b[1mb\x1b[0m \x1b[35mc\x1b[0m"
    code = "\n".join(prose('```python\ndef f():\n    return "x"\n```', 60))
    assert "\x1b[1;49mdef" in code, "a keyword"
    assert "\x1b[35;49mx" in code, "a string"
    assert not re.search(r"\x1b\[[\d;]*3[3467][;m]", code), "none that light or dark swallow"
    assert not re.search(r"\x1b\[[\d;]*(38|48|9\d|10\d|4[0-7])[;m]", code), "no background"


def test_code_is_kept_to_the_letter_and_says_its_language() -> None:
    text = "```sh title=x\nls -la  |  cat\n\tb <>&\n```"
    assert shown(text) == ["  sh title=x", "  ls -la  |  cat", "      b <>&"]
    assert shown("    indented\n      more") == ["  indented", "    more"]


def test_tables_fold_their_cells() -> None:
    text = "| a | b |\n|---|--:|\n| " + "word " * 30 + "| 2 |"
    lines = shown(text, 40)
    assert max(map(width, lines)) <= 40
    assert " ".join(lines).split().count("word") == 30
    many = "|" + " c |" * 30
    assert shown(f"{many}\n{many.replace('c', '-')}\n{many}", 40)[0].startswith("| c | c |")


def test_addresses_are_shown_and_nothing_is_a_link() -> None:
    text = '[docs](https://x/y "T") <https://z> ![alt](i.png) [a]\n\n[a]: https://q'
    rendered = "\n".join(prose(text, 80))
    assert "\x1b]8" not in rendered
    assert shown(text, 80) == [
        'docs (https://x/y "T") https://z !alt (i.png) [a]',
        "",
        "[a]: https://q",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<b>tag</b> <!-- hidden --> `a`",
        "<div>\nblock\n</div>\n\n**x**",
        "&amp; &#x1b;[31m &nbsp; **x**",
        "[x](&#x1b;]0;a) **y**",
        "```&#x1b;]0;a\ncode\n```",
        "<http://a/%1b]0;x> **y**",
        ">" * 200 + " deep **x**",
        "- " * 100 + "deep",
        "[" * 300 + "deep" + "](x)" * 300,
        "a **b\n\n| x |\n|--|\n| `y",
        "> | x |\n> |---|\n> | y |\n> - z",
        "1. | x |\n   |---|\n   | y |",
        "\x1b[31mred \u202e`x`",
    ],
)
def test_nothing_is_missing_and_nothing_is_live(text: str) -> None:
    for columns in (20, 80):
        lines = shown(text, columns)
        joined = "".join(lines)
        assert not set("\x1b\x07\u202e\x9b\n") & set(joined)
        letters = Counter(c for c in text if c.isalpha())
        assert not letters - Counter(joined)


def test_what_is_very_long_is_shown_as_it_is() -> None:
    text = "**b** " * 20_000
    assert shown(text)[0].startswith("**b** **b**")
    assert list(prose("", 80)) == [""]
