"""How full the disks are on which this installation writes."""

import shutil
from collections.abc import Iterable
from pathlib import Path


def free(folder: Path) -> int:
    return shutil.disk_usage(_there(folder)).free


def full(folder: Path) -> float:
    """The used share of its disk, as an ordinary user can fill it."""
    usage = shutil.disk_usage(_there(folder))
    return 1 - usage.free / (usage.used + usage.free)


def is_apart(folder: Path, others: Iterable[Path]) -> bool:
    """Whether it lies on another file system than all of them."""
    return _there(folder).stat().st_dev not in {_there(other).stat().st_dev for other in others}


def _there(folder: Path) -> Path:
    """A folder that was never needed stands where it would be made."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
