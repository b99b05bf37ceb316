"""Commands and their options as data, with two readers.

click is most of what a start costs. It is needed for help, completion and everything that is
wrong with a call; a call that is plainly right (known options written out, their values where
they belong) is read here. What is not plain is left to click, so that there is one set of rules:
`Plain.read` gives what click would give, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import click

F = TypeVar("F", bound=Callable[..., Any])

Values = dict[str, Any]


class Whole:
    """A whole number from `least` on."""

    def __init__(self, least: int) -> None:
        self.least = least


class Param:
    """An option or an argument: the names and attributes that click takes."""

    def __init__(self, kind: str, names: tuple[str, ...], attrs: Values) -> None:
        self.kind = kind
        self.attrs = attrs
        self.names = names
        self.flags = [name for name in names if name.startswith("-")]
        plain = [name for name in names if not name.startswith("-")]
        longest = max(self.flags, key=len).split("/")[0] if self.flags else ""
        self.name = plain[0] if plain else longest.strip("-").replace("-", "_")

    def click(self) -> click.Parameter:
        """As a parameter of click."""
        import click

        attrs = dict(self.attrs)
        choices, kind = attrs.pop("choices", None), attrs.get("type")
        if choices is not None:
            attrs["type"] = click.Choice(choices)
        elif isinstance(kind, Whole):
            attrs["type"] = click.IntRange(min=kind.least)
        made = click.Option if self.kind == "option" else click.Argument
        return made([*self.names], **attrs)

    def default(self) -> Any:
        """The value where the call does not say."""
        if self.attrs.get("multiple") or self.attrs.get("nargs") == -1:
            return ()
        return self.attrs.get("default", False if self.is_flag else None)

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return bool(self.attrs.get("is_flag")) or any("/" in flag for flag in self.flags)

    def value(self, text: str) -> Any:
        """A value as the call has it.

        Raises:
            ValueError: it is not plainly right.
        """
        choices, kind = self.attrs.get("choices"), self.attrs.get("type")
        if choices is not None and text not in choices:
            raise ValueError(text)
        if kind is None:
            return text
        if not (isinstance(kind, Whole) and text.isascii() and text.isdigit()):
            raise ValueError(text)
        if int(text) < kind.least:
            raise ValueError(text)
        return int(text)

    def spelled(self, value: Any) -> list[str]:
        """An option with this value, as a call has it."""
        flag = max(self.flags, key=len)
        yes, _, no = flag.partition("/")
        if self.is_flag:
            return [yes if value else no]
        text = str(value)
        return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def option(*names: str, **attrs: Any) -> Callable[[F], F]:
    """Like `click.option`; `choices` are the texts that it takes."""
    return _declaring(Param("option", names, attrs))


def argument(*names: str, **attrs: Any) -> Callable[[F], F]:
    """Like `click.argument`."""
    return _declaring(Param("argument", names, attrs))


def _declaring(param: Param) -> Callable[[F], F]:
    def declare(function: F) -> F:
        params = [param, *getattr(function, "declared", ())]
        function.declared = params  # type: ignore[attr-defined]
        return function

    return declare


class Plain:
    """A command whose function is given the `Setting` and the values of its parameters."""

    def __init__(self, function: Callable[..., int | None], epilog: str | None) -> None:
        self.function = function
        self.epilog = epilog
        self.params: list[Param] = getattr(function, "declared", [])
        self._click: click.Command | None = None

    def click(self) -> click.Command:
        """As a command of click."""
        from finder.cli.program import Command

        if self._click is None:
            from finder.cli.setting import with_setting

            self._click = Command(
                name=None,
                callback=with_setting(self.function),
                params=[param.click() for param in self.params],
                help=self.function.__doc__,
                epilog=self.epilog,
            )
        return self._click

    def read(self, words: Sequence[str]) -> Values | None:
        """The values of a call that is plainly right; None: click has to look at it."""
        values = {param.name: param.default() for param in self.params}
        named = _by_flag(self.params)
        arguments: list[str] = []
        rest = iter(words)
        for word in rest:
            flag, equals, text = word.partition("=")
            if not word.startswith("-") or word == "-":
                arguments.append(word)
                continue
            if flag not in named or (equals and not flag.startswith("--")):
                return None
            param, state = named[flag]
            if param.is_flag:
                if equals:
                    return None
                values[param.name] = state
                continue
            if not equals:
                text = next(rest, "-")
                if text.startswith("-"):
                    return None
            try:
                value = param.value(text)
            except ValueError:
                return None
            several = param.attrs.get("multiple")
            values[param.name] = (*values[param.name], value) if several else value
        found = self._with_arguments(values, arguments)
        if found is None or any(p.attrs.get("required") and not found[p.name] for p in self.params):
            return None
        return found

    def spelled(self, values: Values) -> list[str]:
        """The words of a call that has these values, as short as it can be."""
        options: list[str] = []
        arguments: list[str] = []
        for param in self.params:
            value = values[param.name]
            if value == param.default():
                continue
            several = value if isinstance(value, tuple) else (value,)
            if param.kind == "argument":
                arguments += map(str, several)
            else:
                options += [word for one in several for word in param.spelled(one)]
        if any(word.startswith("-") for word in arguments):
            return [*options, "--", *arguments]
        return [*arguments, *options]

    def _with_arguments(self, values: Values, given: list[str]) -> Values | None:
        taking = [param for param in self.params if param.kind == "argument"]
        if len(taking) > 1:
            return None
        for param in taking:
            if param.attrs.get("nargs") == -1:
                values[param.name] = tuple(given)
            elif len(given) != 1:
                return None
            else:
                values[param.name] = given[0]
        return values if taking or not given else None


def _by_flag(params: Sequence[Param]) -> dict[str, tuple[Param, bool]]:
    """The options by what is written in a call, and what a flag then stands for."""
    found = {}
    for param in params:
        for flag in param.flags:
            yes, _, no = flag.partition("/")
            found[yes] = (param, True)
            if no:
                found[no] = (param, False)
    return found


def command(*, epilog: str | None = None) -> Callable[[Callable[..., int | None]], Plain]:
    """Like `click.command`, for a function that is given the `Setting` first."""

    def declare(function: Callable[..., int | None]) -> Plain:
        return Plain(function, epilog)

    return declare
