"""Licences of those who treat: submitted by the clinician, decided by an owner."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from uuid import UUID

from lib import audit, auth
from lib.db import Scope
from lib.errors import Changed, Conflict, Forbidden, Invalid, NotFound
from lib.texts import _

MOST_BYTES = 5 * 1024 * 1024
KINDS = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
STEPS = {"pending": ("approved", "rejected"), "approved": ("suspended",), "suspended": ("approved",), "rejected": ()}
"""What an owner may decide. A rejected clinician submits again. The trigger keep_credentials knows no other step."""


@dataclass(frozen=True)
class Credentials:
    """`file_name`: of the newest document, if there is one."""

    user_id: UUID
    display_name: str
    specialization: str
    licence_number: str
    status: str
    reason: str
    submitted_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    version: int
    file_name: str | None


@dataclass(frozen=True)
class Document:
    """A file. `media_type` is what its first bytes say it is."""

    file_name: str
    media_type: str
    content: bytes


# the clinician -------------------------------------------------------------------------------------------------------


def submit(scope: Scope, specialization: str, licence_number: str, document: Document | None = None) -> None:
    """Waits for an owner from now on; what changes nothing about them leaves an approval alone."""
    auth.require(scope.identity, "credentials.submit")
    wanted = (_check(specialization, _("Specialization"), 255), _check(licence_number, _("Licence number"), 100))
    before = own(scope)
    if before and before.status == "suspended":
        raise Forbidden(_("Your credentials are suspended. Please talk to an owner of the clinic."))
    if before and before.status != "rejected" and wanted == (before.specialization, before.licence_number) and not document:
        return
    _save(scope, *wanted)
    if document:
        _attach(scope, document)
    audit.record(scope, "submit", "credentials", scope.identity.user_id,
                 fields=["specialization", "licence_number", *["document"] * (document is not None)])


def own(scope: Scope) -> Credentials | None:
    """One's own, so that looking at them needs no record."""
    return next(iter(_read(scope, scope.identity.user_id)), None)


def require_approved(scope: Scope) -> None:
    """For whoever signs a clinical entry. Raises Forbidden with what is missing."""
    auth.require(scope.identity, "credentials.submit")
    found = own(scope)
    if found is None or found.status != "approved":
        raise Forbidden(_("Only clinicians with approved credentials may sign. Submit yours on the page Account."))


def read_document(file_name: str, content: bytes) -> Document:
    """Raises Invalid with the sentence to show. What a file is, its first bytes decide and never its name."""
    if len(content) > MOST_BYTES:
        raise Invalid(_("A document has at most 5 MB; this one has {n} MB.").format(n=f"{len(content) / 1024 / 1024:.1f}"))
    media_type = next((kind for start, kind in KINDS.items() if content.startswith(start)), None)
    if media_type is None:
        raise Invalid(_("This file is no PDF, PNG or JPEG. Please scan the document, or save it as a PDF."))
    return Document(_clean_name(file_name), media_type, content)


def _clean_name(file_name: str) -> str:
    """Without a path and invisible characters; the middle of a long one goes, its ending stays."""
    name = PurePosixPath(file_name.replace("\\", "/")).name
    name = "".join(letter for letter in name if letter.isprintable()).strip()
    ending = PurePosixPath(name).suffix[:20]
    return (name if len(name) <= 255 else name[:255 - len(ending)] + ending) or "document"


def _check(text: str, label: str, most: int) -> str:
    text = " ".join(text.split())
    if not text or not text.isprintable():
        raise Invalid(_("{label} is missing.").format(label=label))
    if len(text) > most:
        raise Invalid(_("{label} has at most {most} characters; this one has {n}.").format(label=label, most=most, n=len(text)))
    return text


def _save(scope: Scope, specialization: str, licence_number: str) -> None:
    scope.run("""
        insert into clinician_credentials (clinic_id, user_id, specialization, licence_number)
        values (:clinic_id, :me, :specialization, :licence_number)
        on conflict (clinic_id, user_id) do update
        set specialization = excluded.specialization, licence_number = excluded.licence_number,
            submitted_at = excluded.submitted_at
        """, me=scope.identity.user_id, specialization=specialization, licence_number=licence_number)


def _attach(scope: Scope, document: Document) -> None:
    scope.run("""
        insert into credential_documents (clinic_id, user_id, file_name, media_type, content)
        values (:clinic_id, :me, :file_name, :media_type, :content)
        """, me=scope.identity.user_id, file_name=document.file_name, media_type=document.media_type, content=document.content)


# the owner -----------------------------------------------------------------------------------------------------------


def listed(scope: Scope) -> list[Credentials]:
    """Of everybody who works here and submitted some; those that wait come first, the longest waiting at the top."""
    auth.require(scope.identity, "credentials.decide")
    audit.record_view(scope, "list", "credentials")
    return _read(scope, None)


def get(scope: Scope, user_id: UUID) -> Credentials:
    """Raises NotFound for whoever submitted none, and for a stranger."""
    auth.require(scope.identity, "credentials.decide")
    audit.record_view(scope, "view", "credentials", user_id)
    found = _read(scope, user_id)
    if not found:
        raise NotFound
    return found[0]


def decide(scope: Scope, user_id: UUID, status: str, reason: str = "", *, version: int) -> None:
    """`version`: what the owner looked at; a newer one raises Changed. To reject and to suspend takes a reason."""
    before = get(scope, user_id)
    if before.version != version:
        raise Changed(_("These credentials changed meanwhile. Nothing was decided: please look at them again."))
    if status not in STEPS[before.status]:
        raise Conflict(_("This can't be decided now. Please look at the credentials again."))
    touched = scope.run("""
        update clinician_credentials set status = :status, reason = :reason
        where clinic_id = :clinic_id and user_id = :user_id and version = :version
        """, user_id=user_id, status=status, reason=_check_reason(status, reason), version=version)
    if not touched:
        raise Changed(_("These credentials changed meanwhile. Nothing was decided: please look at them again."))
    audit.record(scope, "decide", "credentials", user_id, fields=("status", "reason"))


def _check_reason(status: str, reason: str) -> str:
    if status == "approved":
        return ""
    reason = reason.replace("\0", "").encode("utf-8", "replace").decode().strip()
    if not reason:
        raise Invalid(_("Please say why. The clinician reads it."))
    if len(reason) > 1000:
        raise Invalid(_("A reason has at most 1,000 characters; this one has {n}. Please shorten it.").format(n=len(reason)))
    return reason


def document(scope: Scope, user_id: UUID) -> Document:
    """The newest of that person, for themselves and for an owner; NotFound for everybody else, as if there were none."""
    if user_id != scope.identity.user_id and not auth.may(scope.identity, "credentials.decide"):
        raise NotFound
    found = scope.one(Document, """
        select file_name, media_type, content
        from credential_documents
        where clinic_id = :clinic_id and user_id = :user_id
        order by id desc
        limit 1
        """, user_id=user_id)
    audit.record(scope, "download", "credential_document", user_id)
    return found


def _read(scope: Scope, user_id: UUID | None) -> list[Credentials]:
    """Of one person or, for None, of everybody whose credentials this member may see."""
    return scope.many(Credentials, """
        select c.user_id, m.display_name, c.specialization, c.licence_number, c.status, c.reason, c.submitted_at,
               o.display_name as decided_by, c.decided_at, c.version, d.file_name
        from clinician_credentials c
        join memberships m on m.clinic_id = c.clinic_id and m.user_id = c.user_id and m.ended_at is null
        left join memberships o on o.clinic_id = c.clinic_id and o.user_id = c.decided_by
        left join lateral (
            select f.file_name
            from credential_documents f
            where f.clinic_id = c.clinic_id and f.user_id = c.user_id
            order by f.id desc
            limit 1
        ) d on true
        where c.clinic_id = :clinic_id and (cast(:user_id as uuid) is null or c.user_id = :user_id)
        order by c.status <> 'pending', c.submitted_at
        """, user_id=user_id)
