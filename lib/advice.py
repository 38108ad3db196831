"""The fixed words: what is said whatever a model or an article says. Drafted by us, not yet reviewed by a clinician."""

from collections.abc import Collection

from lib.texts import _


def unknown() -> str:
    """An honest "I don't know", with what helps nearly everybody."""
    return _("I don't know the answer to this one: the knowledge base has no article that fits, and I would rather say so than "
             "guess. Someone on the dental team can answer it properly, so please ask a colleague or book a visit.\n\n"
             "{advice}").format(advice=general())


def general() -> str:
    return _("What helps nearly everybody in the meantime: brush gently twice a day with a fluoride toothpaste, clean between "
             "the teeth once a day, keep sugary snacks and drinks for mealtimes, and have regular check-ups. A sore spot is best "
             "left alone: soft, lukewarm food, and no self-treatment.")


def apology(problem: str) -> str:
    """Why there is no answer from the provider; something useful always follows it."""
    return {"busy": _("The AI is busy, try again in a moment."),
            "timeout": _("The request timed out."),
            "network": _("Cannot connect to the AI service."),
            "crowded": _("As many answers are on their way as there can be at once. Try again in a moment."),
            "budget": _("What is left of the day's budget for the AI provider does not cover another answer.")}.get(
        problem, _("The AI service is temporarily unavailable."))


def urgent_advice(emergency_number: str) -> str:
    return _("**This should be seen by a dentist today.** Please contact the clinic now for an urgent appointment; outside "
             "opening hours, the out-of-hours dental service. If breathing or swallowing becomes difficult, swelling spreads or "
             "bleeding does not stop, call {number}.").format(number=emergency_number)


def safety_net(emergency_number: str) -> str:
    return _("This is general information, not a diagnosis. If pain, swelling or fever gets worse, contact the clinic the same "
             "day. For trouble breathing or swallowing, or bleeding that does not stop, call {number} at once.").format(
        number=emergency_number)


def with_safety_net(content: str, emergency_number: str) -> str:
    """Under whatever there is of an answer, once."""
    net = safety_net(emergency_number)
    return f"{content}\n\n{net}" if content.strip() and not content.endswith(net) else content


def emergency_card(emergency_number: str, categories: Collection[str]) -> str:
    """The fixed words for tier E: nothing is looked up, nothing is sent out, nothing else is said.

    The steps in between are plain first aid, only those that fit what was described: who fainted is not sat up.
    """
    known = [step for category, step in _first_aid().items() if category in categories]
    steps = [_("Call {number}, or have someone call while you stay with the person."), *known,
             _("Tell a dentist or doctor in the clinic at once, and stay until help has taken over.")]
    lines = [f"{place}. {step}" for place, step in enumerate(steps, 1)]
    heading = _("**Call {number} now.** What was described can be a danger to life.")
    return "\n".join([heading, "", *lines]).replace("{number}", emergency_number)


def _first_aid() -> dict[str, str]:
    """By category of lib/redflags.py, in the order in which it is done."""
    return {
        "collapse": _("If they do not breathe normally, start chest compressions and fetch the defibrillator. If they "
                      "breathe but do not respond, lay them on their side. In a seizure, keep hard things away and do not "
                      "hold them down."),
        "airway": _("Let them sit in the position in which they breathe best, and give nothing to eat or drink."),
        "allergy": _("If they carry an adrenaline pen, help them use it now. Stop whatever may have caused this."),
        "heart": _("Let them rest, half sitting, and loosen tight clothes. Fetch the defibrillator."),
        "bleeding": _("Press firmly on the place with clean gauze, and do not let go."),
        "trauma": _("Keep them still after a hard blow, the head and neck above all."),
        "infection": _("Give nothing to eat or drink, and watch their breathing."),
        "self_harm": _("Do not leave them alone. Listen calmly, and put medicines out of reach. If something was taken, keep the "
                       "packet for the ambulance."),
    }


def checklist() -> dict[str, str]:
    """By category of lib/redflags.py: what to ask a patient, so that a yes depends on nobody's wording."""
    return {
        "airway": _("Trouble breathing or swallowing, drooling, or a tongue that is pushed up"),
        "bleeding": _("Bleeding that does not stop after 20 minutes of firm pressure"),
        "infection": _("Swelling towards the eye or neck, a mouth that opens less and less, or swelling with fever"),
        "trauma": _("A hard blow with a broken jaw, double vision, or loss of consciousness"),
        "heart": _("Pressure or pain in the chest, left arm or jaw, with sweating or shortness of breath"),
        "allergy": _("Lips, tongue or face swelling, or hives, after a medicine or an injection"),
        "self_harm": _("Too much of a medicine taken, or thoughts of ending their life"),
    }
