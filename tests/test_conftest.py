"""What the tests themselves leave behind."""

import os
import subprocess
import sys

from lib.settings import ROOT


def test_a_run_leaves_no_folder_behind(tmp_path):
    """With a database of its own, which lies in the data folder or, run by root, outside it."""
    run = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", tmp_path / "base",
                          "tests/test_plans.py::test_a_session_is_looked_up_by_its_key"],
                         cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert list(tmp_path.glob("chairside-*")) == []
