"""What is said and done in sessions: prose, code, logs, listings, in blocks to choose from."""

from __future__ import annotations

import random

from tests.bench.titles import distinct_titles

_SEED = 20_241_102
_BLOCKS = 3_000

_NOUNS = (
    "config handler request response session token cache index query cursor buffer stream parser"
    " worker queue event record schema column table field value result error retry timeout client"
    " server socket header payload message channel thread lock file folder path module package"
    " import function method class object array string number option flag default limit offset"
    " batch chunk page row key hash signature policy role user account invoice order product price"
    " discount customer report chart widget button form input label style theme layout route link"
).split()
_VERBS = (
    "parse read write load store fetch send open close check find build merge split encode decode"
    " validate render update delete create handle resolve compute format apply register dispatch"
).split()
_SENTENCES = (
    "The {0} {1}s the {2} before the {3} is {4}d, so the {5} never sees it.",
    "I will look at how `{1}_{2}` is called and then change the {3}.",
    "There is a race between the {0} and the {3}: both {1} the same {2}.",
    "Now the tests pass; the {0} was missing a {2} when the {3} is empty.",
    "We should {1} the {0} lazily and keep the {2} small — about {6} entries is enough.",
    "Let me run the tests again to see whether the {5} still fails on the {3}.",
    "It returns “{2}” instead of the {3}, because {1}_{0} ignores the {5}.",
)
_FOREIGN = (
    "Die Größe der Datei wird vor dem Öffnen geprüft, sonst schlägt der Test auf dem Server fehl.",
    "La fonction relit l'index à chaque requête ; il vaut mieux le garder en mémoire.",
    "Проверка выполняется до загрузки файла, поэтому ошибка не доходит до пользователя.",
    "データベース接続が切れた場合は、三回まで再試行してからエラーを返します。",
    "这里需要先检查文件是否存在，然后再读取配置，否则会抛出异常。",
)


def blocks(seed: int = _SEED) -> list[str]:
    """Texts of 200 to some 6,000 characters; about one in twelve is not in English."""
    chosen = random.Random(seed)
    makers = (_prose, _prose, _code, _code, _listing, _log, _diff)
    found = [chosen.choice(makers)(chosen) for _ in range(_BLOCKS)]
    for at in range(0, _BLOCKS, 12):
        found[at] = " ".join(chosen.choice(_FOREIGN) for _ in range(chosen.randint(3, 20)))
    return found


def _word(chosen: random.Random) -> str:
    return chosen.choice(_NOUNS)


def _name(chosen: random.Random) -> str:
    return f"{chosen.choice(_VERBS)}_{_word(chosen)}"


def _path(chosen: random.Random) -> str:
    return f"src/{_word(chosen)}/{_name(chosen)}.{chosen.choice(['py', 'ts', 'go', 'rs'])}"


def _prose(chosen: random.Random) -> str:
    found = []
    for _ in range(chosen.randint(4, 30)):
        words = [_word(chosen) for _ in range(6)]
        words[1], words[4] = chosen.choice(_VERBS), chosen.choice(_VERBS)
        found.append(chosen.choice(_SENTENCES).format(*words, chosen.randint(2, 900)))
    if chosen.random() < 0.2:
        found.insert(1, f"\n\n## {chosen.choice(_TITLES)}\n\n")
    return " ".join(found)


def _code(chosen: random.Random) -> str:
    lines = []
    for _ in range(chosen.randint(3, 16)):
        one, other = _name(chosen), _word(chosen)
        lines += [
            f"def {one}({other}: str, {_word(chosen)}=None) -> dict[str, int]:",
            f'    """{chosen.choice(_VERBS).capitalize()} the {other} of a {_word(chosen)}."""',
            f"    {_word(chosen)} = {_name(chosen)}({other}, limit={chosen.randint(1, 999)})",
            f'    if not {other}.startswith("{_word(chosen)}\\\\{_word(chosen)}"):',
            f'        raise ValueError(f"{_word(chosen)} {{{other}!r}} has no {_word(chosen)}")',
            f"    return {{key: len(value) for key, value in {_word(chosen)}.items()}}",
            "",
        ]
    return "\n".join(lines)


def _listing(chosen: random.Random) -> str:
    return "\n".join(
        f"{_path(chosen)}:{chosen.randint(1, 900)}:    {_name(chosen)}({_word(chosen)})"
        for _ in range(chosen.randint(5, 60))
    )


def _log(chosen: random.Random) -> str:
    levels = ("INFO", "INFO", "DEBUG", "WARN", "\x1b[31mERROR\x1b[0m")
    return "\n".join(
        f"2026-{chosen.randint(1, 12):02}-{chosen.randint(1, 28):02}T10:14:07Z"
        f" {chosen.choice(levels)} {_word(chosen)}.{_word(chosen)}: {_name(chosen)} took"
        f" {chosen.randint(1, 4000)} ms for {_word(chosen)} {chosen.getrandbits(32):08x}"
        for _ in range(chosen.randint(5, 50))
    )


def _diff(chosen: random.Random) -> str:
    path = _path(chosen)
    lines = [f"--- a/{path}", f"+++ b/{path}", "@@ -10,7 +10,9 @@"]
    lines += [
        f"{chosen.choice(' +-')}    {_word(chosen)} = {_name(chosen)}({_word(chosen)})"
        for _ in range(chosen.randint(6, 40))
    ]
    return "\n".join(lines)


_TITLES = distinct_titles()
