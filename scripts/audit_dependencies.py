"""Looks up every locked and every installed package among known vulnerabilities. One that was not looked up fails it too.

pip-audit alone ends well when its source knows none of the packages: it skips them and reports "No known vulnerabilities found".
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
Package = tuple[str, str]


def main() -> None:
    lines = [line for lock in LOCKS for line in lock.read_text().splitlines()]
    expected = locked(lines) | installed()
    complaints = judge(pip_audit(), expected)
    if complaints:
        sys.exit("\n".join(complaints))
    sys.stdout.write(f"{len(expected)} packages were looked up, and none has a known vulnerability.\n")


def locked(lines: Iterable[str]) -> set[Package]:
    """What the locks pin for this platform."""
    pins = [Requirement(line.rstrip("\\ ")) for line in lines if re.match(r"[\w.-]+(\[.*\])?==", line)]
    return {(canonicalize_name(pin.name), str(pin.specifier).removeprefix("==")) for pin in pins
            if pin.marker is None or pin.marker.evaluate()}


def installed() -> set[Package]:
    return {(canonicalize_name(package.name), package.version) for package in metadata.distributions()}


def pip_audit() -> str:
    """Its report, whatever its exit code says: that is 0 for packages it skipped."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.exit(f"pip-audit gave no report. Is its source of vulnerabilities reachable? {reason}")
    return done.stdout


def judge(report: str, expected: set[Package]) -> list[str]:
    """What is wrong, a line each."""
    try:
        audited = [found for found in json.loads(report)["dependencies"] if "skip_reason" not in found]
        complaints = [line for found in audited for line in _vulnerabilities(found)]
        missing = sorted(expected - {(canonicalize_name(found["name"]), found["version"]) for found in audited})
    except (ValueError, KeyError, TypeError):
        return ["pip-audit's report can't be read, so nothing was looked up."]
    if missing:
        names = ", ".join(f"{name} {version}" for name, version in missing)
        complaints.append(f"{len(missing)} of {len(expected)} packages were not looked up: {names}")
    return complaints


def _vulnerabilities(found: dict[str, Any]) -> list[str]:
    return [f"{found['name']} {found['version']} has {known['id']}, "
            f"mended in {', '.join(known['fix_versions']) or 'no version yet'}" for known in found["vulns"]]


if __name__ == "__main__":
    main()
