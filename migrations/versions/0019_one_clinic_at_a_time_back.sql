-- As 0018 had them.

create or replace function app.find_account(email text)
    returns table (id uuid, email text, full_name text, password_hash text, clinic_id uuid, factor boolean)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.id, u.email, u.full_name, u.password_hash, m.clinic_id, u.totp_since is not null
    from public.users u
    left join public.memberships m on m.user_id = u.id and m.ended_at is null
    left join (
        select s.user_id, s.clinic_id, max(s.created_at) as used_at
        from public.sessions s
        group by s.user_id, s.clinic_id
    ) last on last.user_id = m.user_id and last.clinic_id = m.clinic_id
    where u.email_norm = app.fold_email(find_account.email)
    order by last.used_at desc nulls last, m.created_at
    limit 1;
end;
drop function app.last_clinic;

create or replace function app.redeem_ticket(ticket bytea, session bytea, device text, address text)
    returns table (user_id uuid, clinic_id uuid, email text, keep boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return query
    with redeemed as (
        delete from tickets t
        where t.id = ticket and t.expires_at > now()
        returning t.user_id, t.clinic_id, t.keep
    ), opened as (
        insert into sessions (id, user_id, clinic_id, device, address, keep)
        select session, r.user_id, r.clinic_id, left(redeem_ticket.device, 200), left(redeem_ticket.address, 60), r.keep
        from redeemed r
        returning sessions.user_id, sessions.clinic_id, sessions.keep
    )
    select o.user_id, o.clinic_id, u.email, o.keep
    from opened o
    join users u on u.id = o.user_id;
end
$$;

create or replace function app.resume(session bytea, active boolean)
    returns table (user_id uuid, clinic_id uuid, role text, email text, full_name text, clinic_name text, country text,
                   time_zone text, currency text, language text, emergency_number text, networks text[], must_enrol boolean,
                   clinics integer, ends_in double precision)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if active then
        update sessions s
        set seen_at = now()
        from clinics c
        where s.id = session and s.revoked_at is null and s.seen_at < now() - interval '30 seconds'
          and c.id = s.clinic_id and app.session_ends(s.keep and c.keep_allowed, s.created_at, s.seen_at) > now();
    end if;
    return query
    select m.user_id, m.clinic_id, m.role, u.email, m.display_name, c.name, c.country, c.time_zone, c.currency,
           coalesce(u.language, c.language), c.emergency_number, c.owner_networks::text[],
           c.factor_required and u.totp_since is null,
           (select count(*)::integer from memberships o where o.user_id = s.user_id and o.ended_at is null),
           extract(epoch from app.session_ends(s.keep and c.keep_allowed, s.created_at, s.seen_at) - now())::double precision
    from sessions s
    join users u on u.id = s.user_id
    join memberships m on m.clinic_id = s.clinic_id and m.user_id = s.user_id and m.ended_at is null
    join clinics c on c.id = s.clinic_id
    where s.id = session
      and s.revoked_at is null
      and s.created_at > coalesce(m.signed_out_at, '-infinity')
      and app.session_ends(s.keep and c.keep_allowed, s.created_at, s.seen_at) > now();
end
$$;

create or replace function app.factor_required(session bytea) returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select exists (
        select from public.memberships m
        join public.clinics c on c.id = m.clinic_id
        where m.user_id = app.whose(session) and m.ended_at is null and c.factor_required);
end;

create or replace function app.my_sessions(session bytea)
    returns table (id bytea, device text, address text, clinic_name text, keep boolean, created_at timestamptz,
                   seen_at timestamptz, current boolean)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select s.id, s.device, s.address, c.name, s.keep and c.keep_allowed, s.created_at, s.seen_at, s.id = session
    from public.sessions s
    join public.memberships m on m.clinic_id = s.clinic_id and m.user_id = s.user_id and m.ended_at is null
    join public.clinics c on c.id = s.clinic_id
    where s.user_id = app.whose(session)
      and s.revoked_at is null
      and app.session_ends(s.keep and c.keep_allowed, s.created_at, s.seen_at) > now()
    order by s.seen_at desc;
end;

create or replace function app.my_clinics(session bytea) returns table (id uuid, name text, role text, current boolean)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select c.id, c.name, m.role, c.id = s.clinic_id
    from app.resume(session, false) s
    join public.memberships m on m.user_id = s.user_id and m.ended_at is null
    join public.clinics c on c.id = m.clinic_id
    order by c.name;
end;

create or replace function app.switch_clinic(session bytea, clinic uuid) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update sessions s
    set clinic_id = clinic
    where s.id = session
      and exists (select from memberships m where m.clinic_id = clinic and m.user_id = app.whose(session) and m.ended_at is null
                  and s.created_at > coalesce(m.signed_out_at, '-infinity'));
    return found;
end
$$;

create or replace function app.find_reset(token bytea) returns table (email text, full_name text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.email, u.full_name
    from public.password_resets r
    join public.users u on u.id = r.user_id
    where r.id = token and r.expires_at > now()
      and (r.helped_in is null or (
          exists (select from public.memberships h where h.clinic_id = r.helped_in and h.user_id = r.helped_by
                  and h.role = 'owner' and h.ended_at is null)
          and exists (select from public.memberships m where m.clinic_id = r.helped_in and m.user_id = r.user_id
                      and m.ended_at is null)
          and not exists (select from public.memberships o where o.user_id = r.user_id and o.clinic_id <> r.helped_in)));
end;

create or replace function app.merged_family(patient uuid) returns setof uuid
    language sql stable
begin atomic
    with recursive family (id) as (
        select patient
        union
        select p.id from public.patients p join family f on f.id = p.merged_into where p.clinic_id = app.clinic()
    )
    select id from family;
end;

create or replace function app.sweep_started() returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    swept integer;
begin
    with ended as (
        update ai_calls set status = 'abandoned', finished_at = now()
        where status = 'started' and id < app.uuid_floor(now() - interval '5 minutes')
        returning clinic_id, budget_day, reserved_usd
    ), held as (
        select clinic_id, budget_day, sum(reserved_usd) as amount
        from ended
        where reserved_usd is not null
        group by clinic_id, budget_day
    )
    update ai_budgets b
    set spent_usd = b.spent_usd + h.amount, reserved_usd = greatest(b.reserved_usd - h.amount, 0)
    from held h
    where b.clinic_id = h.clinic_id and b.day = h.budget_day;
    update chat_messages set status = 'abandoned', finished_at = now()
    where status = 'started' and id < app.uuid_floor(now() - interval '5 minutes');
    get diagnostics swept = row_count;
    return swept;
end
$$;

create or replace function app.reserve_service(amount numeric, most numeric) returns date
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    insert into public.service_spend as s (day, reserved_usd)
    select d.day, amount
    from (select (now() at time zone 'UTC')::date) d (day)
    where amount + (select coalesce(sum(b.spent_usd + b.reserved_usd), 0) from public.ai_budgets b where b.day = d.day) <= most
    on conflict (day) do update
    set reserved_usd = s.reserved_usd + excluded.reserved_usd
    where s.spent_usd + s.reserved_usd + excluded.reserved_usd
          + (select coalesce(sum(b.spent_usd + b.reserved_usd), 0) from public.ai_budgets b where b.day = excluded.day) <= most
    returning day;
end;

create or replace function app.rescue_jobs(patience interval) returns integer
    language plpgsql security definer set search_path = pg_catalog, procrastinate, public, pg_temp as $$
declare
    rescued integer;
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
    update long_jobs l set status = 'failed'
    where l.status in ('waiting', 'running') and l.created_at < now() - patience
      and not exists (select from procrastinate_jobs j where j.status in ('todo', 'doing') and j.args ->> 'id' = l.id::text);
    return rescued;
end
$$;

create or replace function app.watch_clinics() returns table (clinic_id uuid, kind text, level smallint, cleared boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    released constant timestamptz := (select max(coalesce(r.released_at, 'infinity')) from restores r);
    away uuid[];
    unsettled uuid[];
begin
    -- The day of a budget is its clinic's. What is full with a little left was stopped as well, once.
    return query
    insert into clinic_alerts as a (clinic_id, kind, level, subject, amount, most)
    select b.clinic_id, 'budget', t.level, b.day::text, b.spent_usd, coalesce(s.daily_budget_usd, 100)
    from ai_budgets b
    join clinics c on c.id = b.clinic_id
    left join assistant_settings s on s.clinic_id = b.clinic_id
    cross join (values (80::smallint), (100::smallint)) t (level)
    where b.day between current_date - 1 and current_date + 1
      and b.day = (now() at time zone c.time_zone)::date
      and b.spent_usd > 0
      and (b.spent_usd >= coalesce(s.daily_budget_usd, 100) * t.level / 100
           or (t.level = 100 and b.stopped_at is not null
               and not exists (select from clinic_alerts o
                               where o.clinic_id = b.clinic_id and o.kind = 'budget' and o.level = 100 and o.subject = b.day::text)))
    order by b.clinic_id, t.level
    on conflict do nothing
    returning a.clinic_id, a.kind, a.level, false;

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
    select array_agg(p.clinic_id order by p.clinic_id) filter (where p.failures = 5),
           array_agg(p.clinic_id) filter (where p.failures > 0 and p.failures = p.calls or p.failed_at > now() - interval '5 minutes')
    into away, unsettled
    from (select s.clinic_id, count(*) as calls, count(*) filter (where l.failed) as failures,
                 max(l.finished_at) filter (where l.failed) as failed_at
          from assistant_settings s
          cross join lateral (
              select c.finished_at, coalesce(a.problem in ('unavailable', 'timeout', 'network'), false) as failed
              from ai_calls c
              left join lateral (
                  select m.metadata ->> 'problem' as problem
                  from chat_messages m
                  where m.clinic_id = c.clinic_id and m.id = c.message_id
                  offset 0) a on true
              where c.clinic_id = s.clinic_id
                and c.id >= app.uuid_floor(now() - interval '1 day')
                and c.created_at > greatest(s.updated_at, released)
                and c.route in ('provider', 'trial')
                and (c.route = 'provider' and c.status not in ('started', 'stopped', 'abandoned')
                     and a.problem is distinct from 'crowded'
                     or c.route = 'trial' and c.status = 'ok')
              order by c.id desc
              limit 5) l
          where s.provider_on and s.base_url is not null
          group by s.clinic_id) p;

    return query
    insert into clinic_alerts as a (clinic_id, kind, subject, amount, most)
    select o.clinic_id, 'own_provider', '', 5, 5
    from unnest(away) o (clinic_id)
    on conflict do nothing
    returning a.clinic_id, a.kind, a.level, false;

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
    where a.kind = 'own_provider' and a.cleared_at is null and not a.clinic_id = any (coalesce(unsettled, '{}'))
    returning a.clinic_id, a.kind, a.level, true;
end
$$;

create or replace function app.queue_alerts() returns integer
    language plpgsql security definer set search_path = pg_catalog, procrastinate, public, pg_temp as $$
declare
    queued integer := 0;
    found record;
begin
    for found in
        update alerts a
        set queued_at = coalesce(a.queued_at, now()), end_queued_at = case when a.cleared_at is not null then now() end
        where (a.cleared_at is null and a.queued_at is null
               or a.cleared_at is not null and a.queued_at is not null and a.end_queued_at is null)
          and a.kind <> 'test' and app.muted_until(a.kind) is null
        returning null::uuid as clinic_id, a.id
    loop
        perform app.defer_alert(found.clinic_id, found.id);
        queued := queued + 1;
    end loop;
    for found in
        update clinic_alerts a
        set queued_at = coalesce(a.queued_at, now()), end_queued_at = case when a.cleared_at is not null then now() end
        where (a.cleared_at is null and a.queued_at is null
               or a.cleared_at is not null and a.queued_at is not null and a.end_queued_at is null)
          and a.kind <> 'test' and app.clinic_muted_until(a.clinic_id, a.kind) is null
        returning a.clinic_id, a.id
    loop
        perform app.defer_alert(found.clinic_id, found.id);
        queued := queued + 1;
    end loop;
    return queued;
end
$$;

create or replace function app.mute_installation(kind text, until timestamptz) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not app.alone() then
        raise exception 'only the owner of the only clinic' using errcode = '42501';
    end if;
    insert into alert_mutes (kind, until, muted_by)
    select mute_installation.kind, mute_installation.until, m.display_name
    from memberships m
    where m.clinic_id = app.clinic() and m.user_id = app.user_id();
end
$$;

create or replace function app.alert_counts() returns table (kind text, open bigint)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select a.kind, count(*) from public.alerts a where a.cleared_at is null group by a.kind
    union all
    select 'clinic_' || a.kind, count(*) from public.clinic_alerts a where a.cleared_at is null group by a.kind;
end;

create or replace function app.accept_invitation(clinic uuid, token bytea, account uuid) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    granted text;
begin
    update invitations i
    set accepted_at = now()
    from users u
    where i.clinic_id = clinic and i.token_hash = token and u.id = account and u.email_norm = i.email_norm
      and i.accepted_at is null and i.withdrawn_at is null
      and exists (select from app.find_invitation(clinic, token))
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
