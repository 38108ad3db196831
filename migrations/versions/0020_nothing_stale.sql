-- Figures of a clinic in which nothing has a mark are read without planning how marked days would be counted, and who may read them is
-- asked once and not for each row.

create function app.managed_clinic() returns uuid language sql stable parallel safe
    return case when app.role() in ('owner', 'manager') then app.clinic() end;
comment on function app.managed_clinic is 'The clinic, for those who read its figures, else NULL. In a policy one comparison with a column is made once for all rows; a condition without a column is asked for each.';
revoke all on function app.managed_clinic from public;
grant execute on function app.managed_clinic() to chairside_app, chairside_worker;
alter policy tenant on figure_marks using (clinic_id = app.managed_clinic());
alter policy tenant on figure_changes using (clinic_id = app.managed_clinic());
alter policy tenant on usage_hours using (clinic_id = app.managed_clinic());
alter policy tenant on usage_days using (clinic_id = app.managed_clinic());
alter policy tenant on latency_days using (clinic_id = app.managed_clinic());
alter policy tenant on member_days using (clinic_id = app.managed_clinic());
alter policy tenant on patient_days using (clinic_id = app.managed_clinic());
alter policy tenant on article_days using (clinic_id = app.managed_clinic());
alter policy tenant on emergency_days using (clinic_id = app.managed_clinic());
alter policy tenant on budget_days using (clinic_id = app.managed_clinic());

create function app.usage_anew(clinic uuid) returns setof usage_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.usage_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.latency_anew(clinic uuid) returns setof latency_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.latency_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.member_anew(clinic uuid) returns setof member_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.member_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.patient_anew(clinic uuid) returns setof patient_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.patient_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.article_anew(clinic uuid) returns setof article_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.article_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.emergency_anew(clinic uuid) returns setof emergency_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic) then
        return query select s.* from public.emergency_stale s where s.clinic_id = clinic;
    end if;
end
$$;
comment on function app.usage_anew is 'What usage_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.latency_anew is 'What latency_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.member_anew is 'What member_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.patient_anew is 'What patient_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.article_anew is 'What article_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.emergency_anew is 'What emergency_stale says of one clinic; nothing, and at once, where nothing has a mark.';
revoke all on function app.usage_anew(uuid), app.latency_anew(uuid), app.member_anew(uuid), app.patient_anew(uuid), app.article_anew(uuid), app.emergency_anew(uuid) from public;
grant execute on function app.usage_anew(uuid), app.latency_anew(uuid), app.member_anew(uuid), app.patient_anew(uuid), app.article_anew(uuid), app.emergency_anew(uuid) to chairside_app;

create or replace view usage_now with (security_invoker = true) as
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_hours h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, u.day, u.hour, u.route, u.model, u.status, u.cost_source, u.calls, u.tokens_in, u.tokens_cached, u.tokens_out,
           u.tokens_reasoning, u.uncounted, u.cost_usd, u.unpriced, u.saved_usd
    from clinics c
    cross join lateral app.usage_anew(c.id) u;

create or replace view usage_by_day_now with (security_invoker = true) as
    select clinic_id, day, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, u.day, u.route, u.model, u.status, u.cost_source, cast(sum(u.calls) as bigint) as calls,
           cast(sum(u.tokens_in) as bigint) as tokens_in, cast(sum(u.tokens_cached) as bigint) as tokens_cached,
           cast(sum(u.tokens_out) as bigint) as tokens_out, cast(sum(u.tokens_reasoning) as bigint) as tokens_reasoning,
           cast(sum(u.uncounted) as bigint) as uncounted, sum(u.cost_usd) as cost_usd, cast(sum(u.unpriced) as bigint) as unpriced,
           sum(u.saved_usd) as saved_usd
    from clinics c
    cross join lateral app.usage_anew(c.id) u
    group by c.id, u.day, u.route, u.model, u.status, u.cost_source;

create or replace view latency_now with (security_invoker = true) as
    select clinic_id, day, kind, route, buckets, counts
    from latency_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, l.day, l.kind, l.route, l.buckets, l.counts from clinics c cross join lateral app.latency_anew(c.id) l;

create or replace view member_now with (security_invoker = true) as
    select clinic_id, day, user_id, calls, cost_usd, unpriced
    from member_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, m.day, m.user_id, m.calls, m.cost_usd, m.unpriced from clinics c cross join lateral app.member_anew(c.id) m;

create or replace view patient_now with (security_invoker = true) as
    select clinic_id, day, patient_id, calls, cost_usd, unpriced
    from patient_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, p.day, p.patient_id, p.calls, p.cost_usd, p.unpriced from clinics c cross join lateral app.patient_anew(c.id) p;

create or replace view article_now with (security_invoker = true) as
    select clinic_id, day, article, calls
    from article_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, a.day, a.article, a.calls from clinics c cross join lateral app.article_anew(c.id) a;

create or replace view emergency_now with (security_invoker = true) as
    select clinic_id, day, bucket, raised, general, false_alarms
    from emergency_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, e.day, e.bucket, e.raised, e.general, e.false_alarms
    from clinics c
    cross join lateral app.emergency_anew(c.id) e;
