"""A patient of whom every table that may know something does, in words that occur nowhere else."""

from decimal import Decimal
from uuid import UUID

from lib import answer_ratings, answers, db, drafts, emergencies, patients, workflows
from lib.calls import Call, Ending
from lib.events import Done
from lib.patient_form import PatientForm

NAME = "Zwetschgen Quittmann"
FORM = PatientForm(full_name=NAME, email="zwetschge@quitte.example", phone="+49 30 90182077", date_of_birth="1971-02-03",
                   external_id="ERASE-4711", medical_notes="canarynotes about a molar", alerts="canaryalert latex")
CANARIES = ["zwetschge", "quittmann", "90182077", "77028109", "erase-4711", "1971-02-03", "canarynotes", "canaryalert", "canaryformer",
            "canaryquestion", "canaryanswer", "canarysent", "canaryreason", "canaryaction", "canarydraft", "canarycache", "canaryfacts"]
ALARM = "canaryquestion My face is swelling and I can't breathe"
CALL = Call("provider", None, "test", None, "en", "test", "m")
ENDED = Ending(Done(provider="test", model="m", tokens_in=3, cost_usd=Decimal("0.01"), cost_source="provider"), "canaryanswer", 7)


def act(who, deed, *arguments, **more):
    with db.scope(who) as scope:
        return deed(scope, *arguments, **more)


def furnish(alice, bob) -> UUID:
    """A patient of whom every table knows something."""
    patient = act(alice, patients.register, FORM.model_copy(update={"full_name": "Canaryformer Quittmann"}))
    act(alice, patients.amend, patient, FORM, versions=(1, 1))
    asked = workflows.ask(bob, patient, ALARM)
    [emergency] = act(bob, emergencies.waiting).rows
    act(bob, emergencies.acknowledge, emergency.id, action_taken="canaryaction")
    answer = act(bob, answers.start, asked.question_id, CALL, sent=[{"role": "user", "content": "canarysent"}])
    act(bob, answers.finish, answer, CALL, ENDED, {"title": "canaryfacts"})
    act(bob, answer_ratings.rate, answer, helpful=False, reason="canaryreason")
    act(bob, drafts.keep_text, f"question:{patient}", "canarydraft")
    act(alice, drafts.save, f"patient:{patient}", {"full_name": "canarydraft"})
    with db.scope(bob) as scope:
        scope.run("insert into answer_cache (clinic_id, key, content, metadata) values (:clinic_id, '\\x01', 'canarycache', '{}')")
    act(bob, patients.get, patient)
    act(bob, patients.find, term="Quittmann")
    return patient
