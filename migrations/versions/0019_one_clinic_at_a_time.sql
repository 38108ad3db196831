-- No order asks two machines at once for what belongs together: each function takes a clinic into a variable, or reads what the
-- coordinator keeps before it asks the clinics. On one PostgreSQL nothing changes.

create function app.last_clinic(person uuid) returns uuid
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    worked_in constant uuid[] := array(select m.clinic_id from memberships m where m.user_id = person and m.ended_at is null order by m.created_at);
    used uuid;
begin
    select w.id into used
    from unnest(worked_in) with ordinality w (id, place)
    left join (
        select s.clinic_id, max(s.created_at) as used_at
        from sessions s
        where s.user_id = person
        group by s.clinic_id
    ) last on last.clinic_id = w.id
    order by last.used_at desc nulls last, w.place
    limit 1;
    return used;
end
$$;
comment on function app.last_clinic is 'Where somebody works in several clinics, the one they used last. NULL: a member nowhere any more.';

revoke all on function app.last_clinic from public;

create or replace function app.find_account(email text)
    returns table (id uuid, email text, full_name text, password_hash text, clinic_id uuid, factor boolean)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.id, u.email, u.full_name, u.password_hash, app.last_clinic(u.id), u.totp_since is not null
    from public.users u
    where u.email_norm = app.fold_email(find_account.email);
end;

create or replace function app.redeem_ticket(ticket bytea, session bytea, device text, address text)
    returns table (user_id uuid, clinic_id uuid, email text, keep boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    redeemed tickets;
begin
    delete from tickets t where t.id = ticket and t.expires_at > now() returning t.* into redeemed;
    if redeemed.id is null then
        return;
    end if;
    insert into sessions (id, user_id, clinic_id, device, address, keep)
    values (session, redeemed.user_id, redeemed.clinic_id, left(redeem_ticket.device, 200), left(redeem_ticket.address, 60), redeemed.keep);
    return query
    select u.id, redeemed.clinic_id, u.email, redeemed.keep from users u where u.id = redeemed.user_id;
end
$$;

create or replace function app.resume(session bytea, active boolean)
    returns table (user_id uuid, clinic_id uuid, role text, email text, full_name text, clinic_name text, country text,
                   time_zone text, currency text, language text, emergency_number text, networks text[], must_enrol boolean,
                   clinics integer, ends_in double precision)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    device sessions;
    own record;
    worked_in integer;
    ends timestamptz;
begin
    select s.* into device from sessions s where s.id = session and s.revoked_at is null;
    select m.role, m.display_name, m.signed_out_at, c.name, c.country, c.time_zone, c.currency, c.language, c.emergency_number,
           c.owner_networks::text[] as networks, c.factor_required, c.keep_allowed
    into own
    from memberships m
    join clinics c on c.id = m.clinic_id
    where m.clinic_id = device.clinic_id and m.user_id = device.user_id and m.ended_at is null;
    ends := app.session_ends(device.keep and own.keep_allowed, device.created_at, device.seen_at);
    if own.role is null or ends <= now() or device.created_at <= coalesce(own.signed_out_at, '-infinity') then
        return;
    end if;
    if active and device.seen_at < now() - interval '30 seconds' then
        update sessions s set seen_at = now() where s.id = session and s.revoked_at is null;
        ends := app.session_ends(device.keep and own.keep_allowed, device.created_at, now());
    end if;
    worked_in := (select count(*) from memberships o where o.user_id = device.user_id and o.ended_at is null);
    return query
    select u.id, device.clinic_id, own.role, u.email, own.display_name, own.name, own.country, own.time_zone, own.currency,
           coalesce(u.language, own.language), own.emergency_number, own.networks,
           own.factor_required and u.totp_since is null, worked_in, extract(epoch from ends - now())::double precision
    from users u
    where u.id = device.user_id;
end
$$;

create or replace function app.factor_required(session bytea) returns boolean
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person constant uuid := app.whose(session);
begin
    return exists (
        select from memberships m
        join clinics c on c.id = m.clinic_id
        where m.user_id = person and m.ended_at is null and c.factor_required);
end
$$;

create or replace function app.my_sessions(session bytea)
    returns table (id bytea, device text, address text, clinic_name text, keep boolean, created_at timestamptz,
                   seen_at timestamptz, current boolean)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person constant uuid := app.whose(session);
    mine sessions;
    works_in record;
begin
    for mine in select s.* from sessions s where s.user_id = person and s.revoked_at is null order by s.seen_at desc loop
        select c.name, c.keep_allowed into works_in
        from memberships m
        join clinics c on c.id = m.clinic_id
        where m.clinic_id = mine.clinic_id and m.user_id = person and m.ended_at is null;
        if found and app.session_ends(mine.keep and works_in.keep_allowed, mine.created_at, mine.seen_at) > now() then
            return query
            select mine.id, mine.device, mine.address, works_in.name, mine.keep and works_in.keep_allowed, mine.created_at, mine.seen_at,
                   mine.id = session;
        end if;
    end loop;
end
$$;

create or replace function app.my_clinics(session bytea) returns table (id uuid, name text, role text, current boolean)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person uuid;
    here uuid;
begin
    select r.user_id, r.clinic_id into person, here from app.resume(session, false) r;
    return query
    select c.id, c.name, m.role, c.id = here
    from memberships m
    join clinics c on c.id = m.clinic_id
    where m.user_id = person and m.ended_at is null
    order by c.name;
end
$$;

create or replace function app.switch_clinic(session bytea, clinic uuid) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person constant uuid := app.whose(session);
    member memberships;
begin
    select m.* into member from memberships m where m.clinic_id = clinic and m.user_id = person and m.ended_at is null;
    update sessions s
    set clinic_id = member.clinic_id
    where s.id = session and member.clinic_id is not null and s.created_at > coalesce(member.signed_out_at, '-infinity');
    return found;
end
$$;

create or replace function app.find_reset(token bytea) returns table (email text, full_name text)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    asked password_resets;
begin
    select r.* into asked from password_resets r where r.id = token and r.expires_at > now();
    if asked.helped_in is not null and not (
        exists (select from memberships h where h.clinic_id = asked.helped_in and h.user_id = asked.helped_by
                and h.role = 'owner' and h.ended_at is null)
        and exists (select from memberships m where m.clinic_id = asked.helped_in and m.user_id = asked.user_id and m.ended_at is null)
        and not exists (select from memberships o where o.user_id = asked.user_id and o.clinic_id <> asked.helped_in)) then
        return;
    end if;
    return query
    select u.email, u.full_name from users u where u.id = asked.user_id;
end
$$;

create or replace function app.merged_family(patient uuid) returns setof uuid
    language plpgsql stable as $$
declare
    clinic constant uuid := app.clinic();
begin
    return query
    with recursive family (id) as (
        select patient
        union
        select p.id from public.patients p join family f on f.id = p.merged_into where p.clinic_id = clinic
    )
    select f.id from family f;
end
$$;

create or replace function app.sweep_started() returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    swept integer;
    ended record;
begin
    for ended in
        update ai_calls c set status = 'abandoned', finished_at = now()
        where c.status = 'started' and c.id < app.uuid_floor(now() - interval '5 minutes')
        returning c.clinic_id, c.budget_day, c.reserved_usd
    loop
        update ai_budgets b
        set spent_usd = b.spent_usd + ended.reserved_usd, reserved_usd = greatest(b.reserved_usd - ended.reserved_usd, 0)
        where b.clinic_id = ended.clinic_id and b.day = ended.budget_day and ended.reserved_usd is not null;
    end loop;
    update chat_messages set status = 'abandoned', finished_at = now()
    where status = 'started' and id < app.uuid_floor(now() - interval '5 minutes');
    get diagnostics swept = row_count;
    return swept;
end
$$;

create or replace function app.reserve_service(amount numeric, most numeric) returns date
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    today constant date := (now() at time zone 'UTC')::date;
    of_clinics constant numeric := (select coalesce(sum(b.spent_usd + b.reserved_usd), 0) from ai_budgets b where b.day = today);
    held date;
begin
    if amount + of_clinics <= most then
        insert into service_spend as s (day, reserved_usd) values (today, amount)
        on conflict (day) do update
        set reserved_usd = s.reserved_usd + excluded.reserved_usd
        where s.spent_usd + s.reserved_usd + excluded.reserved_usd + of_clinics <= most
        returning s.day into held;
    end if;
    return held;
end
$$;

create or replace function app.rescue_jobs(patience interval) returns integer
    language plpgsql security definer set search_path = pg_catalog, procrastinate, public, pg_temp as $$
declare
    rescued integer;
    queued text[];
begin
    if not pg_try_advisory_xact_lock(hashtext('chairside.rescue')) then
        return 0;
    end if;
    update procrastinate_jobs j
    set status = (case when j.abort_requested then 'aborted' when j.attempts >= 2 then 'failed' else 'todo' end)::procrastinate_job_status,
        attempts = j.attempts + 1, abort_requested = false, worker_id = null
    where j.status = 'doing'
      and not exists (select from procrastinate_workers w where w.id = j.worker_id and w.last_heartbeat > now() - patience);
    get diagnostics rescued = row_count;
    delete from procrastinate_workers w where w.last_heartbeat <= now() - patience;
    queued := array(select j.args ->> 'id' from procrastinate_jobs j where j.status in ('todo', 'doing') and j.args ? 'id');
    update long_jobs l set status = 'failed'
    where l.status in ('waiting', 'running') and l.created_at < now() - patience and not l.id::text = any (queued);
    return rescued;
end
$$;

create or replace function app.watch_clinics() returns table (clinic_id uuid, kind text, level smallint, cleared boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    released constant timestamptz := (select max(coalesce(r.released_at, 'infinity')) from restores r);
    watched record;
    step smallint;
    calls integer;
    failures integer;
    failed_at timestamptz;
    unsettled uuid[] := '{}';
begin
    -- The day of a budget is its clinic's. What is full with a little left was stopped as well, once.
    for watched in
        select b.clinic_id as clinic, b.day, b.spent_usd, b.stopped_at, coalesce(s.daily_budget_usd, 100) as most
        from ai_budgets b
        join clinics c on c.id = b.clinic_id
        left join assistant_settings s on s.clinic_id = b.clinic_id
        where b.day between current_date - 1 and current_date + 1
          and b.day = (now() at time zone c.time_zone)::date
          and b.spent_usd > 0
          and (b.spent_usd >= coalesce(s.daily_budget_usd, 100) * 80 / 100 or b.stopped_at is not null)
        order by b.clinic_id
    loop
        foreach step in array array[80, 100] loop
            if watched.spent_usd >= watched.most * step / 100
               or (step = 100 and watched.stopped_at is not null
                   and not exists (select from clinic_alerts o
                                   where o.clinic_id = watched.clinic and o.kind = 'budget' and o.level = 100
                                     and o.subject = watched.day::text)) then
                return query
                insert into clinic_alerts as a (clinic_id, kind, level, subject, amount, most)
                values (watched.clinic, 'budget', step, watched.day::text, watched.spent_usd, watched.most)
                on conflict do nothing
                returning a.clinic_id, a.kind, a.level, false;
            end if;
        end loop;
    end loop;

    return query
    insert into clinic_alerts as a (clinic_id, kind, subject, amount, most)
    select e.clinic_id, 'emergency', e.id::text, 5, 5
    from emergencies e
    where e.acknowledged_at is null and e.raised_at < now() - interval '5 minutes'
    order by e.clinic_id, e.id
    on conflict do nothing
    returning a.clinic_id, a.kind, a.level, false;

    -- A clinic's own provider is away where it failed five times in a row, as a breaker counts in each process: a word of refusal is an
    -- answer, a lack of places is ours, and a restored copy asks nobody. A test that passed tells that it is back; one that failed
    -- may have been a wrong key.
    for watched in
        select s.clinic_id as clinic, s.updated_at
        from assistant_settings s
        where s.provider_on and s.base_url is not null
        order by s.clinic_id
    loop
        select count(*), count(*) filter (where l.failed), max(l.finished_at) filter (where l.failed)
        into calls, failures, failed_at
        from (select c.finished_at, coalesce(a.problem in ('unavailable', 'timeout', 'network'), false) as failed
              from ai_calls c
              left join lateral (
                  select m.metadata ->> 'problem' as problem
                  from chat_messages m
                  where m.clinic_id = watched.clinic and m.clinic_id = c.clinic_id and m.id = c.message_id
                  offset 0) a on true
              where c.clinic_id = watched.clinic
                and c.id >= app.uuid_floor(now() - interval '1 day')
                and c.created_at > greatest(watched.updated_at, released)
                and c.route in ('provider', 'trial')
                and (c.route = 'provider' and c.status not in ('started', 'stopped', 'abandoned')
                     and a.problem is distinct from 'crowded'
                     or c.route = 'trial' and c.status = 'ok')
              order by c.id desc
              limit 5) l;
        if failures > 0 and failures = calls or failed_at > now() - interval '5 minutes' then
            unsettled := unsettled || watched.clinic;
        end if;
        if failures = 5 then
            return query
            insert into clinic_alerts as a (clinic_id, kind, subject, amount, most)
            values (watched.clinic, 'own_provider', '', 5, 5)
            on conflict do nothing
            returning a.clinic_id, a.kind, a.level, false;
        end if;
    end loop;

    -- A budget's alert ends with its day, or when the owner allowed more and a tenth of that lies between.
    return query
    update clinic_alerts a set cleared_at = now()
    from ai_budgets b
    join clinics c on c.id = b.clinic_id
    left join assistant_settings s on s.clinic_id = b.clinic_id
    where a.kind = 'budget' and a.cleared_at is null and b.clinic_id = a.clinic_id and b.day = a.subject::date
      and (b.day < (now() at time zone c.time_zone)::date
           or (coalesce(s.daily_budget_usd, 100) > a.most
               and b.spent_usd < coalesce(s.daily_budget_usd, 100) * (a.level - 10) / 100))
    returning a.clinic_id, a.kind, a.level, true;

    return query
    update clinic_alerts a set cleared_at = now()
    from emergencies e
    where a.kind = 'emergency' and a.cleared_at is null and e.clinic_id = a.clinic_id and e.id = a.subject::uuid
      and e.acknowledged_at is not null
    returning a.clinic_id, a.kind, a.level, true;

    -- A provider's ends when it has answered and five minutes or five calls went by without a failure, when its settings were saved,
    -- and when nobody asked it for a day.
    return query
    update clinic_alerts a set cleared_at = now()
    where a.kind = 'own_provider' and a.cleared_at is null and not a.clinic_id = any (unsettled)
    returning a.clinic_id, a.kind, a.level, true;
end
$$;

create or replace function app.queue_alerts() returns integer
    language plpgsql security definer set search_path = pg_catalog, procrastinate, public, pg_temp as $$
declare
    queued integer := 0;
    news record;
begin
    for news in
        update alerts a
        set queued_at = coalesce(a.queued_at, now()), end_queued_at = case when a.cleared_at is not null then now() end
        where (a.cleared_at is null and a.queued_at is null
               or a.cleared_at is not null and a.queued_at is not null and a.end_queued_at is null)
          and a.kind <> 'test' and app.muted_until(a.kind) is null
        returning null::uuid as clinic_id, a.id
    loop
        perform app.defer_alert(news.clinic_id, news.id);
        queued := queued + 1;
    end loop;
    for news in
        select a.clinic_id, a.id, a.kind
        from clinic_alerts a
        where (a.cleared_at is null and a.queued_at is null
               or a.cleared_at is not null and a.queued_at is not null and a.end_queued_at is null)
          and a.kind <> 'test'
    loop
        continue when app.clinic_muted_until(news.clinic_id, news.kind) is not null;
        -- Whoever queues it first: another worker may look at the same moment.
        update clinic_alerts a
        set queued_at = coalesce(a.queued_at, now()), end_queued_at = case when a.cleared_at is not null then now() end
        where a.clinic_id = news.clinic_id and a.id = news.id
          and (a.cleared_at is null and a.queued_at is null
               or a.cleared_at is not null and a.queued_at is not null and a.end_queued_at is null);
        if found then
            perform app.defer_alert(news.clinic_id, news.id);
            queued := queued + 1;
        end if;
    end loop;
    return queued;
end
$$;

create or replace function app.mute_installation(kind text, until timestamptz) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    clinic constant uuid := app.clinic();
    muted_by text;
begin
    if not app.alone() then
        raise exception 'only the owner of the only clinic' using errcode = '42501';
    end if;
    select m.display_name into muted_by from memberships m where m.clinic_id = clinic and m.user_id = app.user_id();
    insert into alert_mutes (kind, until, muted_by) values (mute_installation.kind, mute_installation.until, muted_by);
end
$$;

create or replace function app.alert_counts() returns table (kind text, open bigint)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return query
    select a.kind, count(*) from alerts a where a.cleared_at is null group by a.kind;
    return query
    select 'clinic_' || a.kind, count(*) from clinic_alerts a where a.cleared_at is null group by a.kind;
end
$$;

create or replace function app.accept_invitation(clinic uuid, token bytea, account uuid) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    granted text;
begin
    if not exists (select from app.find_invitation(clinic, token)) then
        return null;
    end if;
    update invitations i
    set accepted_at = now()
    from users u
    where i.clinic_id = clinic and i.token_hash = token and u.id = account and u.email_norm = i.email_norm
      and i.accepted_at is null and i.withdrawn_at is null
      and not exists (select from memberships former
                      join memberships sender on sender.clinic_id = former.clinic_id and sender.user_id = i.invited_by
                      where former.clinic_id = clinic and former.user_id = account and former.ended_at is not null
                        and not app.may_invite(sender.role, former.role))
    returning i.role into granted;
    if granted is null then
        return null;
    end if;
    insert into memberships (clinic_id, user_id, role, display_name)
    select clinic, u.id, granted, u.full_name from users u where u.id = account
    on conflict (clinic_id, user_id) do update
    set role = excluded.role, ended_at = null
    where memberships.ended_at is not null;
    return granted;
end
$$;
