"""Makes sure that there is a Redis server for the tests of the shared counters: Debian's, where one is root."""

import os
import shutil
import subprocess
import sys


def main() -> None:
    if shutil.which("redis-server"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "redis-server"], check=False,
                       stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if not shutil.which("redis-server"):
        sys.exit("The tests of the shared counters need a Redis server, and it could not be installed.\n"
                 "Run as root `apt-get install redis-server`, or `brew install redis`.")


if __name__ == "__main__":
    main()
