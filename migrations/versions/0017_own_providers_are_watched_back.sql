create or replace function app.watch_clinics() returns table (clinic_id uuid, kind text, level smallint, cleared boolean)
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

delete from clinic_alerts where kind = 'own_provider';
alter table clinic_alert_mutes no force row level security;
delete from clinic_alert_mutes where kind = 'own_provider';
alter table clinic_alert_mutes force row level security;
comment on table process_minutes is 'kind: reruns, requests, answers (slow ones), errors (failed ones), disk (percent of 100), provider (1 of 1: its breaker is open). Kept for an hour.';
comment on table alerts is 'level: 80 or 100 of a budget, else 0. amount, most: what was measured last, and the limit. calm_since: below the lower limit from then on. queued_at, end_queued_at: when the job that tells of it and of its end was queued. told_at: that job did all there was to do.';
comment on table clinic_alerts is 'subject: the day of a budget, the id of an emergency. The other columns as in alerts.';
alter table clinic_alert_mutes drop constraint kind_is_known, add constraint kind_is_known check (kind in ('budget', 'emergency'));
alter table clinic_alerts drop constraint kind_is_known, add constraint kind_is_known check (kind in ('budget', 'emergency', 'test'));
