-- Roll-ups of the assistant's figures, kept by marks; every day that has calls or emergencies is counted at the next refresh.

-- figure_marks: the moments of which the roll-ups below are no longer true. Written by triggers with every change, taken away
-- by app.refresh_rollups once it has counted anew. One row per change: a shared row would make all who write wait for each other.
create table figure_marks (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    at timestamptz not null,
    primary key (clinic_id, id)
);
comment on table figure_marks is 'at: when what has changed began. No foreign key, as a row lives for a minute.';

-- figure_changes: how many marks were ever taken away; with those still there, the version of a clinic's figures.
create table figure_changes (
    clinic_id uuid not null,
    marks bigint not null,
    primary key (clinic_id)
);
comment on table figure_changes is 'Counting anew moves marks from there to here, so the version changes with the data and with nothing else.';

-- The roll-ups. Days and hours are those of the clinic's wall clock at the time of counting, so a day is whole whatever its
-- zone's offset and on days of 23, 24 and 25 hours. They outlive the months they were counted from.
create table usage_hours (
    clinic_id uuid not null,
    day date not null,
    hour smallint not null,
    route text not null,
    model text not null,
    status text not null,
    cost_source text not null,
    calls bigint not null,
    tokens_in bigint,
    tokens_cached bigint,
    tokens_out bigint,
    tokens_reasoning bigint,
    uncounted bigint not null,
    cost_usd numeric,
    unpriced bigint not null,
    saved_usd numeric,
    primary key (clinic_id, day, hour, route, model, status, cost_source)
);
comment on table usage_hours is 'model, cost_source: '''' where there is none. Sums add what is known, NULL: nothing of it is. uncounted, unpriced: ended calls at a provider that told no tokens, and of which no price is known.';

-- usage_days: the same by day, because a year of hours takes ten times as long to read.
create table usage_days (
    clinic_id uuid not null,
    day date not null,
    route text not null,
    model text not null,
    status text not null,
    cost_source text not null,
    calls bigint not null,
    tokens_in bigint,
    tokens_cached bigint,
    tokens_out bigint,
    tokens_reasoning bigint,
    uncounted bigint not null,
    cost_usd numeric,
    unpriced bigint not null,
    saved_usd numeric,
    primary key (clinic_id, day, route, model, status, cost_source)
);
comment on table usage_days is 'Hours of usage_hours added up.';

create table latency_days (
    clinic_id uuid not null,
    day date not null,
    kind text not null,
    route text not null,
    buckets smallint[] not null,
    counts bigint[] not null,
    primary key (clinic_id, day, kind, route),
    constraint kind_is_known check (kind in ('total', 'first')),
    constraint every_bucket_has_its_count check (cardinality(buckets) = cardinality(counts))
);
comment on table latency_days is 'Whole answers by app.log_bucket of their milliseconds: to their end (total) and to their first token (first). Arrays: as rows, a year of buckets takes ten times as long to read.';

create table member_days (
    clinic_id uuid not null,
    day date not null,
    user_id uuid not null,
    calls bigint not null,
    cost_usd numeric,
    unpriced bigint not null,
    primary key (clinic_id, day, user_id)
);
comment on table member_days is 'Who asked how much.';

create table patient_days (
    clinic_id uuid not null,
    day date not null,
    patient_id uuid not null,
    calls bigint not null,
    cost_usd numeric,
    unpriced bigint not null,
    primary key (clinic_id, day, patient_id)
);
comment on table patient_days is 'About whom how much was asked.';

create table article_days (
    clinic_id uuid not null,
    day date not null,
    article text not null,
    calls bigint not null,
    primary key (clinic_id, day, article)
);
comment on table article_days is 'Answers that an article gave or went into.';

create table emergency_days (
    clinic_id uuid not null,
    day date not null,
    bucket smallint not null,
    raised bigint not null,
    general bigint not null,
    false_alarms bigint not null,
    primary key (clinic_id, day, bucket)
);
comment on table emergency_days is 'bucket: app.log_bucket of the seconds until somebody acknowledged; -1: nobody has yet.';

create table budget_days (
    clinic_id uuid not null,
    day date not null,
    limit_usd numeric(10, 2) not null,
    primary key (clinic_id, day)
);
comment on table budget_days is 'The budget as it last stood on that day; what was spent of it stands in ai_budgets.';

alter table figure_changes add foreign key (clinic_id) references clinics (id);
alter table usage_hours add foreign key (clinic_id) references clinics (id);
alter table usage_days add foreign key (clinic_id) references clinics (id);
alter table latency_days add foreign key (clinic_id) references clinics (id);
alter table member_days add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table patient_days add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table article_days add foreign key (clinic_id) references clinics (id);
alter table emergency_days add foreign key (clinic_id) references clinics (id);
alter table budget_days add foreign key (clinic_id) references clinics (id);

-- functions: roll-ups -------------------------------------------------------------------------------------------------
-- The …_stale views count the days with a mark from the rows themselves, the …_now views add the days without one from the
-- roll-ups. What the one kind says of a day is what the other is filled with, so that their sums can't differ.

create function app.log_bucket(amount numeric) returns smallint
    language sql immutable strict parallel safe
    return floor(ln(greatest(amount, 1)::double precision) / ln(1.05::double precision))::smallint;
comment on function app.log_bucket is 'Buckets whose ends are 5 % apart: counts of them can be added up, and a percentile read from them is off by 2.5 % at most.';

create function app.step_start(day date, first date, last date, step integer) returns date
    language sql immutable parallel safe
    return case when day >= first then last - (last - day) / step * step - step + 1 end;
comment on function app.step_start is 'The first day of the day''s step, counted back from the last day of a period; NULL before its first.';

create function app.mark_figures() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_table_name = 'emergencies' then
        insert into figure_marks (clinic_id, at) values (coalesce(new.clinic_id, old.clinic_id), coalesce(new.raised_at, old.raised_at));
    else
        insert into figure_marks (clinic_id, at) values (coalesce(new.clinic_id, old.clinic_id), coalesce(new.created_at, old.created_at));
    end if;
    return null;
end
$$;
comment on function app.mark_figures is 'The day of a changed row is counted anew, whenever it was.';

create function app.mark_all_figures() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into figure_marks (clinic_id, at)
    select new.id, at.hour
    from (select least(min(c.created_at), (select min(e.raised_at) from emergencies e where e.clinic_id = new.id)) as first
          from ai_calls c
          where c.clinic_id = new.id) kept
    cross join lateral generate_series(kept.first - interval '1 day', now() + interval '1 day', interval '12 hours') at (hour);
    return null;
end
$$;
comment on function app.mark_all_figures is 'In another time zone every day is another, as far back as there are rows to count.';

create view stale_days with (security_invoker = true) as
    select m.clinic_id, m.day, cast(m.day as timestamp) at time zone m.zone as since,
           cast(m.day + 1 as timestamp) at time zone m.zone as until, m.zone
    from (select k.clinic_id, cast(k.at at time zone c.time_zone as date) as day, c.time_zone as zone
          from figure_marks k
          join clinics c on c.id = k.clinic_id
          group by 1, 2, 3) m;
comment on view stale_days is 'The days with a mark.';

-- An id is made a moment after its row's transaction began, and where clocks are put back at midnight a day begins before its
-- second midnight: two hours on either side, within which the wall clock decides. offset 0: day by day through the index; left
-- to itself, the planner may read a clinic's whole past once for every day.
create view stale_calls with (security_invoker = true) as
    select s.clinic_id, s.day, cast(extract(hour from c.created_at at time zone s.zone) as smallint) as hour, c.user_id, c.patient_id,
           c.route, coalesce(c.model_used, c.model_requested, '') as model, c.status, coalesce(c.cost_source, '') as cost_source,
           c.tokens_in, c.tokens_cached, c.tokens_out, c.tokens_reasoning,
           c.status <> 'started' and c.cost_source is distinct from 'none' as billable,
           c.cost_usd, c.saved_usd, c.article, c.latency_ms, c.first_token_ms
    from stale_days s
    cross join lateral (select app.uuid_floor(s.since - interval '2 hours') as first, app.uuid_floor(s.until + interval '2 hours') as last
                        offset 0) ids
    cross join lateral (
        select a.user_id, a.patient_id, a.route, a.status, a.model_used, a.model_requested, a.tokens_in, a.tokens_cached,
               a.tokens_out, a.tokens_reasoning, a.cost_usd, a.cost_source, a.saved_usd, a.article, a.latency_ms, a.first_token_ms,
               a.created_at
        from ai_calls a
        where a.clinic_id = s.clinic_id
          and a.id >= ids.first
          and a.id < ids.last
        offset 0) c
    where cast(c.created_at at time zone s.zone as date) = s.day;
comment on view stale_calls is 'The calls of those days. billable: ended, and not known to be free.';

create view usage_stale with (security_invoker = true) as
    select clinic_id, day, hour, route, model, status, cost_source, count(*) as calls, sum(tokens_in) as tokens_in,
           sum(tokens_cached) as tokens_cached, sum(tokens_out) as tokens_out, sum(tokens_reasoning) as tokens_reasoning,
           count(*) filter (where billable and (tokens_in is null or tokens_out is null)) as uncounted,
           sum(cost_usd) as cost_usd, count(*) filter (where billable and cost_usd is null) as unpriced,
           sum(saved_usd) as saved_usd
    from stale_calls
    group by clinic_id, day, hour, route, model, status, cost_source;

create view latency_stale with (security_invoker = true) as
    select clinic_id, day, kind, route, array_agg(bucket order by bucket) as buckets, array_agg(calls order by bucket) as counts
    from (select clinic_id, day, kind, route, app.log_bucket(took) as bucket, count(*) as calls
          from (select clinic_id, day, 'total' as kind, route, latency_ms as took from stale_calls where status = 'ok'
                union all
                select clinic_id, day, 'first', route, first_token_ms from stale_calls where status = 'ok') times
          where took is not null
          group by clinic_id, day, kind, route, app.log_bucket(took)) grouped
    group by clinic_id, day, kind, route;
comment on view latency_stale is 'Of whole answers: a stopped or failed one tells nothing of how long an answer takes.';

create view member_stale with (security_invoker = true) as
    select clinic_id, day, user_id, count(*) as calls, sum(cost_usd) as cost_usd,
           count(*) filter (where billable and cost_usd is null) as unpriced
    from stale_calls
    group by clinic_id, day, user_id;

create view patient_stale with (security_invoker = true) as
    select clinic_id, day, patient_id, count(*) as calls, sum(cost_usd) as cost_usd,
           count(*) filter (where billable and cost_usd is null) as unpriced
    from stale_calls
    where patient_id is not null
    group by clinic_id, day, patient_id;

create view article_stale with (security_invoker = true) as
    select clinic_id, day, article, count(*) as calls
    from stale_calls
    where article is not null
    group by clinic_id, day, article;

create view emergency_stale with (security_invoker = true) as
    select s.clinic_id, s.day,
           coalesce(app.log_bucket(extract(epoch from e.acknowledged_at - e.raised_at)), cast(-1 as smallint)) as bucket, count(*) as raised,
           count(*) filter (where e.general) as general, count(*) filter (where e.false_alarm) as false_alarms
    from stale_days s
    cross join lateral (select app.uuid_floor(s.since - interval '2 hours') as first, app.uuid_floor(s.until + interval '2 hours') as last
                        offset 0) ids
    join emergencies e on e.clinic_id = s.clinic_id and e.id >= ids.first and e.id < ids.last
    where cast(e.raised_at at time zone s.zone as date) = s.day
    group by 1, 2, 3;

create view usage_now with (security_invoker = true) as
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_hours h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_stale;

create view usage_by_day_now with (security_invoker = true) as
    select clinic_id, day, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, route, model, status, cost_source, cast(sum(calls) as bigint) as calls, cast(sum(tokens_in) as bigint) as tokens_in,
           cast(sum(tokens_cached) as bigint) as tokens_cached, cast(sum(tokens_out) as bigint) as tokens_out,
           cast(sum(tokens_reasoning) as bigint) as tokens_reasoning, cast(sum(uncounted) as bigint) as uncounted,
           sum(cost_usd) as cost_usd, cast(sum(unpriced) as bigint) as unpriced, sum(saved_usd) as saved_usd
    from usage_stale
    group by clinic_id, day, route, model, status, cost_source;

create view latency_now with (security_invoker = true) as
    select clinic_id, day, kind, route, buckets, counts
    from latency_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, kind, route, buckets, counts from latency_stale;

create view member_now with (security_invoker = true) as
    select clinic_id, day, user_id, calls, cost_usd, unpriced
    from member_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, user_id, calls, cost_usd, unpriced from member_stale;

create view patient_now with (security_invoker = true) as
    select clinic_id, day, patient_id, calls, cost_usd, unpriced
    from patient_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, patient_id, calls, cost_usd, unpriced from patient_stale;

create view article_now with (security_invoker = true) as
    select clinic_id, day, article, calls
    from article_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, article, calls from article_stale;

create view emergency_now with (security_invoker = true) as
    select clinic_id, day, bucket, raised, general, false_alarms
    from emergency_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, bucket, raised, general, false_alarms from emergency_stale;

-- The views see a day only while it has a mark, so the marks go last.
create function app.roll_up(clinic uuid, days date[]) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    delete from usage_hours where clinic_id = clinic and day = any (days);
    insert into usage_hours (clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached,
        tokens_out, tokens_reasoning, uncounted, cost_usd, unpriced, saved_usd)
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out,
        tokens_reasoning, uncounted, cost_usd, unpriced, saved_usd
    from usage_stale where clinic_id = clinic and day = any (days);
    delete from usage_days where clinic_id = clinic and day = any (days);
    insert into usage_days (clinic_id, day, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
        uncounted, cost_usd, unpriced, saved_usd)
    select clinic_id, day, route, model, status, cost_source, cast(sum(calls) as bigint) as calls, cast(sum(tokens_in) as bigint) as tokens_in,
           cast(sum(tokens_cached) as bigint) as tokens_cached, cast(sum(tokens_out) as bigint) as tokens_out,
           cast(sum(tokens_reasoning) as bigint) as tokens_reasoning, cast(sum(uncounted) as bigint) as uncounted,
           sum(cost_usd) as cost_usd, cast(sum(unpriced) as bigint) as unpriced, sum(saved_usd) as saved_usd
    from usage_hours where clinic_id = clinic and day = any (days)
    group by clinic_id, day, route, model, status, cost_source;
    delete from latency_days where clinic_id = clinic and day = any (days);
    insert into latency_days (clinic_id, day, kind, route, buckets, counts)
    select clinic_id, day, kind, route, buckets, counts
    from latency_stale where clinic_id = clinic and day = any (days);
    delete from member_days where clinic_id = clinic and day = any (days);
    insert into member_days (clinic_id, day, user_id, calls, cost_usd, unpriced)
    select clinic_id, day, user_id, calls, cost_usd, unpriced
    from member_stale where clinic_id = clinic and day = any (days);
    delete from patient_days where clinic_id = clinic and day = any (days);
    insert into patient_days (clinic_id, day, patient_id, calls, cost_usd, unpriced)
    select clinic_id, day, patient_id, calls, cost_usd, unpriced
    from patient_stale where clinic_id = clinic and day = any (days);
    delete from article_days where clinic_id = clinic and day = any (days);
    insert into article_days (clinic_id, day, article, calls)
    select clinic_id, day, article, calls
    from article_stale where clinic_id = clinic and day = any (days);
    delete from emergency_days where clinic_id = clinic and day = any (days);
    insert into emergency_days (clinic_id, day, bucket, raised, general, false_alarms)
    select clinic_id, day, bucket, raised, general, false_alarms
    from emergency_stale where clinic_id = clinic and day = any (days);
    insert into budget_days as b (clinic_id, day, limit_usd)
    select a.clinic_id, d.day, a.daily_budget_usd
    from assistant_settings a
    cross join unnest(days) d (day)
    where a.clinic_id = clinic
    on conflict (clinic_id, day) do update
    set limit_usd = excluded.limit_usd
    where excluded.day >= (select cast(now() at time zone c.time_zone as date) from clinics c where c.id = clinic);
end
$$;
comment on function app.roll_up is 'Counts days anew that have a mark. A budget of the past stays what it was.';

-- The marks are chosen before their rows are counted: whatever is committed later has marks of its own, for the next time.
create function app.refresh_rollups(most integer default 100) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    chosen record;
    taken integer;
    counted integer := 0;
begin
    if not pg_try_advisory_xact_lock(hashtext('chairside.rollups')) then
        return 0;
    end if;
    for chosen in
        select m.clinic_id, array_agg(distinct m.day) as days, array_agg(m.id) as marks
        from (select f.clinic_id, f.day, f.id, dense_rank() over (order by f.since, f.clinic_id, f.day) as place
              from (select d.clinic_id, d.day, d.id, min(app.uuid_time(d.id)) over (partition by d.clinic_id, d.day) as since
                    from (select k.clinic_id, cast(k.at at time zone c.time_zone as date) as day, k.id
                          from figure_marks k
                          join clinics c on c.id = k.clinic_id) d) f) m
        where m.place <= most
        group by m.clinic_id
    loop
        perform app.roll_up(chosen.clinic_id, chosen.days);
        delete from figure_marks where clinic_id = chosen.clinic_id and id = any (chosen.marks);
        get diagnostics taken = row_count;
        insert into figure_changes as f (clinic_id, marks) values (chosen.clinic_id, taken)
        on conflict (clinic_id) do update set marks = f.marks + excluded.marks;
        counted := counted + cardinality(chosen.days);
    end loop;
    return counted;
end
$$;
comment on function app.refresh_rollups is 'Counts up to so many days with marks anew, in every clinic, those marked first; one process at a time. Returns how many.';

revoke all on all functions in schema app from public;

create policy definer on emergencies for select to current_user using (true);

-- the roll-ups and their marks: for owners and managers to read, written by app.mark_figures and app.refresh_rollups alone.
alter table figure_marks enable row level security;
alter table figure_marks force row level security;
create policy tenant on figure_marks for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on figure_marks to current_user using (true) with check (true);
grant select on figure_marks to chairside_app;
alter table figure_changes enable row level security;
alter table figure_changes force row level security;
create policy tenant on figure_changes for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on figure_changes to current_user using (true) with check (true);
grant select on figure_changes to chairside_app;
alter table usage_hours enable row level security;
alter table usage_hours force row level security;
create policy tenant on usage_hours for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on usage_hours to current_user using (true) with check (true);
grant select on usage_hours to chairside_app;
alter table usage_days enable row level security;
alter table usage_days force row level security;
create policy tenant on usage_days for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on usage_days to current_user using (true) with check (true);
grant select on usage_days to chairside_app;
alter table latency_days enable row level security;
alter table latency_days force row level security;
create policy tenant on latency_days for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on latency_days to current_user using (true) with check (true);
grant select on latency_days to chairside_app;
alter table member_days enable row level security;
alter table member_days force row level security;
create policy tenant on member_days for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on member_days to current_user using (true) with check (true);
grant select on member_days to chairside_app;
alter table patient_days enable row level security;
alter table patient_days force row level security;
create policy tenant on patient_days for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on patient_days to current_user using (true) with check (true);
grant select on patient_days to chairside_app;
alter table article_days enable row level security;
alter table article_days force row level security;
create policy tenant on article_days for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on article_days to current_user using (true) with check (true);
grant select on article_days to chairside_app;
alter table emergency_days enable row level security;
alter table emergency_days force row level security;
create policy tenant on emergency_days for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on emergency_days to current_user using (true) with check (true);
grant select on emergency_days to chairside_app;
alter table budget_days enable row level security;
alter table budget_days force row level security;
create policy tenant on budget_days for select using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
create policy definer on budget_days to current_user using (true) with check (true);
grant select on budget_days to chairside_app;
grant select on stale_days, stale_calls, usage_stale, latency_stale, member_stale, patient_stale, article_stale, emergency_stale,
    usage_now, usage_by_day_now, latency_now, member_now, patient_now, article_now, emergency_now to chairside_app;
-- not granted: insert, update, delete
create trigger mark_figures after insert or update or delete on ai_calls for each row execute function app.mark_figures();
create trigger mark_figures after insert or update or delete on emergencies for each row execute function app.mark_figures();
create trigger mark_all_figures after update of time_zone on clinics for each row
    when (new.time_zone is distinct from old.time_zone) execute function app.mark_all_figures();
grant execute on function app.log_bucket(numeric), app.step_start(date, date, date, integer), app.refresh_rollups(integer) to chairside_app, chairside_worker;

insert into figure_marks (clinic_id, at)
select clinic_id, min(created_at) from ai_calls group by clinic_id, date_bin('15 minutes', created_at, timestamptz 'epoch')
union all
select clinic_id, min(raised_at) from emergencies group by clinic_id, date_bin('15 minutes', raised_at, timestamptz 'epoch');
