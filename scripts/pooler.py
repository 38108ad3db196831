"""What PgBouncer is told of the database: where it is, and how it is to be spoken to there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template

from sqlalchemy import URL

from lib import db
from lib.errors import SetUpError

# PgBouncer's names for what stands in an address.
FILES = {"sslrootcert": "server_tls_ca_file", "sslcert": "server_tls_cert_file", "sslkey": "server_tls_key_file"}


def can_pool(app: URL) -> bool:
    """Of several hosts the driver finds the one that takes writes; PgBouncer would take any."""
    return len(_hosts(app)) == 1


def configure(app: URL, run: Path, template: str, write: Callable[[Path, str], None]) -> None:
    """`write`: as files must be written for those who run the programs."""
    options = [option.split("=") for option in db.OPTIONS.removeprefix("-c ").split(" -c ")]
    told = {
        "DB_HOST": _hosts(app)[0], "DB_PORT": app.port or str(app.query.get("port", "5432")).partition(",")[0],
        "DB_NAME": app.database,
        "DB_OPTIONS": "; ".join(f"set {name} to ''{value}''" for name, value in options),
        "DB_TLS": "\n".join(_tls(app, run, write)), "RUN": run, "POOL_ADDRESS": ""}
    write(run / "pgbouncer.ini", Template(template).substitute(told))
    write(run / "users.txt", '"{}" "{}"\n'.format(app.username, str(app.password or "").replace('"', '""')))


def _hosts(app: URL) -> list[str]:
    named = app.query.get("host") or app.host or ""
    return named.split(",") if isinstance(named, str) else list(named)


def _tls(app: URL, run: Path, write: Callable[[Path, str], None]) -> Iterator[str]:
    """As much as the address asks for, and never less without a word."""
    mode = str(app.query.get("sslmode", "prefer"))
    unknown = [name for name in app.query if name.startswith("ssl") and name not in ("sslmode", *FILES)]
    if unknown:
        raise SetUpError(f"PgBouncer knows no {unknown[0]}. Leave it out of DATABASE_URL, or run the app without `make cluster`.")
    if mode.startswith("verify") and "sslrootcert" not in app.query:
        raise SetUpError(f"sslmode={mode} needs sslrootcert=… in DATABASE_URL: the file with the authority's certificate.")
    yield f"server_tls_sslmode = {mode}"
    for name, option in FILES.items():
        if name in app.query:
            write(run / name, _read(name, Path(str(app.query[name]))))
            yield f"{option} = {run / name}"


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise SetUpError(f"{name} of DATABASE_URL can't be read: {path}: {error.strerror}.") from None
