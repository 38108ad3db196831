"""The operator's commands."""

import shutil
from argparse import Namespace

import pytest

from lib import migrations, operator
from lib.errors import SetUpError
from lib.settings import ROOT


def test_a_migration_is_drafted_and_not_applied(monkeypatch, tmp_path, capsys):
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    monkeypatch.setattr(migrations, "ROOT", tmp_path)
    before = migrations.head()
    operator.draft_migration(Namespace(title="Add the diary"))
    [draft] = (tmp_path / "migrations" / "versions").glob("*_add_the_diary.py")
    assert f"down_revision = '{before}'" in draft.read_text()
    assert str(draft) in capsys.readouterr().out
    assert migrations.head() == f"{int(before) + 1:04d}"


def test_a_migration_without_a_name_is_refused():
    with pytest.raises(SetUpError, match="Name it"):
        operator.draft_migration(Namespace(title=" "))
