"""Tab completion: what the last word of a command line may become."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import hydra
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from seg.cli.compose import CONF_DIR, compose_here, plain
from seg.cli.datasets import as_override
from seg.cli.help import groups_of, leaves
from seg.cli.overrides import quoted
from seg.cli.rules import RULES

FLAGS = ("--help", "--cfg", "--multirun", "--config-dir", "--config-path", "--config-name")
# `=` divides words in bash, so that only what follows it is replied there
SCRIPT = """_seg() {
  local line="${COMP_LINE:0:COMP_POINT}" IFS=$'\\n'
  [[ "$line" == *"-m seg"* ]] || return 0
  COMPREPLY=($("${COMP_WORDS[0]}" -m seg --complete "$line" 2>/dev/null))
  local word="${line##* }"
  if [[ "$COMP_WORDBREAKS" == *=* && "$word" == *=* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${word%%=*}="}")
  fi
}
complete -o nospace -o default -F _seg python python3"""
SHELLS = {
    "bash": SCRIPT,
    "zsh": f"autoload -Uz compinit bashcompinit && compinit && bashcompinit\n{SCRIPT}",
}


def candidates(line: str) -> list[str]:
    """What the last word of a line may become, sorted; a key ends in `=` or in `.`.

    Args:
        line: as typed up to the cursor, such as `python -m seg.train dataset=kv`.
    """
    *words, word = [*line.split(), ""] if line[-1:].isspace() else line.split() or [""]
    module = next((w for w in words if w.startswith("seg.")), None)
    if module is None:
        return [f"seg.{name}" for name in RULES if f"seg.{name}".startswith(word)]
    command = module.removeprefix("seg.")
    if command not in RULES:
        return []
    before = words[words.index(module) + 1 :]
    if before[-1:] == ["--cfg"]:
        return ["job"]
    if word.startswith("-"):
        return [flag for flag in FLAGS if flag.startswith(word)]
    found = _of_key(command, before, word) if "=" in word else _keys(command, before, word)
    return sorted(set(found))


def _keys(command: str, before: Sequence[str], word: str) -> Iterator[str]:
    """Groups, and keys up to their next dot."""
    groups, names = _known(command, before)
    for name in groups:
        if name.startswith(word):
            yield f"{name}="
    for name in names:
        if name.startswith(word):
            more, dot, _ = name[len(word) :].partition(".")
            yield f"{word}{more}{dot or '='}"


def _of_key(command: str, before: Sequence[str], word: str) -> Iterator[str]:
    """The choices of a group, the values that a rule names, or the present value."""
    key, _, value = word.partition("=")
    groups, names = _known(command, before)
    if key in groups:
        known = groups[key]
    elif key in RULES[command] and RULES[command][key].choices:
        known = list(RULES[command][key].choices)
    elif isinstance(names.get(key), int | float):  # of a path, the shell completes files
        known = [as_override(names[key])]
    else:
        return
    several, comma, last = value.rpartition(",")  # loss=bce,di
    yield from (f"{key}={several}{comma}{name}" for name in known if name.startswith(last))


def _known(command: str, before: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, object]]:
    """The groups with their choices, and the keys with their values, of the words before."""
    lines = [quoted(w, command) for w in before if "=" in w and not w.startswith("-")]
    extra = [b for a, b in zip(before, before[1:], strict=False) if a == "--config-dir"]
    search = [f"hydra.searchpath=[file://{Path(d).absolute()}]" for d in extra]
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(CONF_DIR)):
        for kept in (lines, [line for line in lines if "," not in line], []):
            try:
                cfg = compose_here(command, [*search, *kept])
            except (ValueError, HydraException, OmegaConfBaseException):  # not finished yet
                continue
            break
        else:
            return {}, {}
    return groups_of(command, [*map(Path, extra), CONF_DIR]), dict(leaves(plain(cfg)))
