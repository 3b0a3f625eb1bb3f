"""What there is. python -m seg"""

import sys

from seg import __version__

COMMANDS = {
    "prepare": ("download, check and describe a data set", "dataset=folder dataset.root=DIR"),
    "train": ("train a network, or many (--multirun)", "dataset=folder dataset.root=DIR"),
    "evaluate": ("score a trained network, with intervals", "run=RUN_DIR"),
    "compare": ("rank runs, with paired tests; report one run", "runs='outputs/*'"),
    "predict": ("masks for images that have none", "run=RUN_DIR input=IMAGES output=MASKS"),
    "demo": ("a page to try a network on images", "run=RUN_DIR"),
    "export": ("one file that needs no seg", "run=RUN_DIR format=onnx"),
}


def main(arguments: list[str]) -> int:
    """List the commands; an argument that is one gets it as it is typed."""
    if arguments[:1] in (["--complete"], ["--completion"]):
        return _complete(*arguments)
    if arguments == ["--version"]:
        print(f"seg {__version__}")
        return 0
    if arguments and arguments[0] not in ("-h", "--help"):
        name = arguments[0].removeprefix("seg.")
        if name in COMMANDS:
            command = f"python -m seg.{' '.join([name, *arguments[1:]])}"
            print(f"error: write it with a dot: {command}", file=sys.stderr)
        else:
            names = ", ".join(COMMANDS)
            print(f"error: {arguments[0]}: no such command; there are {names}", file=sys.stderr)
        return 1
    print("seg: train, compare and ship 2-D segmentation networks for medical images\n")
    for name, (what, example) in COMMANDS.items():
        print(f"  python -m seg.{name:<9} {what}\n      python -m seg.{name} {example}")
    print("\nEach takes --help (its keys and choices) and key=value in any order.")
    print("""Tab completion: eval "$(python -m seg --completion bash)" (or zsh)""")
    return 0


def _complete(flag: str, value: str = "bash") -> int:
    from seg.cli import completion  # noqa: PLC0415 - the list of commands comes at once

    if flag == "--completion" and value not in completion.SHELLS:
        print(f"error: {value}: there is {', '.join(completion.SHELLS)}", file=sys.stderr)
        return 1
    lines = completion.candidates(value) if flag == "--complete" else [completion.SHELLS[value]]
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
