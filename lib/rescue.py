"""What the operator can do for somebody whom nobody else can help, as the owner of the tables. Each says what was done."""

import secrets
from uuid import UUID

from sqlalchemy import Connection, text

from lib import resets, settings, tokens


def issue_link(connection: Connection, _person: UUID, email: str) -> str:
    token = secrets.token_urlsafe(32)
    connection.execute(text("select id from app.issue_reset(:email, :token)"), {"email": email, "token": tokens.digest(token)})
    return (f"{resets.link(token, settings.get().url or 'http://localhost:8501')}\nGood for one new password of {email}, for 30 "
            "minutes. A second factor stays as it is.")


def drop_factor(connection: Connection, person: UUID, email: str) -> str:
    who = {"id": person}
    connection.execute(text("""
        update users set totp_secret = null, totp_since = null, factor_reset_at = now() where id = :id
        """), who)
    connection.execute(text("delete from recovery_codes where user_id = :id"), who)
    connection.execute(text("select app.end_sessions(:id, null)"), who)
    return f"{email} has no second factor any more and is signed out everywhere."


def open_everywhere(connection: Connection, person: UUID, email: str) -> str:
    owned = connection.execute(text("""
        select clinic_id from memberships where user_id = :id and role = 'owner' and ended_at is null
        """), {"id": person}).scalars().all()
    for clinic_id in owned:
        connection.execute(text("select app.enter_job(:id)"), {"id": clinic_id})  # the policies bind the tables' owner, too
        connection.execute(text("update clinics set owner_networks = '{}' where id = :id"), {"id": clinic_id})
    return f"Owner pages open from everywhere again in the clinics that {email} owns: {len(owned)}."
