"""Where predictions may be written: over nothing that somebody else has made."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from seg.inference.files import inputs
from seg.inference.files import output as writing
from seg.inference.files.journal import Journal
from seg.inference.files.reading import File


def refuse_inside(output: Path, given: str | Sequence[str]) -> None:
    """Raises ValueError where the output lies in a folder of images."""
    for folder in inputs.folders(given):
        if output.resolve().is_relative_to(folder.resolve()):
            raise ValueError(
                f"output={output}: lies in input={folder}, whose files are only read; choose "
                "another folder"
            )
    if output.exists() and not output.is_dir():
        raise ValueError(f"output={output}: is a file; give a folder")


def refuse_collisions(
    output: Path, files: Sequence[File], wanted: writing.Wanted, *, others: Sequence[str]
) -> None:
    """Raises ValueError where two images have one mask, or a mask would replace an image.

    others: files that are written beside those of single images.
    """
    planned = [(name, file) for file in files for name in writing.names(file, wanted)]
    often = Counter(name for name, _ in planned)
    for name, file in planned:
        if often[name] > 1 or name in others:
            raise ValueError(
                f"output={output}: {file.input.path} and another would both be written to {name}; "
                "predict them into two folders"
            )
    images = {file.input.path.resolve() for file in files}
    for name, file in planned:
        if (output / name).resolve() in images:
            raise ValueError(
                f"output={output}: {name}, of {file.input.path}, would replace an image; choose "
                "another folder"
            )


def refuse_foreign(journal: Journal, planned: Sequence[str]) -> None:
    """Raises ValueError where a file that shall be written is there, and is not of this command."""
    foreign = journal.foreign(planned)
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ValueError(
            f"output={journal.folder}: holds {foreign[0]}{more}, which seg.predict has not written "
            "there; choose another folder, or move them"
        )
