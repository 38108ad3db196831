"""What only sounds like a danger is taken back where it is the whole message: with one more word of another kind, a second
clause or a danger told before, it stays."""

import pytest

from lib import redflags

REFUSED = [
    "I don't want treatment anymore. I'm done with it all", "I don't want to go on with treatment, nobody would miss me",
    "I don't want to go on without my dentist", "I don't want to wait, I'm going to jump", "I don't want the visit, this is my last message",
    "I can't go on waiting for this to end", "no quiero seguir con las citas, prefiero no estar", "no quiero seguir con el dentista ni con mi familia",
    "ya no quiero seguir ni venir a la consulta", "no quiero esperar más, me voy a tirar por la ventana",
    "no quiero seguir con la ortodoncia ni conmigo", "je n'en peux plus d'attendre, je vais sauter", "je veux en finir avec les soins, avec moi",
    "je veux en finir avec ce traitement et avec tout", "ich kann nicht mehr warten, ich tue mir was an",
    "ich will keine behandlung mehr, ich mache schluss", "ich will keinen termin mehr, ich gehe von der brücke",
    "ich kann nicht mehr zahlen, ich hänge mich auf"]
THINGS = [
    "the supplier does not respond and is blue", "link nurse collapsed", "our speaker collapsed", "the lab technician is unresponsive",
    "IT supplier is not responding, lying on floor", "dental chair not responding, go go", "screen shows flatline not responding",
    "door unresponsive", "tap guy not responding", "el de la puerta no responde", "la de la silla no responde", "el de la impresora no responde",
    "lieferant zusammengebrochen", "lieferant liegt am boden reagiert nicht", "programm leiter kollabiert", "le fauteuil 2 ne répond pas"]
EPIPENS = [
    "she has her epipen out", "he has epipen going in", "I have an epipen should I do it", "has epipen, voice hoarse",
    "tiene una epipen, se la pincho?", "la paciente lleva la epipen clavada", "lleva epipen, está teniendo una reacción",
    "hat einen epipen, reagiert auf die spritze", "hat einen EpiPen?", "hat jetzt einen EpiPen bekommen", "elle a un épipen et ses lèvres gonflent"]
NARROW = [
    "big tablets, can't swallow anything", "suddenly can't swallow big tablets", "He takes big tablets and can't swallow",
    "se le atascó, pastillas grandes, no puede tragar", "comprimidos grandes no puedo tragar nada", "je n'arrive pas à avaler, gros comprimés coincés",
    "kann nichts schlucken, große tabletten erst recht nicht", "can't breathe at all not through the nose", "ne respire plus par le nez",
    "n'arrive plus à respirer même par le nez", "can open only one finger, can't open wide for impressions", "chest, freezer cold sweat",
    "ate the whole pack of gloves", "took a whole box with envelopes of powder"]
LAST_TIME = [
    "collapsed at last visit and still dizzy", "fainted at the last appointment 10 minutes ago", "our last visit fainted",
    "at the end of the last appointment she collapsed and is on the floor", "la última vez se desmayó, está muy pálida",
    "letztes mal umgekippt, jetzt wieder blass", "beim letzten termin umgekippt, liegt noch da", "elle s'est évanouie comme la dernière fois",
    "se desmayó la última visita"]
ASKED = [
    "es normal que una extracción no pare de sangrar", "est-ce normal qu'une extraction n'arrête pas de saigner",
    "is it normal an extraction keeps pouring blood", "es normal que una extracción sangre a chorros",
    "is it normal an implant gives fever and swelling to the eye", "is it normal an extraction makes it hard to swallow"]
PROCEDURES = ["what's our protocol the guy in 2 is choking", "what is the protocol when he can't breathe", "what do we do when she can't breathe"]
URGENT = [
    "last visit you broke my tooth, pain", "bleeding last visit", "la última cita me dejó con la cara hinchada", "last appointment left me with swelling",
    "is it normal an implant is infected", "es normal un implante que sangra", "est-ce que c'est normal une couronne qui fait un abcès",
    "ist es normal eine wurzelbehandlung mit abszess"]
HARMLESS = ["I don't want to go on with the treatment", "The printer does not respond", "I can't swallow big tablets",
            "She fainted last time", "patient carries an epipen"]


@pytest.mark.parametrize("dangers", [REFUSED, THINGS, EPIPENS, NARROW, LAST_TIME, ASKED, PROCEDURES])
def test_a_danger_beside_it_stays_one(dangers):
    assert [text for text in dangers if redflags.check(text).tier != "E"] == []


def test_so_does_what_needs_a_dentist_today():
    assert [text for text in URGENT if redflags.check(text).tier is None] == []


@pytest.mark.parametrize("text", HARMLESS)
def test_a_greeting_and_a_please_are_nothing_else(text):
    assert [said for said in (text, f"Good morning, {text}", f"{text}, please") if redflags.check(said).tier] == []


@pytest.mark.parametrize("text", HARMLESS)
@pytest.mark.parametrize("more", ["and he is pale", ". Help", ", hurry", "or anything", "again now"])
def test_with_anything_else_the_rules_hear_what_they_heard(text, more):
    assert redflags.read(f"{text} {more}").words[0]


def test_nothing_is_taken_back_behind_a_danger():
    assert redflags.read("The printer does not respond", ["He can't breathe"]).words[-1]
    assert not redflags.read("The printer does not respond", ["Hello there"]).words[-1]
