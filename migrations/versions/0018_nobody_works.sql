-- A dead worker is missed although nothing was asked for; drafts go after a week, whoever comes back; a call knows what its provider saw.

create or replace function app.queue_state()
    returns table (waiting bigint, running bigint, failed bigint, workers bigint, oldest_waiting timestamptz)
    language plpgsql stable security definer set search_path = pg_catalog, procrastinate, pg_temp as $$
begin
    return query
    with seen as (
        select j.status, greatest(e.at, j.scheduled_at) as since,
               j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()
               or j.status = 'doing' and not exists (select from procrastinate_workers w
                                                     where w.id = j.worker_id and w.last_heartbeat > now() - interval '1 minute') as waits
        from procrastinate_jobs j
        left join procrastinate_events e on e.job_id = j.id and e.type = 'deferred'
        where j.status in ('todo', 'doing', 'failed')
    ), living as (
        select count(*) as workers from procrastinate_workers w where w.last_heartbeat > now() - interval '1 minute'
    ), clock as (
        -- Workers ring it every minute. Where none has for five, what it would have brought waits since then.
        select to_timestamp(max(d.defer_timestamp)) as rang
        from procrastinate_periodic_defers d
        having to_timestamp(max(d.defer_timestamp)) < now() - interval '5 minutes' and (select l.workers from living l) = 0
    )
    select count(*) filter (where s.waits),
           count(*) filter (where s.status = 'doing' and not s.waits),
           count(*) filter (where s.status = 'failed'),
           (select l.workers from living l),
           least(min(s.since) filter (where s.waits), (select c.rang from clock c))
    from seen s;
end
$$;
comment on function app.queue_state is 'How many jobs wait, run and failed, how many workers live, and since when the oldest job waits: no word of any clinic. What a dead worker held waits; oldest_waiting is also when its clock rang last, where that was five minutes ago.';

create function app.forget_drafts() returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    delete from public.drafts where updated_at <= now() - interval '7 days';
end;
comment on function app.forget_drafts is 'Drafts older than a week, whoever wrote them and never came back.';
revoke all on function app.forget_drafts from public;
grant execute on function app.forget_drafts() to chairside_worker;

grant update (tier) on ai_calls to chairside_app;
