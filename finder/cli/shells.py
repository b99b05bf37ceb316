"""How a shell asks what fits, where click's own way is not enough.

Bash parts words at colons and at "=", and replaces what follows the last of them: so the line is
handed over as it is typed, and what stands before a colon is taken off what is offered. Zsh parts
words at neither: so what stands before "=" is set aside. So does fish, which replaces the whole
word: there it is put before all that is offered.
"""

from __future__ import annotations

import os

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

_BASH = """\
%(complete_func)s() {
    local line=${COMP_LINE:0:COMP_POINT} type value before=
    local word=${line##*[[:space:]=]}
    [[ $COMP_WORDBREAKS == *:* && $word == *:* ]] && before=${word%%:*}:
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("${value#"$before"}") ;;
        esac
    done < <(env COMP_WORDS="$line" COMP_CWORD= %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local -a plain described response
    local type value help
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
        %(complete_var)s=zsh_complete %(prog_name)s)}")
    [[ $PREFIX == --*=* ]] && compset -P '*='
    for type value help in $response; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain) [[ $help == _ ]] && plain+=("$value") || described+=("$value:$help") ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U -i "$IPREFIX"
    (( $#plain )) && compadd -U -i "$IPREFIX" -V unsorted -a plain
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
function %(complete_func)s
    set -l typed (commandline -cp)
    set -l option (string match -r -- '^--[^=]*=' (commandline -t))
    set -l offered (env COMP_WORDS="$typed" COMP_CWORD=(commandline -t) \
        %(complete_var)s=fish_complete %(prog_name)s)
    for one in $offered
        set -l parts (string split -m 1 , -- $one)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2] | string replace -r '^' -- "$option"
            case file
                __fish_complete_path $parts[2] | string replace -r '^' -- "$option"
            case plain
                echo -- "$option$parts[2]"
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


@add_completion_class
class Bash(BashComplete):
    """Bash, of which COMP_WORDS is here the line up to where it is typed."""

    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is being typed, and this one."""
        typed = os.environ["COMP_WORDS"]
        words = split_arg_string(typed)
        begun = words.pop() if words and not typed[-1].isspace() else ""
        return words[1:], begun


@add_completion_class
class Zsh(ZshComplete):
    """Zsh, which takes a colon for the end of a value that has a description."""

    name = "zsh"
    source_template = _ZSH

    def format_completion(self, item: CompletionItem) -> str:
        """One offer, in three lines."""
        value = item.value.replace(":", "\\:") if item.help else item.value
        return f"{item.type}\n{value}\n{item.help or '_'}"


@add_completion_class
class Fish(FishComplete):
    """Fish."""

    name = "fish"
    source_template = _FISH
