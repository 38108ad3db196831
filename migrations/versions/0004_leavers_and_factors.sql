-- Leavers and second factors: an approval ends with the right to it, and a factor stays while any clinic asks for it; addresses
-- beside names in the team, drafts of questions.

-- functions: one's own account
create function app.factor_required(session bytea) returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select exists (
        select from public.memberships m
        join public.clinics c on c.id = m.clinic_id
        where m.user_id = app.whose(session) and m.ended_at is null and c.factor_required);
end;
comment on function app.factor_required is 'Whether any clinic in which this person works asks for a second factor.';

create or replace function app.set_factor(session bytea, old_hash text, secret text, step bigint, codes bytea[]) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person uuid;
begin
    if secret is null and app.factor_required(session) then
        raise exception 'a clinic asks for a second factor' using errcode = 'CS007';
    end if;
    update users
    set totp_secret = secret, totp_since = case when secret is null then null else now() end, totp_step = step
    where id = app.whose(session) and password_hash = old_hash
    returning id into person;
    if person is null then
        return false;
    end if;
    delete from recovery_codes where user_id = person;
    insert into recovery_codes (user_id, code_hash) select person, unnest(codes);
    perform app.end_sessions(person, session);
    return true;
end
$$;
comment on function app.set_factor is 'Sets, changes or (secret NULL) drops the second factor. step: the one that proved it. Ends every other session. CS007: a clinic of theirs asks for one.';

-- functions: the team
create function app.member_emails() returns table (user_id uuid, email text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select m.user_id, u.email
    from public.memberships m
    join public.users u on u.id = m.user_id
    where m.clinic_id = app.clinic() and app.may_invite(app.role(), m.role);
end;
comment on function app.member_emails is 'The addresses of those whom this member manages, so that two people of one name are told apart.';

-- functions: triggers
create function app.end_approval() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.ended_at is not null or new.role not in ('owner', 'clinician') then
        update clinician_credentials c set status = 'pending'
        where c.clinic_id = new.clinic_id and c.user_id = new.user_id and c.status = 'approved';
    end if;
    return null;
end
$$;
comment on function app.end_approval is 'Who leaves, or treats nobody any more, is approved anew before they sign again.';

create or replace function app.keep_credentials() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or (new.specialization, new.licence_number) is distinct from (old.specialization, old.licence_number)
            or new.submitted_at is distinct from old.submitted_at then
        if new.user_id is distinct from app.user_id() or (tg_op = 'UPDATE' and old.status = 'suspended') then
            raise exception 'not yours to submit' using errcode = '42501';
        end if;
        new.status := 'pending';
        new.reason := '';
        new.decided_by := null;
        new.decided_at := null;
        new.submitted_at := now();
    elsif (old.status, new.status) = ('approved', 'pending') and new.reason = old.reason
            and not exists (select from memberships m where m.clinic_id = new.clinic_id and m.user_id = new.user_id
                            and m.ended_at is null and m.role in ('owner', 'clinician')) then
        new.decided_by := null;
        new.decided_at := null;
    elsif new.status is distinct from old.status or new.reason is distinct from old.reason then
        if app.role() is distinct from 'owner' then
            raise exception 'only an owner decides' using errcode = '42501';
        end if;
        if (old.status, new.status) not in (('pending', 'approved'), ('pending', 'rejected'), ('approved', 'suspended'),
                                            ('suspended', 'approved')) then
            raise exception 'no such step' using errcode = 'CS006';
        end if;
        new.decided_by := app.user_id();
        new.decided_at := now();
    end if;
    return new;
end
$$;
comment on function app.keep_credentials is 'pending → approved or rejected; approved → suspended and back; whatever the clinician changes is pending again, and so is an approval whose person left or treats nobody any more.';

revoke all on function app.factor_required(bytea), app.member_emails(), app.end_approval() from public;
grant execute on function app.factor_required(bytea), app.member_emails() to chairside_app;

-- memberships
create trigger end_approval after update of role, ended_at on memberships for each row execute function app.end_approval();

-- clinician_credentials: those approved before this, whose person has left or treats nobody any more, wait again.
create policy definer on clinician_credentials to current_user using (true) with check (true);
update clinician_credentials c set status = 'pending'
where c.status = 'approved'
  and not exists (select from memberships m where m.clinic_id = c.clinic_id and m.user_id = c.user_id
                  and m.ended_at is null and m.role in ('owner', 'clinician'));

-- drafts
comment on table drafts is 'form: the screen and, for an edit or a question, the record.';
create policy thread on drafts as restrictive
    using (form not like 'question:%' or form = 'question:general' or app.clinical())
    with check (form not like 'question:%' or form = 'question:general' or app.clinical());
