"""The audit log in words. Every action that the code records has its label here; a test sees to it."""

from functools import lru_cache

from lib.texts import _


def actions() -> dict[str, str]:
    """What somebody did, whatever it was done to."""
    return {**_of_patients(), **_of_people(), **_of_the_clinic()}


def _of_patients() -> dict[str, str]:
    return {
        "view": _("Opened"), "list": _("Looked through a list"), "search": _("Searched"),
        "register": _("Added a patient"), "amend": _("Changed a patient"), "archive": _("Archived"), "restore": _("Restored"),
        "import": _("Imported patients"), "import_check": _("Checked a file before import"),
        "import_begin": _("Began to import patients"),
        "export": _("Exported"), "ask": _("Asked the assistant"), "raise_emergency": _("Raised an emergency"),
        "acknowledge_emergency": _("Acknowledged an emergency"),
        "erase": _("Erased a patient"), "merge": _("Merged two patients"), "unmerge": _("Undid a merge of patients"),
        "ask_again": _("Asked for another answer"), "rate": _("Rated an answer"),
        "declare_general": _("Stated that an emergency was a general question"),
        "tick_off": _("Went through the checklist of danger signs"),
    }


def _of_people() -> dict[str, str]:
    return {
        "sign_in": _("Signed in"), "sign_out": _("Signed out"), "sign_in_failed": _("Failed to sign in: wrong password"),
        "factor_failed": _("Failed to sign in: wrong second factor"),
        "confirm_failed": _("Gave a wrong current password"), "refused": _("Was refused"),
        "enter_clinic": _("Changed to this clinic"), "leave_clinic": _("Changed to another clinic"),
        "change_password": _("Changed the password"), "set_factor": _("Set up a second factor"),
        "drop_factor": _("Removed the second factor"), "renew_recovery_codes": _("Made new recovery codes"),
        "refresh_reused": _("Was signed out: a refresh token was used twice"),
        "sign_out_device": _("Signed a device out"), "sign_out_devices": _("Signed other devices out"),
    }


def _of_the_clinic() -> dict[str, str]:
    return {
        "change": _("Changed settings or an article"), "add": _("Added an article"), "review": _("Reviewed an article"),
        "invite": _("Invited somebody"), "withdraw_invitation": _("Withdrew an invitation"),
        "join": _("Joined the clinic"), "change_role": _("Changed a role"), "deactivate": _("Deactivated a member"),
        "reactivate": _("Reactivated a member"), "sign_out_member": _("Signed a member out"),
        "reset_member_password": _("Made a password link for a member"),
        "reset_member_factor": _("Removed a member's second factor"), "submit": _("Submitted credentials"),
        "decide": _("Decided on credentials"), "download": _("Downloaded a document"),
        "switch_on": _("Switched the AI provider on"), "switch_off": _("Switched the AI provider off"),
        "mute_alert": _("Muted an alert"), "unmute_alert": _("Ended the muting of an alert"),
        "test_alert": _("Tested the alerts"),
        "add_client": _("Let an API client in"), "revoke_client": _("Revoked an API client"),
        "try_out": _("Tested the connection to the AI provider"), "verify": _("Verified the audit chain"),
    }


def _deeds() -> dict[tuple[str, str], str]:
    """The same, where what it was done to says more."""
    return {
        ("view", "patient"): _("Opened a patient"), ("view", "history"): _("Read a patient's history"),
        ("view", "chat_thread"): _("Read a conversation"), ("view", "credentials"): _("Opened credentials"),
        ("list", "patients"): _("Looked through the patients"), ("list", "recent_patients"): _("Saw the patients opened last"),
        ("list", "recent_questions"): _("Saw the latest questions"), ("list", "team"): _("Looked through the team"),
        ("list", "emergencies"): _("Looked through the emergencies"), ("list", "audit_log"): _("Looked through the audit log"),
        ("list", "credentials"): _("Looked through credentials"), ("list", "invitations"): _("Looked through the invitations"),
        ("search", "patients"): _("Searched the patients"), ("export", "patients"): _("Exported patients"),
        ("export", "patient_record"): _("Exported everything about a patient"),
        ("export", "clinic"): _("Exported the whole clinic"),
        ("list", "patient_costs"): _("Saw what questions about patients cost"),
        ("list", "unmatched_questions"): _("Saw questions that no article answers"),
        ("list", "answer_reasons"): _("Read why answers were not helpful"),
        ("export", "analytics"): _("Exported figures"), ("export", "audit_log"): _("Exported the audit log"),
        ("list", "chat_threads"): _("Looked through the conversations"),
        ("search", "chat_thread"): _("Searched a conversation"), ("export", "chat_thread"): _("Exported a conversation"),
        ("change", "assistant"): _("Changed the AI provider's settings"),
        ("change", "clinic"): _("Changed the clinic's settings"), ("change", "account"): _("Changed the own account"),
        ("download", "credential_document"): _("Downloaded a credential document"),
        ("archive", "patient"): _("Archived a patient"), ("restore", "patient"): _("Restored a patient"),
        ("change", "clinic_article"): _("Changed an article of the clinic"), ("add", "clinic_article"): _("Added an article"),
        ("archive", "clinic_article"): _("Archived an article"), ("restore", "clinic_article"): _("Restored an article"),
    }


@lru_cache(maxsize=500)
def deed(action: str, resource: str) -> str:
    """What no code records any more is told as it stands."""
    return _deeds().get((action, resource)) or actions().get(action) or action.replace("_", " ").capitalize()
