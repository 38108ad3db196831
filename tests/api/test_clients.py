"""API clients: what they may, whence and how often; made and revoked by the owner alone."""

import io
import zipfile
from uuid import uuid4

import pytest
from sqlalchemy import text

from lib import api_clients, auth, credentials, db, export_jobs, patients, quarantine
from lib.api_clients import Wanted
from lib.errors import Invalid, NotFound
from lib.patient_form import PatientForm


@pytest.fixture
def make_client(alice):
    """A client of Alice's clinic: its id and its Authorization header."""
    def make(role="receptionist", scopes=("patients.read",), **more):
        with db.scope(alice) as scope:
            client_id, token = api_clients.add(scope, Wanted("Robot", role, list(scopes), **more))
        return client_id, {"Authorization": f"Bearer {token}"}
    return make


def test_a_client_reads_what_its_scopes_name_and_nothing_else(api, make_client, alice):
    _id, shown = make_client()
    assert api.get("patients", headers=shown).status_code == 200
    me = api.get("auth/me", headers=shown).json()
    assert (me["full_name"], me["role"], me["permissions"]) == ("Robot", "receptionist", ["patients.read"])
    for method, path in (("POST", "patients"), ("POST", "patients/export"), ("GET", "api-clients"), ("POST", "auth/logout"),
                         ("GET", "clinics"), ("GET", "session"), ("POST", "audit/export"), ("POST", "clinic/export")):
        assert api.request(method, path, json={"full_name": "Ann"}, headers=shown).status_code == 403, path


@pytest.mark.parametrize(("method", "path", "scope"), [
    ("POST", "audit/export", "audit.read"), ("POST", "analytics/export", "analytics.read"), ("POST", "clinic/export/file", "clinic.export"),
    ("POST", "patients/export", "patients.export"), ("POST", "chats/export", "chat.ask"),
    ("GET", "credentials/{own}/document", "credentials.submit")])
def test_a_file_leaves_with_a_client_that_has_its_scope_and_with_a_persons_token(api, make_client, sign_in, alice, do_jobs, method, path,
                                                                                  scope):
    with db.scope(alice) as one:
        export_jobs.begin(one)
        credentials.submit(one, "Endodontics", "DE-4711", credentials.Document("a.pdf", "application/pdf", b"%PDF-1.7"))
    do_jobs()
    path, others = path.format(own=alice.user_id), sorted(set(api_clients.offered("owner")) - {scope})
    refused = api.request(method, path, json={}, headers=make_client("owner", others)[1])
    assert (refused.status_code, scope in refused.json()["detail"]) == (403, True)
    for shown in (make_client("owner", [scope])[1], sign_in(alice)):
        answer = api.request(method, path, json={}, headers=shown)
        assert answer.status_code == 200
        assert answer.content
        assert "attachment" in answer.headers["content-disposition"]


@pytest.mark.one_process
def test_a_clients_files_leave_on_record_in_its_owners_name(api, make_client, alice, do_jobs):
    client_id, shown = make_client("owner", ["clinic.export", "audit.read"])
    assert api.post("clinic/export", headers=shown).status_code == 202
    do_jobs()
    assert zipfile.ZipFile(io.BytesIO(api.post("clinic/export/file", headers=shown).content)).testzip() is None
    with db.scope(alice) as scope:
        done = scope.connection.execute(text("""
            select resource_id, user_id, session_id from audit_log where action = 'export' and clinic_id = :clinic order by id
            """), {"clinic": alice.clinic_id}).all()
    mark = api_clients.mark(client_id)
    assert [tuple(row) for row in done] == [
        ("begun", alice.user_id, mark), ("done", alice.user_id, b""), ("fetched", alice.user_id, mark)]


def test_its_role_binds_in_the_database_too(make_client, alice, api):
    """Row-level security by the client's role, not by its owner's."""
    made = make_client("receptionist", ["patients.read", "patients.write"])[1]
    patient = api.post("patients", json={"full_name": "Ann"}, headers=made).json()["id"]
    with db.scope(alice) as scope:
        scope.run("""
            insert into patient_notes (clinic_id, patient_id, medical_notes, changed_by) values (:clinic_id, :id, 'secret', :user_id)
            """, id=patient, user_id=alice.user_id)
    identity = api_clients.recognise(made["Authorization"].removeprefix("Bearer "))
    with db.scope(identity) as scope:
        assert scope.value("select count(*) from patient_notes where clinic_id = :clinic_id") == 0


@pytest.fixture
def copy(owner, monkeypatch):
    """This run's database as a restored copy; what is told of it is asked anew after each change."""
    def asked_anew() -> None:
        monkeypatch.setattr(quarantine, "_taken", (0.0, None))

    def release() -> None:
        with owner.begin() as connection:
            quarantine.end(connection)
        asked_anew()
    with owner.begin() as connection:
        connection.execute(text("insert into restores (source, taken_at) values ('test', now())"))
    asked_anew()
    yield release
    release()


@pytest.mark.one_process
def test_a_restored_copy_lets_no_client_in_until_it_is_released(api, make_client, alice, sign_in, copy):
    _id, shown = make_client("receptionist", ["patients.read", "patients.write"])
    for method in ("GET", "POST"):
        refused = api.request(method, "patients", json={"full_name": "Ann"}, headers=shown)
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
        assert refused.json()["detail"] == "This is a restored copy, not released yet. API clients are let in again when it is."
    assert api.get("patients", headers={"Authorization": f"{shown['Authorization']}x"}).status_code == 401  # no word to strangers
    assert api.get("patients", headers=sign_in(alice)).status_code == 200
    with db.scope(alice) as scope:
        assert scope.value("select count(*) from audit_log where clinic_id = :clinic_id and action = 'refused'") == 2
        assert scope.value("select count(*) from patients where clinic_id = :clinic_id") == 0
    copy()
    assert api.get("patients", headers=shown).status_code == 200


def test_a_client_is_over_when_revoked_or_when_its_owner_is_one_no_more(api, make_client, alice, hire, owner):
    client_id, shown = make_client()
    with db.scope(alice) as scope:
        api_clients.revoke(scope, client_id)
    assert api.get("patients", headers=shown).status_code == 401
    _id, other = make_client()
    hire(alice, "owner", "Olga Owen")
    with owner.begin() as connection:
        connection.execute(text("update memberships set role = 'manager' where clinic_id = :clinic and user_id = :user"),
                           {"clinic": alice.clinic_id, "user": alice.user_id})
    assert api.get("patients", headers=other).status_code == 401


def test_a_client_asks_with_the_scope_of_asking_and_about_patients_with_one_more(api, make_client, alice):
    with db.scope(alice) as scope:
        patient = str(patients.register(scope, PatientForm(full_name="Edgar Poe")))
    general, about = ({"text": "What is a root canal treatment?", "patient_id": one} for one in (None, patient))
    shown = make_client("owner", ["chat.ask"])[1]
    assert api.post("chats/messages", headers=shown, json=general).json()["metadata"]["route"] == "kb"
    assert api.post("chats/messages", headers=shown, json=about).status_code == 403
    shown = make_client("owner", ["chat.ask", "chat.patient"])[1]
    assert api.post("chats/messages", headers=shown, json=about).json()["metadata"]["route"] == "kb"


def test_clients_that_work_stand_before_all_that_were_revoked(api, make_client, sign_in, alice):
    """The list has an end, and whoever is not on it can't be revoked."""
    older, newer, newest = (make_client()[0] for _ in range(3))
    with db.scope(alice) as scope:
        api_clients.revoke(scope, newest)
    listed = api.get("api-clients", headers=sign_in(alice)).json()
    assert [one["id"] for one in listed] == [str(newer), str(older), str(newest)]


@pytest.mark.parametrize("token", ["chairside_", "chairside_x.y", "chairside_" + "A" * 43 + ".secret", "chairside_\u00e9.x"])
def test_a_made_up_client_is_nobody(api, token):
    assert api.get("patients", headers={"Authorization": f"Bearer {token}".encode()}).status_code == 401


def test_a_wrong_secret_of_a_living_client_is_nobody(api, make_client):
    shown = make_client()[1]["Authorization"]
    assert api.get("patients", headers={"Authorization": shown[:-3] + "xyz"}).status_code == 401


def test_a_client_calls_from_its_own_addresses(api, make_client):
    assert api.get("patients", headers=make_client(networks=["203.0.113.0/24"])[1]).status_code == 403
    assert api.get("patients", headers=make_client(networks=["127.0.0.0/8"])[1]).status_code == 200


def test_a_client_has_a_limit_of_its_own(api, make_client):
    _id, shown = make_client(request_limit=2)
    answers = [api.get("patients", headers=shown) for _time in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    assert api.get("patients", headers=make_client()[1]).status_code == 200


@pytest.mark.parametrize("wanted", [
    Wanted("R", "receptionist", ["audit.read"]), Wanted("R", "owner", ["clinic.settings"]), Wanted("R", "owner", ["account.own"]),
    Wanted("R", "king", ["patients.read"]), Wanted("R", "owner", []), Wanted(" ", "owner", ["patients.read"]),
    Wanted("R", "owner", ["patients.read"], networks=["nowhere"]), Wanted("R", "owner", ["patients.read"], request_limit=0)])
def test_a_client_never_has_more_than_its_role(alice, wanted):
    with pytest.raises(Invalid), db.scope(alice) as scope:
        api_clients.add(scope, wanted)


def test_the_owner_manages_them_by_the_api(api, sign_in, alice, charlie):
    mine = sign_in(alice)
    made = api.post("api-clients", json={"name": "Robot", "role": "owner", "scopes": ["patients.read"]}, headers=mine)
    assert made.status_code == 201
    assert api.get("patients", headers={"Authorization": f"Bearer {made.json()['token']}"}).status_code == 200
    (listed,) = api.get("api-clients", headers=mine).json()
    assert listed["last_used_at"]
    assert made.json()["token"] not in str(listed)
    assert api.delete(f"api-clients/{listed['id']}", headers=sign_in(charlie)).status_code == 404
    assert api.delete(f"api-clients/{listed['id']}", headers=mine).status_code == 204
    assert api.delete(f"api-clients/{listed['id']}", headers=mine).status_code == 404


def test_a_client_is_made_once_by_one_key_and_its_token_is_not_told_again(api, sign_in, alice):
    mine, key, wanted = sign_in(alice), {"Idempotency-Key": uuid4().hex}, {"name": "Robot", "role": "owner", "scopes": ["patients.read"]}
    assert api.post("api-clients", json={**wanted, "scopes": ["clinic.settings"]}, headers={**mine, **key}).status_code == 422
    made, again = (api.post("api-clients", json=wanted, headers={**mine, **key}) for _time in range(2))
    assert (made.status_code, again.status_code) == (201, 409)
    assert "shown once" in again.json()["detail"]
    assert api.post("api-clients", json={**wanted, "name": "Other"}, headers={**mine, **key}).status_code == 422
    assert [one["id"] for one in api.get("api-clients", headers=mine).json()] == [made.json()["id"]]
    with db.scope(alice) as scope:
        kept = scope.connection.execute(text("select repeats::text from repeats where clinic_id = :c"), {"c": alice.clinic_id}).scalars()
        assert not any(made.json()["token"].rpartition(".")[2] in row for row in kept)


def test_what_a_client_does_is_on_record_in_its_owners_name(api, make_client, alice, owner):
    client_id, shown = make_client("owner", ["patients.write"])
    api.post("patients", json={"full_name": "Ann"}, headers=shown)
    with db.scope(alice) as scope:
        rows = scope.connection.execute(text("select user_id, session_id from audit_log where action = 'register' and clinic_id = :c"),
                                        {"c": alice.clinic_id}).all()
        assert [(row.user_id, row.session_id) for row in rows] == [(alice.user_id, api_clients.mark(client_id))]
        with pytest.raises(NotFound):
            api_clients.revoke(scope, uuid4())


def test_every_permission_is_offered_or_kept_from_clients():
    assert set(api_clients.offered("owner")) | api_clients.NEVER >= {name for name, roles in auth.PERMISSIONS.items() if "owner" in roles}
