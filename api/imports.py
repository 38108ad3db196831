"""Patients from a file, as a job: how far it came and what became of each row is told under /jobs."""

import hashlib
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api import long_jobs as jobs
from api import once
from api.limits import MOST_BYTES_OF_A_FILE
from api.session import may
from lib import charsets, db, import_jobs, imports, intake, long_jobs, verdicts
from lib.errors import AppError, Invalid
from lib.identity import Identity
from lib.imports import File
from lib.intake import Mapping
from lib.texts import _

router = APIRouter(prefix="/patients", tags=["patients"])
Importer = Annotated[Identity, Depends(may("patients.import"))]
KINDS = ("text/csv", "text/tab-separated-values", "text/plain", "application/json", "application/fhir+json",
         "application/x-ndjson", "application/fhir+ndjson")
TABLES = {"text/csv": ",", "text/tab-separated-values": "\t", "text/plain": ";"}
PERSON = '{"resourceType": "Patient", "name": [{"text": "Maria Lopez"}], "birthDate": "1980-12-31"}'
EXAMPLES = {kind: f"Name{TABLES[kind]}Date of birth\nMaria Lopez{TABLES[kind]}1980-12-31\n" if kind in TABLES else PERSON
            for kind in KINDS}
BODY = {"requestBody": {"required": True, "content": {
    kind: {"schema": {"type": "string", "examples": [EXAMPLES[kind]]}} for kind in KINDS}}}
Heading = Annotated[str, Field(max_length=300, pattern="^[a-z_]+:")]


class WrongKind(AppError):
    """Send the file itself: text/csv, text/tab-separated-values, text/plain, application/json, application/fhir+json,
    application/x-ndjson or application/fhir+ndjson."""


class Choices(BaseModel):
    """`column`: a field and the heading it is read from, as in `full_name:Surname`; said once, it is said for all fields. The
    rest is guessed where it is left out, as the page does."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")] = "patients.csv"
    column: Annotated[list[Heading], Field(max_length=100)] = []
    date_order: Literal["ymd", "dmy", "mdy"] | None = None
    encoding: Annotated[str, Field(max_length=20)] = ""
    headless: bool | None = None


class Sent(Choices):
    """What makes a repeated request the same one."""

    sha256: str


async def file(request: Request, _identity: Importer) -> bytes:
    """Not before it is known who sends it: whoever may not import has nothing read."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in KINDS:
        raise WrongKind
    return await request.body()


@router.post("/import", status_code=202, openapi_extra=BODY, max_body_size=MOST_BYTES_OF_A_FILE)
def begin(choices: Annotated[Choices, Query()], identity: Importer, data: Annotated[bytes, Depends(file)], request: Request,
          response: Response, key: once.Key = None) -> jobs.LongJob:
    """The file is the body: a table with headings, or a FHIR R4 export. Needs `patients.notes` too, since rows may hold notes."""
    if choices.encoding not in ("", *charsets.labels()):
        raise Invalid(_("This encoding is not known."))
    table = imports.read(data, choices.name, choices.encoding, identity.country, choices.headless)
    mapping, order = _understood(table, choices, identity)
    sent = Sent(**choices.model_dump(), sha256=hashlib.sha256(data).hexdigest())
    with db.scope(identity) as scope:
        job_id = once.make(scope, request, key, sent, lambda: import_jobs.begin(scope, table, data, mapping, order))
        response.headers["Location"] = f"/api/v1/jobs/{job_id}"
        return jobs.told(scope, long_jobs.get(scope, job_id))


def _understood(file: File, choices: Choices, identity: Identity) -> tuple[Mapping, str]:
    """What the columns mean, and in which order dates are written. A FHIR export says so itself."""
    if file.table is None:
        return {}, ""
    mapping = _named(choices.column) or intake.guess(file.table)
    if not mapping.get("full_name"):
        raise Invalid(_("Which columns hold the name? Say so with column=full_name:…. There are: {columns}").format(
            columns=", ".join(file.table.header)[:500]))
    order = choices.date_order or intake.guess_order(file.table, mapping, identity.country)
    next(imports.rows(file, mapping, order), None)  # a heading that is not there is told now, and not by the job
    return mapping, order


def _named(columns: list[str]) -> Mapping:
    mapping: Mapping = {}
    for field, _colon, heading in (column.partition(":") for column in columns):
        if field not in verdicts.FIELDS:
            raise Invalid(_("There is no field “{field}”.").format(field=field[:60]))
        mapping.setdefault(field, []).append(heading)
    return mapping
