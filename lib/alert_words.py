"""Alerts in words, for the page, the mails and the webhook. No name of anybody, no patient."""

from lib.texts import _

OF_CLINICS = ("budget", "emergency", "own_provider")
OF_THE_INSTALLATION = ("budget", "reruns", "requests", "answers", "errors", "connections", "disk", "backup", "archive",
                       "provider", "worker")
OF_BACKUPS = 1  # the level of a disk that backups go to and nothing else


def title(kind: str, *, installation: bool = False) -> str:
    return _("AI cost of the installation") if installation and kind == "budget" else {
        "budget": _("AI cost"), "emergency": _("Unanswered emergency"), "reruns": _("Slow pages"), "requests": _("Slow API"),
        "answers": _("Slow answers"), "errors": _("Errors"), "connections": _("Database connections"), "disk": _("Disk"),
        "backup": _("Backup"), "archive": _("Archive"), "provider": _("AI provider"), "worker": _("Background jobs"),
        "own_provider": _("The clinic's AI provider"), "test": _("Test")}[kind]


def rule(kind: str) -> str:
    """When it is raised."""
    return {
        "budget": _("80 and 100 % of the day's budget"),
        "emergency": _("nobody has answered for 5 minutes"),
        "reruns": _("one page in twenty takes over 2 s"),
        "requests": _("one call of the API in twenty takes over 2 s"),
        "answers": _("one of the provider's answers in twenty takes over 15 s"),
        "errors": _("more than 1 % of pages and calls fail"),
        "connections": _("more than 80 % of the server's are in use"),
        "disk": _("more than 80 % full"),
        "backup": _("older than 26 hours"),
        "archive": _("old months still here two days after they should be away"),
        "provider": _("it failed five times in a row"),
        "own_provider": _("it failed five times in a row"),
        "worker": _("they wait for five minutes and no worker lives"),
    }[kind]


def sentence(kind: str, level: int, amount: float, most: float) -> str:
    """What was found, with its figure."""
    facts = {"level": level, "n": f"{amount:,.0f}", "share": f"{amount:,.1f}", "usd": f"{amount:,.2f}", "most": f"{most:,.2f}"}
    return {
        "budget": _("{level} % of the day's AI budget is spent: ${usd} of ${most}."),
        "emergency": _("An emergency waits for somebody to answer for it."),
        "reruns": _("{share} % of pages take over 2 seconds."),
        "requests": _("{share} % of calls of the API take over 2 seconds."),
        "answers": _("{share} % of the provider's answers take over 15 seconds."),
        "errors": _("{share} % of pages and calls fail."),
        "connections": _("{n} % of the database's connections are in use."),
        "disk": _("The disk of the backups is {n} % full.") if level == OF_BACKUPS else _("The disk of the data is {n} % full."),
        "backup": _("No backup was made for {n} hours."),
        "archive": _("Old months should have been archived {n} days ago."),
        "provider": _("The installation's AI provider does not answer; the knowledge base does."),
        "own_provider": _("The clinic's own AI provider does not answer; the knowledge base does."),
        "worker": _("Mails and imports have been waiting for {n} minutes, and no worker lives."),
        "test": _("This is a test. Nothing happened."),
    }[kind].format(**facts)
