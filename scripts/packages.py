"""Programs of the system that come from its packages: Debian's, where one is root."""

import os
import shutil
import subprocess

from lib.errors import SetUpError

PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"  # an ordinary user's path lacks what daemons live in


def need(packages: dict[str, str]) -> None:
    """`packages`: of each program. Raises SetUpError naming the command that a person has to give."""
    missing = _missing(packages)
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=False,
                       stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    missing = _missing(packages)
    if missing:
        raise SetUpError(f"Missing on this machine: {', '.join(missing)}.\n  As root: apt-get install {' '.join(missing)}")


def find(*programs: str) -> str | None:
    """The first of them that is there."""
    return next((found for program in programs if (found := shutil.which(program, path=PLACES))), None)


def _missing(packages: dict[str, str]) -> list[str]:
    return [package for program, package in packages.items() if not find(program)]
