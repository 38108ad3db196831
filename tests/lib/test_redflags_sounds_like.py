"""What a front desk hears each day in words of danger (a blocked nose, trays that gag, machines that choke, heat, what is planned
or feared), taken back only where the message says nothing else; and dangers told in the very same words, of which none may be."""

import pytest

from lib import redflags

NOSE = [
    "my wife can't breathe through her nose at night, does a snore guard help", "I have a cold and can't breathe through my nose, can I still come?",
    "mi mujer no respira bien por la nariz de noche", "estoy resfriado y no puedo respirar por la nariz, cambio la cita?",
    "je suis enrhumé et je respire mal par le nez, je garde mon rdv ?", "mon mari respire mal par le nez la nuit",
    "meine frau bekommt nachts durch die nase schlecht luft", "ich bin erkältet und bekomme durch die nase keine luft"]
NO_NOSE = [
    "my husband can't breathe through his nose and he's cold", "I can't breathe through my nose, help", "my baby can't breathe through his nose at night",
    "my wife can't breathe through her nose and her tongue is swollen", "he has a cold and can't breathe",
    "my husband can't breathe at night, throat closing", "mi marido no respira, por la nariz tampoco", "está resfriada y no puede respirar",
    "mi marido no respira bien por la nariz, ayuda", "mon mari respire mal par le nez et par la bouche", "elle est enrhumée et n'arrive plus à respirer",
    "il a le nez bouché et n'arrive plus à respirer", "je respire mal par le nez, aidez-moi", "ich krieg schlecht luft und durch die nase keine",
    "mein baby kriegt nachts durch die nase keine luft", "bin erkältet und krieg keine luft"]
GAG = [
    "impression trays make me choke every time", "the denture keeps choking me, can you trim it", "siempre me ahogo con la cubeta",
    "las impresiones me ahogan cada vez, hay otra alternativa?", "l'empreinte m'étouffe à chaque fois", "beim Abdruck muss ich immer würgen und ersticke fast",
    "der Abdrucklöffel würgt mich jedes Mal, gehts anders"]
CHOKING = [
    "she is choking on the impression tray", "she choked on the impression material and is blue", "I'm choking on my denture",
    "he chokes on the tray, going blue", "denture stuck in his throat, he's choking", "choking on the alginate now",
    "se ahoga con la cubeta de impresión", "mi padre se ahoga con la dentadura", "me ahogo con la prótesis, no me entra aire",
    "il s'étouffe avec l'empreinte", "l'empreinte l'étouffe, elle n'arrive plus à respirer", "l'empreinte m'étouffe toujours",
    "er erstickt am abdruck", "sie erstickt fast am abdruck und ist blau", "prothese steckt im hals, er erstickt"]
MACHINES = [
    "the compressor is wheezing again", "our network has collapsed and does not respond", "the system is not responding, the terminal is down",
    "la tubería no para de gotear y la puerta está hinchada", "nuestro sistema se ha desplomado", "el compresor silba y se ahoga",
    "le système s'est écroulé et ne répond plus", "le compresseur siffle et s'étouffe", "das System ist zusammengebrochen und reagiert nicht",
    "der Kompressor röchelt und pfeift", "das WLAN reagiert nicht"]
BESIDE_MACHINES = [
    "he collapsed beside the compressor", "our network manager collapsed", "the system engineer is not responding", "she is wheezing at the compressor",
    "patient is gasping, suction unit broken", "the tap won't stop and she is bleeding", "se desplomó junto al servidor", "el informático no responde",
    "el señor del compresor se ha desplomado", "el sistema falla y la paciente no respira", "le technicien du serveur s'est écroulé",
    "le compresseur siffle et il s'étouffe", "la dame du réseau ne répond plus", "der techniker am server ist kollabiert",
    "absauganlage kaputt, patient röchelt", "der netzwerktechniker reagiert nicht"]
STUFFY = [
    "we are suffocating in the waiting room, please fix the aircon", "nos estamos ahogando de calor en la sala de espera, el ventilador está averiado",
    "nos quedamos sin aire acondicionado", "on étouffe à l'accueil, la climatisation est en panne", "wir ersticken am Empfang, die Klimaanlage ist kaputt",
    "keine Luft im Wartezimmer, Klimaanlage bitte reparieren"]
SUFFOCATING = [
    "a patient is suffocating in the waiting room, aircon is broken", "she can't breathe, it's too hot in here, fix the aircon",
    "smoke from the aircon, we are suffocating", "he is suffocating, aircon leaking gas", "se ahoga un paciente en la sala de espera, hace calor",
    "nos quedamos sin aire acondicionado y se está desangrando", "nos quedamos sin aire", "elle suffoque à l'accueil, la clim est en panne",
    "on a un patient qui suffoque, clim en panne", "fumée de la clim, on étouffe", "patientin kriegt keine luft im wartezimmer",
    "keine luft im wartezimmer, sie ist blau", "er erstickt, klima kaputt"]
PLANNED = [
    "need to plan sedation for a patient who has seizures, next autumn", "programar sedación para un paciente que convulsiona, próximo otoño",
    "planifier une sédation pour un patient qui convulse, printemps", "sedierung planen für einen patienten der krampfanfälle hat, im herbst"]
SEIZING = [
    "patient has a seizure under sedation", "planned sedation and now he has a seizure", "child convulsing, sedation planned for spring",
    "he is having seizures, can't wait until spring", "el niño convulsiona durante la sedación", "el paciente convulsiona, sedación programada para hoy",
    "l'enfant convulse pendant l'anesthésie", "le patient convulse, il faut planifier une sédation", "patient krampft bei der sedierung",
    "er hat einen krampfanfall, sedierung war geplant"]
ASLEEP = ["sorry I missed my visit, I passed out on the couch in front of the telly", "I was out cold on the sofa after a night shift, sorry"]
OUT = [
    "my husband passed out on the sofa watching the match", "she's out cold on the couch, won't wake", "he passed out on the sofa after the injection",
    "I passed out on the sofa after the extraction", "my wife collapsed on the sofa, sorry to bother you", "mi marido se desmayó en el sofá viendo el partido",
    "me desmayé en el sofá viendo el partido, perdón", "désolé, ma femme s'est écroulée sur le canapé",
    "désolée, il s'est écroulé sur le canapé devant le match", "mein mann ist auf dem sofa vor dem fernseher umgekippt",
    "entschuldigung, oma ist auf dem sofa bewusstlos"]
FEARED = [
    "I am afraid of fainting but it has never happened", "tengo miedo de desmayarme pero nunca me ha pasado",
    "la patiente a peur de tomber dans les pommes, jamais arrivé", "er hat angst davor ohnmächtig zu werden, ist noch nie passiert",
    "enfant, je m'évanouissais aux piqûres", "jeune, je m'évanouissais devant l'aiguille"]
FAINTED = [
    "she was afraid and has fainted", "she is afraid, she fainted, it has never happened before", "patient fainted, never happened before",
    "he is afraid of the needle and passed out", "tiene miedo y se ha desmayado, nunca le ha pasado", "se desmayó, nunca le había pasado",
    "elle avait peur, elle est tombée dans les pommes, jamais arrivé", "mon enfant s'est évanoui aux piqûres",
    "il s'est évanoui, petit malaise aux piqûres", "hatte angst und ist ohnmächtig geworden, noch nie passiert",
    "sie ist ohnmächtig geworden, ist noch nie passiert"]
SUPPLIES = [
    "our emergency kit has arrived", "tongue depressors and an emergency drug kit arrived today", "ha llegado el maletín de emergencia",
    "la trousse d'urgence est arrivée aujourd'hui", "der Notfallkoffer wurde heute geliefert"]
NEEDED = [
    "emergency kit arrived and patient collapsed", "kit arrived too late, he isn't breathing", "bring the emergency kit, she collapsed",
    "our kit has arrived and her tongue is swollen", "the kit has arrived, he collapsed today", "llegó el kit, el paciente no respira",
    "ha llegado el maletín y no respira", "la trousse est arrivée, il ne respire plus", "notfallkoffer ist da, patient atmet nicht",
    "notfallkoffer geliefert und er ist bewusstlos"]
FIGURES = [
    "the bank is bleeding us dry", "el banco nos está sangrando", "les impôts nous saignent", "die Versicherung blutet uns aus",
    "I have to cancel because my job is killing me this week", "cancelo porque el trabajo me está matando esta semana",
    "j'annule, le boulot me tue cette semaine"]
NO_FIGURES = [
    "our landlord is bleeding heavily", "the bank manager is bleeding and it won't stop", "el del banco sangra mucho, no para",
    "le monsieur de l'assurance saigne beaucoup", "der mann von der bank blutet stark", "the bank is closed and he is bleeding heavily",
    "la banque est fermée, il saigne beaucoup", "I want to kill myself, work is killing me", "cancel everything, I want to die, my job is killing me",
    "je veux mourir, le boulot me tue, j'annule", "quiero morirme, el trabajo me está matando"]
TEXTS = [
    "Write a post about when to go to A&E: can't breathe, lost consciousness", "Escribe un post sobre urgencias: no puede respirar, ha perdido el conocimiento",
    "Rédige un post sur les urgences : il ne respire plus, perte de connaissance", "Schreib einen Post über Notfälle: keine Luft, bewusstlos"]
DENIED = [
    "niega disfagia, disnea o trismo", "niega dolor torácico, disfagia o disnea, revisión anual", "sin fiebre, trismo o disfagia"]
NOT_DENIED = [
    "niega fiebre, tiene disfagia o disnea", "disnea o estridor", "niega dolor. Refiere disnea o disfagia", "no sé si es disnea o ahogo, no puede respirar"]


@pytest.mark.parametrize(("harmless", "dangers"), [
    (NOSE, NO_NOSE), (GAG, CHOKING), (MACHINES, BESIDE_MACHINES), (STUFFY, SUFFOCATING), (PLANNED, SEIZING), (ASLEEP, OUT), (FEARED, FAINTED),
    (SUPPLIES, NEEDED), (FIGURES, NO_FIGURES), (DENIED, NOT_DENIED), (TEXTS, ["he can't breathe, write to the ambulance"])])
def test_what_only_sounds_like_a_danger_is_none_and_the_danger_stays(harmless, dangers):
    assert [text for text in harmless if redflags.check(text).tier] == []
    assert [text for text in dangers if redflags.check(text).tier != "E"] == []


@pytest.mark.parametrize("text", [texts[0] for texts in (NOSE, GAG, MACHINES, STUFFY, PLANNED, ASLEEP, FEARED, SUPPLIES, FIGURES)])
@pytest.mark.parametrize("more", ["he is choking", "her throat is closing up", "help", "she is pale", "blue lips"])
def test_with_anything_else_the_rules_hear_all_of_it(text, more):
    assert [said for said in (f"{text}, {more}", f"{more}, {text}", f"{text}. {more}") if not all(redflags.read(said).words)] == []
