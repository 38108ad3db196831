"""A file's patients on their way into a clinic: every row ends as created, updated, duplicate or rejected, with its reason.

Written in batches, each in a transaction of its own, so that an import can be watched, stopped and gone on with, and so
that importing the same file again adds nobody.
"""

import json
from collections import ChainMap, Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any
from uuid import UUID

from lib import audit, auth, csv_file, db, fhir, intake, patients, tables, verdicts
from lib.db import Scope
from lib.errors import AppError, Forbidden, Unavailable
from lib.intake import Row
from lib.likeness import Mark, Marked
from lib.tables import Table
from lib.texts import _
from lib.verdicts import Decision, Kind, Outcome

BATCH = 500


@dataclass(frozen=True)
class File:
    """An uploaded file as it was read. A table's columns still need a mapping; a FHIR export's rows are complete."""

    name: str
    table: Table | None
    fhir: list[Row]

    def __len__(self) -> int:
        return len(self.table.rows if self.table else self.fhir)


@dataclass(frozen=True)
class Step:
    """What one transaction did. It counts once that transaction is committed."""

    outcomes: list[Outcome]
    met: dict[Mark, Marked]


@dataclass
class Report:
    """One import, as far as it got."""

    rest: list[Row]
    """The rows to come. Those that are done are taken off."""
    dry_run: bool = False
    id: UUID = field(default_factory=patients.new_id)
    outcomes: list[Outcome] = field(default_factory=list)
    met: dict[Mark, Marked] = field(default_factory=dict)
    turn: Lock = field(default_factory=Lock)
    """A run that was stopped may still be writing its last batch when the next one begins."""

    def __len__(self) -> int:
        return len(self.outcomes) + len(self.rest)

    def add(self, step: Step) -> None:
        self.outcomes += step.outcomes
        self.met |= step.met
        del self.rest[:len(step.outcomes)]
        if not self.rest:
            self.met.clear()

    def counts(self) -> dict[Kind, int]:
        found = Counter(outcome.kind for outcome in self.outcomes)
        return {kind: found[kind] for kind in verdicts.KINDS}

    def csv(self, *, stopped: bool = False) -> str:
        """For a spreadsheet: no cell is taken for a formula. `stopped`: there are rows that nothing became of."""
        rows = [[one.line, verdicts.label(one.kind), one.name, one.reason] for one in self.outcomes]
        if stopped:
            rows.append([rows[-1][0] if rows else 0, _("not imported"), "", _("Stopped: after this line nothing was imported.")])
        return csv_file.write([[_("Line"), _("Result"), _("Name"), _("Reason")], *rows])


# reading -------------------------------------------------------------------------------------------------------------


def read(data: bytes, name: str, encoding: str = "", country: str = "", headless: bool | None = None) -> File:
    """Raises Invalid with one sentence about a file that holds no patients. Of a table: `encoding`, empty to guess it, and
    whether it is `headless`, its first row being a patient already; None to guess that too."""
    if fhir.looks_like_fhir(data):
        return File(name, None, fhir.read_fhir(data, name))
    table = tables.read_table(data, name, encoding, country)
    if headless or (headless is None and intake.is_headless(table)):
        table = tables.without_header(table)
    return File(name, table, [])


def rows(file: File, mapping: intake.Mapping, date_order: str) -> Iterator[Row]:
    """`mapping`, `date_order`: what the columns of a table mean; a FHIR export says so itself."""
    return intake.forms(file.table, mapping, date_order) if file.table else iter(file.fhir)


# writing -------------------------------------------------------------------------------------------------------------


def run(report: Report, open_scope: Callable[[], AbstractContextManager[Scope]]) -> Iterator[tuple[int, int]]:
    """Goes on where the report stands, and yields rows done and rows in all after each batch. To stop it, stop asking."""
    while report.rest:
        with report.turn:
            with open_scope() as scope:
                step = write(scope, report)
            report.add(step)
        yield len(report.outcomes), len(report)


def write(scope: Scope, report: Report) -> Step:
    """The next batch. A dry run decides the same and writes only that somebody looked."""
    auth.require(scope.identity, "patients.import")
    auth.require(scope.identity, "patients.notes")
    _take_turns(scope)
    met = ChainMap[Mark, Marked]({}, report.met)
    outcomes = _write_safely(scope, report, report.rest[:BATCH], met)
    written = sum(one.kind in ("created", "updated") for one in outcomes)
    audit.record(scope, "import_check" if report.dry_run else "import", "patients", report.id,
                 row_count=len(outcomes) if report.dry_run else written)
    return Step(outcomes, dict(met.maps[0]))


def _take_turns(scope: Scope) -> None:
    """Two imports of the same people at once would both find nobody there."""
    scope.value("select pg_advisory_xact_lock(hashtext('chairside.import'), hashtext(cast(:clinic_id as text)))")


def _write_safely(scope: Scope, report: Report, batch: list[Row], met: ChainMap[Mark, Marked]) -> list[Outcome]:
    """A row that the database refuses is found by halves; the others are written."""
    trial = met.new_child()
    try:
        with db.translated(), scope.connection.begin_nested():
            decisions = verdicts.decide(scope, batch, trial)
            outcomes = [one.outcome for one in decisions] if report.dry_run else _store(scope, decisions)
    except (Unavailable, Forbidden):
        raise
    except AppError as error:
        if len(batch) == 1:
            return [verdicts.reach(batch[0], "rejected", str(error)).outcome]
        half = len(batch) // 2
        return [*_write_safely(scope, report, batch[:half], met), *_write_safely(scope, report, batch[half:], met)]
    met.update(trial.maps[0])
    return outcomes


def _store(scope: Scope, decisions: list[Decision]) -> list[Outcome]:
    """The outcomes, with the ids of those who are new: in the order of the file."""
    ids = iter(sorted(patients.new_id() for _decision in decisions))
    decisions = [replace(one, outcome=replace(one.outcome, patient_id=next(ids))) if one.outcome.kind == "created" else one
                 for one in decisions]
    contact = [one for one in decisions if not {*patients.CONTACT}.isdisjoint(one.changed)]
    _insert(scope, [one for one in contact if one.outcome.kind == "created"])
    _update(scope, [one for one in contact if one.outcome.kind == "updated"])
    _write_notes(scope, [one for one in decisions if not {*patients.NOTES}.isdisjoint(one.changed)])
    return [one.outcome for one in decisions]


def _insert(scope: Scope, decisions: list[Decision]) -> None:
    scope.run("""
        insert into patients (clinic_id, id, user_id, changed_by, external_id, full_name, email, phone, date_of_birth, deceased,
                              deceased_on, name_key, phone_key, search)
        select :clinic_id, id, :user_id, :user_id, external_id, full_name, email, phone, date_of_birth, deceased,
               deceased_on, name_key, phone_key, array_to_tsvector(search_words)
        from jsonb_to_recordset(cast(:people as jsonb))
            as t (id uuid, external_id text, full_name text, email text, phone text, date_of_birth date, deceased boolean,
                  deceased_on date, name_key text, phone_key text, search_words text[])
        """, user_id=scope.identity.user_id, people=_people(scope, decisions))


def _update(scope: Scope, decisions: list[Decision]) -> None:
    scope.run("""
        update patients p
        set full_name = t.full_name, email = t.email, phone = t.phone, date_of_birth = t.date_of_birth, deceased = t.deceased,
            deceased_on = t.deceased_on, name_key = t.name_key, phone_key = t.phone_key,
            search = array_to_tsvector(t.search_words)
        from jsonb_to_recordset(cast(:people as jsonb))
            as t (id uuid, full_name text, email text, phone text, date_of_birth date, deceased boolean, deceased_on date,
                  name_key text, phone_key text, search_words text[])
        where p.clinic_id = :clinic_id
          and p.id = t.id
        """, people=_people(scope, decisions))


def _write_notes(scope: Scope, decisions: list[Decision]) -> None:
    """Only what the file gives and what differs: the rest may be changing under somebody's hands right now."""
    scope.run("""
        insert into patient_notes as n (clinic_id, patient_id, medical_notes, alerts, changed_by)
        select :clinic_id, id, medical_notes, alerts, :user_id
        from jsonb_to_recordset(cast(:notes as jsonb)) as t (id uuid, medical_notes text, alerts text)
        on conflict (clinic_id, patient_id) do update
        set medical_notes = coalesce(nullif(excluded.medical_notes, ''), n.medical_notes),
            alerts = coalesce(nullif(excluded.alerts, ''), n.alerts)
        """, user_id=scope.identity.user_id, notes=json.dumps([_notes(one) for one in decisions], default=str))


def _people(scope: Scope, decisions: list[Decision]) -> str:
    country = scope.identity.country
    return json.dumps([{"id": one.outcome.patient_id, **patients.contact(one.form), **patients.keys(one.form, country)}
                       for one in decisions if one.form], default=str)


def _notes(decision: Decision) -> dict[str, Any]:
    given = {name: getattr(decision.form, name) if name in decision.changed else "" for name in patients.NOTES}
    return {"id": decision.outcome.patient_id, **given}
