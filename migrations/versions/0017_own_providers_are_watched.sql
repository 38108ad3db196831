-- A clinic hears of it when the provider of its own does not answer; the operator, when the disk of the backups is full.

alter table clinic_alerts drop constraint kind_is_known, add constraint kind_is_known check (kind in ('budget', 'emergency', 'own_provider', 'test'));
alter table clinic_alert_mutes drop constraint kind_is_known, add constraint kind_is_known check (kind in ('budget', 'emergency', 'own_provider'));
comment on table clinic_alerts is 'subject: the day of a budget, the id of an emergency, nothing of a provider. The other columns as in alerts.';
comment on table process_minutes is 'kind: reruns, requests, answers (slow ones), errors (failed ones), disk, backups (percent of 100), provider (1 of 1: its breaker is open). Kept for an hour.';
comment on table alerts is 'level: 80 or 100 of a budget, 1 of the disk that backups go to, else 0. amount, most: what was measured last, and the limit. calm_since: below the lower limit from then on. queued_at, end_queued_at: when the job that tells of it and of its end was queued. told_at: that job did all there was to do.';

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
