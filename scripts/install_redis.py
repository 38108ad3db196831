"""Makes sure that there is a Redis server for the tests of the shared counters."""

import sys

from lib.errors import SetUpError
from scripts import packages


def main() -> None:
    try:
        packages.need({"redis-server": "redis-server"})
    except SetUpError as error:
        sys.exit(f"The tests of the shared counters need a Redis server. {error}")


if __name__ == "__main__":
    main()
