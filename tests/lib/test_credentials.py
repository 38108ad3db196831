"""Credentials: who submits, who decides, who sees them and their document."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from lib import credentials, db
from lib.errors import AppError, Changed, Conflict, Forbidden, Invalid, NotFound

PDF = b"%PDF-1.7 licence of Bob Brown"


def submit(identity, specialization="Endodontics", licence="DE-4711", content=None, name="licence.pdf"):
    document = credentials.read_document(name, content) if content else None
    with db.scope(identity) as scope:
        credentials.submit(scope, specialization, licence, document)


def decide(boss, identity, status, reason="", version=None):
    with db.scope(boss) as scope:
        credentials.decide(scope, identity.user_id, status, reason, version=version or own(identity).version)


def own(identity):
    with db.scope(identity) as scope:
        return credentials.own(scope)


def listed(identity):
    with db.scope(identity) as scope:
        return credentials.listed(scope)


def download(identity, user_id):
    with db.scope(identity) as scope:
        return credentials.document(scope, user_id)


def audited(boss, resource) -> list:
    with db.scope(boss) as scope:
        return scope.connection.execute(text("""
            select user_id, action, resource_id, fields, audit_log::text as whole from audit_log where resource = :resource order by id
            """), {"resource": resource}).all()


def raw(identity, statement, **values) -> int:
    with db.unwitnessed(identity) as scope:
        return scope.run(statement, me=identity.user_id, **values)


# submitting ----------------------------------------------------------------------------------------------------------


def test_what_a_clinician_submits_waits_for_an_owner(alice, bob):
    submit(bob, "  Endodontics  and\nperiodontics ", "DE-4711", PDF)
    found = listed(alice)[0]
    assert (found.user_id, found.display_name, found.status) == (bob.user_id, "Bob Brown", "pending")
    assert (found.specialization, found.licence_number, found.file_name) == ("Endodontics and periodontics", "DE-4711", "licence.pdf")
    assert found.decided_by is None


@pytest.mark.parametrize("role", ["manager", "receptionist"])
def test_who_treats_nobody_submits_nothing(alice, hire, role):
    someone = hire(alice, role, "Some Body")
    with pytest.raises(Forbidden):
        submit(someone)
    with pytest.raises(Forbidden):
        raw(someone, "insert into clinician_credentials (clinic_id, user_id, specialization, licence_number) values (:clinic_id, :me, 'x', 'x')")


@pytest.mark.parametrize(("specialization", "licence"), [("", "1"), ("x", " "), ("x" * 256, "1"), ("x", "1" * 101), ("a\0b", "1"),
                                                         ("x", "\ud800")])
def test_a_bad_field_is_refused_with_a_sentence(bob, specialization, licence):
    with pytest.raises(Invalid) as refusal:
        submit(bob, specialization, licence)
    assert str(refusal.value).endswith(".")
    assert own(bob) is None


@pytest.mark.parametrize("name", ["x" * 255, "Kieferorthopädie", "ทันตกรรมจัดฟัน", "طب الأسنان"])
def test_a_long_or_foreign_one_is_fine(bob, name):
    submit(bob, name)
    assert own(bob).specialization == name


def test_a_change_by_the_clinician_waits_again(alice, bob):
    submit(bob)
    decide(alice, bob, "approved")
    submit(bob, "Surgery")
    found = own(bob)
    assert (found.status, found.decided_by, found.decided_at) == ("pending", None, None)


def test_a_new_document_waits_again_and_is_the_one_that_counts(alice, bob):
    submit(bob, content=PDF)
    decide(alice, bob, "approved")
    submit(bob, content=PDF + b" renewed", name="renewed.pdf")
    assert own(bob).status == "pending"
    assert download(alice, bob.user_id).content.endswith(b"renewed")
    assert own(bob).file_name == "renewed.pdf"


def test_submitting_nothing_new_costs_no_approval(alice, bob):
    submit(bob)
    decide(alice, bob, "approved")
    submit(bob)
    assert own(bob).status == "approved"


def test_what_was_rejected_may_be_submitted_as_it_was(alice, bob):
    submit(bob)
    decide(alice, bob, "rejected", "No stamp")
    assert own(bob).reason == "No stamp"
    submit(bob)
    assert (own(bob).status, own(bob).reason) == ("pending", "")


def test_a_suspended_clinician_submits_nothing(alice, bob):
    submit(bob)
    decide(alice, bob, "approved")
    decide(alice, bob, "suspended", "Licence lapsed")
    with pytest.raises(Forbidden, match="suspended"):
        submit(bob, "Surgery")
    with pytest.raises(Forbidden):
        raw(bob, "update clinician_credentials set specialization = 'Surgery' where user_id = :me")
    assert (own(bob).specialization, own(bob).status) == ("Endodontics", "suspended")


# deciding ------------------------------------------------------------------------------------------------------------


def test_a_decision_names_who_made_it(alice, bob):
    submit(bob)
    decide(alice, bob, "approved")
    found = own(bob)
    assert (found.status, found.decided_by, found.reason) == ("approved", "Alice Adams", "")
    assert [(row.action, row.user_id, row.fields) for row in audited(alice, "credentials") if row.action == "decide"] == [
        ("decide", alice.user_id, ["status", "reason"])]


@pytest.mark.parametrize("path", [["approved", "suspended", "approved"], ["rejected"]])
def test_the_steps_that_there_are(alice, bob, path):
    submit(bob)
    for status in path:
        decide(alice, bob, status, "Because")
    assert own(bob).status == path[-1]


def reach(alice, bob, status):
    submit(bob)
    for step in {"pending": [], "approved": ["approved"], "rejected": ["rejected"], "suspended": ["approved", "suspended"]}[status]:
        decide(alice, bob, step, "Because")


@pytest.mark.parametrize("before", credentials.STEPS)
@pytest.mark.parametrize("after", credentials.STEPS)
def test_there_are_no_others_in_lib_nor_in_the_database(alice, bob, before, after):
    reach(alice, bob, before)
    allowed = after in credentials.STEPS[before]
    if not allowed:
        with pytest.raises(Conflict):
            decide(alice, bob, after, "Because")
    statement = "update clinician_credentials set status = :after, reason = 'Other' where clinic_id = :clinic_id and user_id = :bob"
    if allowed:
        assert raw(alice, statement, after=after, bob=bob.user_id) == 1
    else:
        with pytest.raises(Conflict):
            raw(alice, statement, after=after, bob=bob.user_id)
        assert own(bob).status == before


@pytest.mark.parametrize("status", ["rejected", "suspended"])
@pytest.mark.parametrize("reason", ["", " \n ", "\0", "x" * 1001])
def test_a_refusal_has_a_reason_of_bearable_length(alice, bob, status, reason):
    reach(alice, bob, "pending" if status == "rejected" else "approved")
    with pytest.raises(Invalid):
        decide(alice, bob, status, reason)


def test_what_changed_meanwhile_is_not_decided(alice, bob):
    submit(bob)
    seen = own(bob).version
    submit(bob, "Surgery")
    with pytest.raises(Changed, match="look at them again"):
        decide(alice, bob, "approved", version=seen)
    assert own(bob).status == "pending"


@pytest.mark.parametrize("role", ["manager", "clinician", "receptionist"])
def test_only_an_owner_decides(alice, bob, hire, role):
    submit(bob)
    someone = hire(alice, role, "Some Body")
    with pytest.raises(Forbidden):
        decide(someone, bob, "approved")
    assert raw(someone, "update clinician_credentials set status = 'approved'") == 0


def test_nobody_approves_themselves_unless_they_own_the_clinic(alice, bob):
    submit(bob)
    with pytest.raises(Forbidden):
        decide(bob, bob, "approved")
    for statement in ("update clinician_credentials set status = 'approved' where user_id = :me",
                      "update clinician_credentials set decided_by = :me"):
        with pytest.raises(Forbidden):
            raw(bob, statement)
    submit(alice)
    decide(alice, alice, "approved")
    assert own(alice).status == "approved"


def test_an_owner_changes_nothing_but_the_decision(alice, bob):
    submit(bob)
    with pytest.raises(Forbidden):
        raw(alice, "update clinician_credentials set licence_number = 'forged' where user_id = :bob", bob=bob.user_id)


def test_an_insert_cannot_bring_its_own_approval(bob, alice):
    raw(bob, """insert into clinician_credentials (clinic_id, user_id, specialization, licence_number, status, decided_by, decided_at)
                values (:clinic_id, :me, 'x', 'x', 'approved', :me, now())""")
    assert (own(bob).status, own(bob).decided_by) == ("pending", None)


def test_those_who_wait_come_first_and_those_who_left_not_at_all(alice, hire):
    from lib import team
    first, second, third = (hire(alice, "clinician", f"{name} Doe") for name in ("First", "Second", "Third"))
    for one in (first, second, third):
        submit(one)
    decide(alice, first, "approved")
    assert [one.display_name for one in listed(alice)] == ["Second Doe", "Third Doe", "First Doe"]
    with db.scope(alice) as scope:
        team.deactivate(scope, second.user_id)
    assert [one.display_name for one in listed(alice)] == ["Third Doe", "First Doe"]


# signing -------------------------------------------------------------------------------------------------------------


def may_sign(identity) -> bool:
    try:
        with db.scope(identity) as scope:
            credentials.require_approved(scope)
    except Forbidden:
        return False
    return True


def test_only_who_is_approved_may_sign(alice, bob, mona, rita):
    assert not any(map(may_sign, (alice, bob, mona, rita)))
    submit(bob)
    assert not may_sign(bob)
    decide(alice, bob, "approved")
    assert may_sign(bob)
    decide(alice, bob, "suspended", "Lapsed")
    assert not may_sign(bob)
    decide(alice, bob, "approved")
    assert may_sign(bob)
    assert not may_sign(alice)


def test_who_treats_nobody_any_more_signs_nothing(alice, bob):
    from dataclasses import replace

    from lib import team
    submit(bob)
    decide(alice, bob, "approved")
    with db.scope(alice) as scope:
        team.change_role(scope, bob.user_id, "receptionist")
    assert not may_sign(replace(bob, role="receptionist"))


def come_back(boss, who) -> None:
    from lib import team
    with db.scope(boss) as scope:
        team.deactivate(scope, who.user_id)
    with db.scope(boss) as scope:
        team.reactivate(scope, who.user_id)


def change_role(boss, who, role) -> None:
    from lib import team
    with db.scope(boss) as scope:
        team.change_role(scope, who.user_id, role)


def test_who_comes_back_is_approved_anew_before_they_sign(alice, bob):
    reach(alice, bob, "approved")
    seen = own(bob).version
    come_back(alice, bob)
    assert not may_sign(bob)
    found = own(bob)
    assert (found.status, found.decided_by, found.decided_at) == ("pending", None, None)
    with pytest.raises(Changed):  # an owner who still looks at the old approval suspends nothing by mistake
        decide(alice, bob, "suspended", "Because", version=seen)
    assert [one.display_name for one in listed(alice) if one.status == "pending"] == ["Bob Brown"]
    decide(alice, bob, "approved")
    assert may_sign(bob)


@pytest.mark.parametrize("status", ["pending", "rejected", "suspended"])
def test_what_was_not_approved_is_no_better_for_having_left(alice, bob, status):
    reach(alice, bob, status)
    come_back(alice, bob)
    assert own(bob).status == status


def test_an_invitation_back_brings_no_approval_either(alice, bob):
    from lib import team
    reach(alice, bob, "approved")
    with db.scope(alice) as scope:
        team.deactivate(scope, bob.user_id)
        token = team.invite(scope, bob.email, "clinician")
    assert team.accept(token, bob.user_id)
    assert not may_sign(bob)


def test_an_approval_ends_with_the_role_that_treats_patients(alice, bob):
    from dataclasses import replace
    reach(alice, bob, "approved")
    change_role(alice, bob, "owner")  # owners treat, too
    assert may_sign(replace(bob, role="owner"))
    change_role(alice, bob, "receptionist")
    change_role(alice, bob, "clinician")
    assert own(bob).status == "pending"


def test_a_manager_who_lets_a_receptionist_go_ends_their_former_approval(alice, bob, mona, owner):
    """However it came to be still there: the rule holds for whoever removes them, also without the right to see it."""
    reach(alice, bob, "approved")
    change_role(alice, bob, "receptionist")
    decide(alice, bob, "approved")
    come_back(mona, bob)
    change_role(alice, bob, "clinician")
    assert own(bob).status == "pending"


def test_nobody_takes_an_approval_back_in_silence_while_it_holds(alice, bob):
    reach(alice, bob, "approved")
    for somebody in (alice, bob):
        with pytest.raises((Conflict, Forbidden)):
            raw(somebody, "update clinician_credentials set status = 'pending' where user_id = :bob", bob=bob.user_id)
    assert may_sign(bob)


# who sees them -------------------------------------------------------------------------------------------------------


def test_row_level_security_shows_them_to_their_person_and_the_owners_alone(alice, bob, mona, rita, charlie, hire):
    submit(bob, content=PDF)
    colleague = hire(alice, "clinician", "Clara Cole")
    for table in ("clinician_credentials", "credential_documents"):
        for somebody, rows in ((alice, 1), (bob, 1), (colleague, 0), (mona, 0), (rita, 0), (charlie, 0)):
            with db.scope(somebody) as scope:
                assert scope.connection.execute(text(f"select count(*) from {table}")).scalar() == rows, (table, somebody.full_name)


@pytest.mark.parametrize("statement", ["delete from credential_documents", "update credential_documents set file_name = 'x'",
                                       "delete from clinician_credentials"])
def test_what_was_submitted_stays(alice, bob, statement):
    submit(bob, content=PDF)
    for somebody in (alice, bob):
        with pytest.raises(Forbidden):
            raw(somebody, statement)


def test_nobody_files_a_document_in_anothers_name(alice, bob, charlie, hire):
    submit(bob)
    colleague = hire(alice, "clinician", "Clara Cole")
    for somebody in (alice, colleague, charlie):
        with pytest.raises(Forbidden):
            raw(somebody, """insert into credential_documents (clinic_id, user_id, file_name, media_type, content)
                             values (:clinic_id, :bob, 'x', 'application/pdf', 'x')""", bob=bob.user_id)


def test_the_document_is_for_its_person_and_the_owners(alice, bob):
    submit(bob, content=PDF)
    for somebody in (alice, bob):
        found = download(somebody, bob.user_id)
        assert (found.file_name, found.media_type, found.content) == ("licence.pdf", "application/pdf", PDF)
    assert [(row.action, row.user_id, row.resource_id) for row in audited(alice, "credential_document")] == [
        ("download", alice.user_id, str(bob.user_id)), ("download", bob.user_id, str(bob.user_id))]


def test_to_everybody_else_it_is_as_if_there_were_none(alice, bob, mona, rita, charlie, hire):
    """SECURITY 17."""
    submit(bob, content=PDF)
    sentences = set()
    for somebody in (hire(alice, "clinician", "Clara Cole"), mona, rita, charlie):
        for user_id in (bob.user_id, uuid4()):
            with pytest.raises(NotFound) as refusal:
                download(somebody, user_id)
            sentences.add(str(refusal.value))
    assert len(sentences) == 1


def test_an_owner_away_from_the_clinics_network_opens_only_their_own(alice, bob):
    from dataclasses import replace
    submit(bob, content=PDF)
    submit(alice, content=PDF)
    away = replace(alice, networks=["10.0.0.0/8"], address="192.0.2.1")
    assert download(away, alice.user_id).content == PDF
    with pytest.raises(NotFound):
        download(away, bob.user_id)


def test_neither_licence_nor_reason_nor_file_is_on_record(alice, bob):
    submit(bob, content=PDF)
    decide(alice, bob, "rejected", "Canary reason")
    rows = audited(alice, "credentials")
    assert {"submit", "decide"} <= {row.action for row in rows}
    for row in rows:
        assert not [word for word in ("Canary", "DE-4711", "licence.pdf", "Endodontics") if word in row.whole]


# files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("content", "media_type"), [(PDF, "application/pdf"), (b"\x89PNG\r\n\x1a\nrest", "image/png"),
                                                     (b"\xff\xd8\xff\xe0rest", "image/jpeg")])
def test_a_file_is_what_its_first_bytes_say(content, media_type):
    assert credentials.read_document("anything.exe", content).media_type == media_type


@pytest.mark.parametrize("content", [b"", b"<html>", b"MZ\x90", b"PK\x03\x04", b"GIF89a", b" %PDF-1.7", b"\x89PNG", b"<svg xmlns="])
def test_whatever_else_it_is_called_it_is_refused(content):
    with pytest.raises(Invalid, match="no PDF, PNG or JPEG"):
        credentials.read_document("licence.pdf", content)


def test_five_megabytes_are_the_most(bob):
    exact = PDF.ljust(5 * 1024 * 1024, b"x")
    submit(bob, content=exact)
    assert len(download(bob, bob.user_id).content) == 5 * 1024 * 1024
    with pytest.raises(Invalid, match="at most 5 MB"):
        credentials.read_document("licence.pdf", exact + b"x")
    with pytest.raises(AppError):
        raw(bob, """insert into credential_documents (clinic_id, user_id, file_name, media_type, content)
                    values (:clinic_id, :me, 'x', 'application/pdf', :content)""", content=exact + b"x")


@pytest.mark.parametrize(("given", "kept"), [
    ("Приказ №7.pdf", "Приказ №7.pdf"), ("../../etc/passwd", "passwd"), ("C:\\Users\\bob\\a.pdf", "a.pdf"), ("", "document"),
    ("a\r\nSet-Cookie: x.pdf", "aSet-Cookie: x.pdf"), ("\u202efdp.exe", "fdp.exe"), ("a\0b\ud800.pdf", "ab.pdf"),
    ("x" * 300 + ".pdf", "x" * 251 + ".pdf"), ("ä" * 255, "ä" * 255),
])
def test_a_name_is_kept_as_far_as_it_is_one(bob, given, kept):
    assert credentials.read_document(given, PDF).file_name == kept
    submit(bob, content=PDF, name=given)
    assert own(bob).file_name == kept
