-- As 0019 had them.

create or replace view usage_now with (security_invoker = true) as
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_hours h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_stale;

create or replace view usage_by_day_now with (security_invoker = true) as
    select clinic_id, day, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
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
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, kind, route, buckets, counts from latency_stale;

create or replace view member_now with (security_invoker = true) as
    select clinic_id, day, user_id, calls, cost_usd, unpriced
    from member_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, user_id, calls, cost_usd, unpriced from member_stale;

create or replace view patient_now with (security_invoker = true) as
    select clinic_id, day, patient_id, calls, cost_usd, unpriced
    from patient_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, patient_id, calls, cost_usd, unpriced from patient_stale;

create or replace view article_now with (security_invoker = true) as
    select clinic_id, day, article, calls
    from article_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, article, calls from article_stale;

create or replace view emergency_now with (security_invoker = true) as
    select clinic_id, day, bucket, raised, general, false_alarms
    from emergency_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select clinic_id, day, bucket, raised, general, false_alarms from emergency_stale;

drop function app.usage_anew(uuid), app.latency_anew(uuid), app.member_anew(uuid), app.patient_anew(uuid), app.article_anew(uuid), app.emergency_anew(uuid);
alter policy tenant on figure_marks using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
alter policy tenant on figure_changes using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
alter policy tenant on usage_hours using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
alter policy tenant on usage_days using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
alter policy tenant on latency_days using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
alter policy tenant on member_days using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
alter policy tenant on patient_days using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
alter policy tenant on article_days using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
alter policy tenant on emergency_days using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
alter policy tenant on budget_days using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'));
drop function app.managed_clinic;
