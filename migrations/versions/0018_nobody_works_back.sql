revoke update (tier) on ai_calls from chairside_app;
drop function app.forget_drafts;

create or replace function app.queue_state()
    returns table (waiting bigint, running bigint, failed bigint, workers bigint, oldest_waiting timestamptz)
    language plpgsql stable security definer set search_path = pg_catalog, procrastinate, pg_temp as $$
begin
    return query
    select count(*) filter (where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()),
           count(*) filter (where j.status = 'doing'),
           count(*) filter (where j.status = 'failed'),
           (select count(*) from procrastinate_workers w where w.last_heartbeat > now() - interval '1 minute'),
           min(greatest(e.at, j.scheduled_at)) filter (where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now())
    from procrastinate_jobs j
    left join procrastinate_events e on e.job_id = j.id and e.type = 'deferred'
    where j.status in ('todo', 'doing', 'failed');
end
$$;
comment on function app.queue_state is 'How many jobs wait, run and failed, how many workers live, and since when the oldest job waits: no word of any clinic.';
