-- Alerts: what is watched, who was told of it, and who wishes not to be.

-- process_minutes: what each process counted in a minute and how much of it was over its limit, so that all of them add up.
create table process_minutes (
    process uuid not null,
    noted_at timestamptz not null default now(),
    kind text not null,
    events bigint not null,
    over bigint not null,
    primary key (process, noted_at, kind),
    constraint over_is_a_part check (over between 0 and events)
);
-- The last minutes of everybody.
create index process_minutes_by_time on process_minutes (noted_at);
comment on table process_minutes is 'kind: reruns, requests, answers (slow ones), errors (failed ones), disk (percent of 100), provider (1 of 1: its breaker is open). Kept for an hour.';

-- alerts: what the installation's operator has to hear of, once while it lasts.
create table alerts (
    id uuid not null default uuidv7(),
    kind text not null,
    level smallint not null default 0,
    amount numeric not null,
    most numeric not null,
    raised_at timestamptz not null default now(),
    calm_since timestamptz,
    cleared_at timestamptz,
    queued_at timestamptz,
    end_queued_at timestamptz,
    mailed_at timestamptz,
    posted_at timestamptz,
    mail_problem text not null default '',
    post_problem text not null default '',
    told_at timestamptz,
    primary key (id),
    constraint kind_is_known check (kind in ('budget', 'reruns', 'requests', 'answers', 'errors', 'connections', 'disk', 'backup',
                                             'provider', 'test'))
);
-- Of two processes that see the same at once, one raises it.
create unique index one_open_alert on alerts (kind, level) where cleared_at is null;
comment on table alerts is 'level: 80 or 100 of a budget, else 0. amount, most: what was measured last, and the limit. calm_since: below the lower limit from then on. queued_at, end_queued_at: when the job that tells of it and of its end was queued. told_at: that job did all there was to do.';

-- alert_mutes: until when nobody is told of a kind of the installation's alerts, and by whose wish. The newest row of a kind counts.
create table alert_mutes (
    id uuid not null default uuidv7(),
    kind text not null,
    until timestamptz not null,
    muted_by text not null,
    muted_at timestamptz not null default now(),
    primary key (id),
    constraint kind_is_known check (kind in ('budget', 'reruns', 'requests', 'answers', 'errors', 'connections', 'disk', 'backup',
                                             'provider')),
    constraint name_is_bounded check (length(muted_by) between 1 and 200)
);
comment on table alert_mutes is 'Added to, never changed: whoever muted what stays on record. until in the past: told of again.';

-- clinic_alerts: what a clinic's owners and managers have to hear of: its budget's end, and an emergency that nobody answers for.
create table clinic_alerts (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    kind text not null,
    level smallint not null default 0,
    subject text not null,
    amount numeric not null,
    most numeric not null,
    raised_at timestamptz not null default now(),
    cleared_at timestamptz,
    queued_at timestamptz,
    end_queued_at timestamptz,
    mailed_at timestamptz,
    posted_at timestamptz,
    mail_problem text not null default '',
    post_problem text not null default '',
    told_at timestamptz,
    primary key (clinic_id, id),
    constraint kind_is_known check (kind in ('budget', 'emergency', 'test'))
);
create unique index one_open_clinic_alert on clinic_alerts (clinic_id, kind, level, subject) where cleared_at is null;
comment on table clinic_alerts is 'subject: the day of a budget, the id of an emergency. The other columns as in alerts.';

-- clinic_alert_mutes: the same as alert_mutes, of one clinic.
create table clinic_alert_mutes (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    kind text not null,
    until timestamptz not null,
    user_id uuid not null,
    muted_at timestamptz not null default now(),
    primary key (clinic_id, id),
    constraint kind_is_known check (kind in ('budget', 'emergency'))
);
create index clinic_alert_mutes_by_kind on clinic_alert_mutes (clinic_id, kind, id);
comment on table clinic_alert_mutes is 'Added to, never changed; the newest row of a kind counts.';

alter table clinic_alerts add foreign key (clinic_id) references clinics (id);
alter table clinic_alert_mutes add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);

-- functions: alerts ---------------------------------------------------------------------------------------------------
-- Raised and cleared by a job each minute; of two at once the unique indexes let one raise. Each is told of by a job of its own.

create function app.alone() returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select coalesce(app.role() = 'owner', false) and (select count(*) from (select from public.clinics limit 2) c) = 1;
end;
comment on function app.alone is 'Whether an owner asks whose clinic is the only one here: then they are the operator, too.';

create function app.watch_clinics() returns table (clinic_id uuid, kind text, level smallint, cleared boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
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
end
$$;
comment on function app.watch_clinics is 'Raises and clears the alerts of every clinic; returns what was new, for the log. The worker role''s alone.';

create function app.queue_alerts() returns integer
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
comment on function app.queue_alerts is 'Queues one job for each alert that nobody was told of yet, or whose end was not told, unless it is muted. The worker role''s alone.';

create function app.defer_alert(clinic uuid, alert uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, procrastinate, pg_temp as $$
begin
    perform procrastinate_defer_jobs_v1(array[row('default', case when clinic is null then 'tell_alert' else 'tell_clinic_alert' end,
        1, 'alert ' || alert, null, jsonb_strip_nulls(jsonb_build_object('clinic_id', clinic, 'id', alert)), null)::procrastinate_job_to_defer_v1]);
end
$$;
comment on function app.defer_alert is 'Queues the job that tells of an alert, before mails and imports, one at a time for each. For the functions here.';

create function app.muted_until(kind text) returns timestamptz
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select m.until from (select n.until from public.alert_mutes n where n.kind = muted_until.kind order by n.id desc limit 1) m
    where m.until > now();
end;
comment on function app.muted_until is 'Until when nobody is told of this kind of the installation''s alerts, or NULL.';

create function app.clinic_muted_until(clinic uuid, kind text) returns timestamptz
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select m.until
    from (select n.until from public.clinic_alert_mutes n
          where n.clinic_id = clinic_muted_until.clinic and n.kind = clinic_muted_until.kind order by n.id desc limit 1) m
    where m.until > now();
end;
comment on function app.clinic_muted_until is 'The same for the alerts of a clinic.';

create function app.test_alert() returns uuid
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    made uuid := uuidv7();
begin
    if app.role() is distinct from 'owner' then
        raise exception 'only owners test alerts' using errcode = '42501';
    end if;
    insert into clinic_alerts (clinic_id, id, kind, subject, amount, most, cleared_at, queued_at)
    values (app.clinic(), made, 'test', made::text, 0, 0, now(), now());
    perform app.defer_alert(app.clinic(), made);
    return made;
end
$$;
comment on function app.test_alert is 'An alert that says it is none, on the way that all of this clinic go.';

create function app.alert_mailboxes(kind text) returns setof text
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.email
    from public.memberships m
    join public.users u on u.id = m.user_id
    where m.clinic_id = app.clinic()
      and m.ended_at is null
      and (m.role = 'owner' or m.role = case alert_mailboxes.kind when 'emergency' then 'clinician' when 'budget' then 'manager' end)
    order by u.email;
end;
comment on function app.alert_mailboxes is 'Who is mailed: owners, with those who can answer for an emergency or watch the cost. The worker role''s alone.';

create function app.installation_alerts()
    returns table (id uuid, kind text, level smallint, amount numeric, most numeric, raised_at timestamptz, cleared_at timestamptz,
                   mailed_at timestamptz, posted_at timestamptz, mail_problem text, post_problem text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select a.id, a.kind, a.level, a.amount, a.most, a.raised_at, a.cleared_at, a.mailed_at, a.posted_at, a.mail_problem, a.post_problem
    from public.alerts a
    where app.alone() and a.kind <> 'test';
end;
comment on function app.installation_alerts is 'The installation''s alerts, for the owner of its only clinic; nothing for anybody else.';

create function app.mute_installation(kind text, until timestamptz) returns void
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
comment on function app.mute_installation is 'What `make alerts` does for an operator, for the owner of the only clinic.';

create function app.alert_counts() returns table (kind text, open bigint)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select a.kind, count(*) from public.alerts a where a.cleared_at is null group by a.kind
    union all
    select 'clinic_' || a.kind, count(*) from public.clinic_alerts a where a.cleared_at is null group by a.kind;
end;
comment on function app.alert_counts is 'How many alerts stand, by kind, clinics'' together: no word of any clinic.';

create function app.opened_at() returns timestamptz
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
    begin atomic select min(c.created_at) from public.clinics c; end;
comment on function app.opened_at is 'When the first clinic came: a backup is missed from a day later on.';

-- alerts: their functions
grant execute on function app.alone(), app.test_alert(), app.installation_alerts(), app.mute_installation(text, timestamptz),
    app.alert_counts(), app.muted_until(text) to chairside_app;
grant execute on function app.watch_clinics(), app.queue_alerts(), app.alert_mailboxes(text), app.muted_until(text),
    app.clinic_muted_until(uuid, text), app.opened_at(), app.installation_spend(date) to chairside_worker;
-- not granted: app.defer_alert

-- process_minutes: every process adds its own and the worker adds them up.
alter table process_minutes enable row level security;
alter table process_minutes force row level security;
create policy append on process_minutes for insert with check (true);
create policy worker on process_minutes to chairside_worker using (true);
create policy definer on process_minutes for select to current_user using (true);
grant insert on process_minutes to chairside_app;
grant select, insert, delete on process_minutes to chairside_worker;
-- not granted: update; the app does not read them

-- alerts: the worker's and the operator's. An owner sees them by app.installation_alerts, if theirs is the only clinic.
alter table alerts enable row level security;
alter table alerts force row level security;
create policy worker on alerts to chairside_worker using (true) with check (true);
create policy definer on alerts to current_user using (true) with check (true);
grant select, insert, delete on alerts to chairside_worker;
grant update (amount, calm_since, cleared_at, queued_at, mailed_at, posted_at, mail_problem, post_problem, told_at) on alerts to chairside_worker;
-- not granted: anything to chairside_app

-- alert_mutes
alter table alert_mutes enable row level security;
alter table alert_mutes force row level security;
create policy definer on alert_mutes to current_user using (true) with check (true);
create trigger keep before update or delete on alert_mutes for each row execute function app.refuse();
-- not granted: anything; app.mute_installation and the operator's command write them

-- clinic_alerts: for owners and managers, raised by app.watch_clinics alone.
alter table clinic_alerts enable row level security;
alter table clinic_alerts force row level security;
create policy tenant on clinic_alerts
    using (clinic_id = app.clinic() and app.role() in ('owner', 'manager')) with check (clinic_id = app.clinic());
create policy definer on clinic_alerts to current_user using (true) with check (true);
grant select on clinic_alerts to chairside_app, chairside_worker;
grant update (queued_at, mailed_at, posted_at, mail_problem, post_problem, told_at) on clinic_alerts to chairside_worker;
-- not granted: insert, delete

-- clinic_alert_mutes: owners mute, in their own name.
alter table clinic_alert_mutes enable row level security;
alter table clinic_alert_mutes force row level security;
create policy tenant on clinic_alert_mutes
    using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'))
    with check (clinic_id = app.clinic() and app.role() = 'owner' and user_id = app.user_id());
create policy definer on clinic_alert_mutes for select to current_user using (true);
grant select on clinic_alert_mutes to chairside_app, chairside_worker;
grant insert (clinic_id, kind, until, user_id) on clinic_alert_mutes to chairside_app;
-- not granted: update, delete

revoke all on function app.alone(), app.watch_clinics(), app.queue_alerts(), app.defer_alert(uuid, uuid), app.muted_until(text),
    app.clinic_muted_until(uuid, text), app.test_alert(), app.alert_mailboxes(text), app.installation_alerts(),
    app.mute_installation(text, timestamptz), app.alert_counts(), app.opened_at() from public;
