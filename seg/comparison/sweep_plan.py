"""sweep.json: the command of a sweep and the jobs it is made of, as far as it can be read."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Planned:
    """A job that sweep.json names, or a folder of one: overrides are what sets it apart."""

    number: int | None
    overrides: dict[str, str]
    folder: str


@dataclass(frozen=True)
class Plan:
    """command, started: as typed and when, "" if unknown. problem: why sweep.json is not used."""

    command: str = ""
    started: str = ""
    jobs: list[Planned] = field(default_factory=list)
    problem: str = ""


def read_plan(sweep: Path) -> Plan:
    """Without a sweep.json that can be read, the folders' names have to tell it all."""
    path = sweep / "sweep.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Plan()
    except (OSError, ValueError) as error:
        return Plan(problem=f"sweep.json: {error}")
    if not isinstance(content, dict):
        return Plan(problem="sweep.json: must hold an object")
    jobs, listed = [], content.get("jobs")
    for job in listed if isinstance(listed, list) else []:
        try:
            number, folder, lines = int(job["number"]), str(job["folder"]), list(job["overrides"])
        except (KeyError, TypeError, ValueError):
            return Plan(problem="sweep.json: a job without number, overrides and folder")
        jobs.append(Planned(number, keys_and_values(map(str, lines)), folder))
    return Plan(_text(content, "command"), _text(content, "started"), jobs)


def _text(content: dict[str, Any], key: str) -> str:
    value = content.get(key)
    return value if isinstance(value, str) else ""


def keys_and_values(lines: Iterable[str]) -> dict[str, str]:
    """`+model.width=8` to `model.width`, `8`; quotes around a whole value are dropped."""
    found = {}
    for line in lines:
        key, _, value = line.partition("=")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[key.lstrip("+~")] = value
    return found


def of_folder(name: str) -> Planned:
    """What the name of a job's folder tells, `<n>_<key=value,...>`."""
    number, _, text = name.partition("_")
    if not number.isdecimal():
        return Planned(None, {}, name)
    # a comma within brackets is followed by no key
    lines = re.split(r",(?=[+~]*[\w./@-]+=)", text) if "=" in text else []
    return Planned(int(number), keys_and_values(line for line in lines if "=" in line), name)
