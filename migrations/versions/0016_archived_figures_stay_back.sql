create or replace function app.sign_out_member(member uuid) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    ended integer;
begin
    if not exists (select from memberships m where m.clinic_id = app.clinic() and m.user_id = member
                   and (app.may_invite(app.role(), m.role) or m.user_id = app.user_id())) then
        raise exception 'not yours to sign out' using errcode = '42501';
    end if;
    delete from tickets t where t.user_id = member and t.clinic_id = app.clinic();
    update memberships m set signed_out_at = clock_timestamp() where m.clinic_id = app.clinic() and m.user_id = member;
    update sessions s set revoked_at = now() where s.user_id = member and s.clinic_id = app.clinic() and s.revoked_at is null;
    get diagnostics ended = row_count;
    return ended;
end
$$;

create or replace view member_stale with (security_invoker = true) as
    select clinic_id, day, user_id, count(*) as calls, sum(cost_usd) as cost_usd,
           count(*) filter (where billable and cost_usd is null) as unpriced
    from stale_calls
    group by clinic_id, day, user_id;

create or replace view stale_calls with (security_invoker = true) as
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

create or replace view usage_now with (security_invoker = true) as
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_hours h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_stale;

create or replace view usage_by_day_now with (security_invoker = true) as
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

create or replace view latency_now with (security_invoker = true) as
    select clinic_id, day, kind, route, buckets, counts
    from latency_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, kind, route, buckets, counts from latency_stale;

create or replace view member_now with (security_invoker = true) as
    select clinic_id, day, user_id, calls, cost_usd, unpriced
    from member_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, user_id, calls, cost_usd, unpriced from member_stale;

create or replace view patient_now with (security_invoker = true) as
    select clinic_id, day, patient_id, calls, cost_usd, unpriced
    from patient_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, patient_id, calls, cost_usd, unpriced from patient_stale;

create or replace view article_now with (security_invoker = true) as
    select clinic_id, day, article, calls
    from article_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, article, calls from article_stale;

create or replace function app.mark_figures() returns trigger
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

create or replace function app.mark_all_figures() returns trigger
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

create or replace function app.roll_up(clinic uuid, days date[]) returns void
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

create or replace function app.erase_patient(patient uuid, version integer, reason text) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    mark constant text := '[erased]';
    clinic constant uuid := app.clinic();
    family uuid[];
    emptied uuid[];
begin
    if app.role() is distinct from 'owner' then
        raise exception 'only an owner erases' using errcode = '42501';
    end if;
    perform pg_advisory_xact_lock(hashtext('chairside.export ' || clinic));
    perform from patients p where p.clinic_id = clinic and p.id in (select app.merged_family(patient)) order by p.id for update;
    if not exists (select from patients p where p.clinic_id = clinic and p.id = patient and p.version = erase_patient.version
                   and p.merged_into is null and p.erased_at is null) then
        raise exception 'this patient has changed' using errcode = 'CS009';
    end if;
    family := array(select app.merged_family(patient));
    if exists (select from emergencies e
               where e.clinic_id = clinic and e.patient_id = any (family) and e.acknowledged_at is null) then
        raise exception 'an emergency is open' using errcode = 'CS010';
    end if;
    emptied := array(select m.id from chat_messages m where m.clinic_id = clinic and m.patient_id = any (family));
    insert into erasures (clinic_id, patient_id, erased_by, reason, messages, versions)
    select clinic, f, app.user_id(), erase_patient.reason,
           (select count(*) from chat_messages m where m.clinic_id = clinic and m.patient_id = f),
           (select count(*) from patient_versions v where v.clinic_id = clinic and v.patient_id = f)
           + (select count(*) from patient_note_versions v where v.clinic_id = clinic and v.patient_id = f)
    from unnest(family) f;
    update patient_notes n set medical_notes = '', alerts = '' where n.clinic_id = clinic and n.patient_id = any (family);
    update patients p
    set external_id = null, full_name = mark, email = null, phone = null, date_of_birth = null, deceased = false,
        deceased_on = null, name_key = '', phone_key = null, search = '', archived_at = coalesce(p.archived_at, now()),
        erased_at = now()
    where p.clinic_id = clinic and p.id = any (family);
    update patient_versions v set data = '{}' where v.clinic_id = clinic and v.patient_id = any (family);
    update patient_note_versions v set data = '{}' where v.clinic_id = clinic and v.patient_id = any (family);
    update chat_messages m
    set content = mark, sent = null, metadata = app.figures_of(m.metadata), finished_at = coalesce(m.finished_at, now()),
        status = case when m.status = 'started' then 'stopped' else m.status end
    where m.clinic_id = clinic and m.patient_id = any (family);
    update answer_ratings r set reason = '' where r.clinic_id = clinic and r.message_id = any (emptied);
    update emergency_actions d set action_taken = mark
    from emergencies e
    where d.clinic_id = clinic and e.clinic_id = clinic and e.id = d.emergency_id and e.patient_id = any (family);
    delete from long_jobs l where l.clinic_id = clinic and (l.kind = 'export' or l.status in ('done', 'stopped', 'failed'));
    delete from drafts d
    where d.clinic_id = clinic
      and right(d.form, 36) in (select a::text from unnest(family || emptied) a
                                union
                                select e.id::text from emergencies e where e.clinic_id = clinic and e.patient_id = any (family));
    delete from answer_cache c where c.clinic_id = clinic;
    return cardinality(emptied);
end
$$;

comment on function app.erase_patient is 'Takes away everything that tells who this was and what was written, in their history and those merged into them too. CS009: changed since that version. CS010: an emergency of theirs waits. Returns how many messages.';
drop view stale_call_days;
drop function app.is_put_away(uuid, timestamptz);
alter table figure_marks drop column of_calls;
comment on table figure_marks is 'at: when what has changed began. No foreign key, as a row lives for a minute.';
