alter table alerts drop constraint kind_is_known, add constraint kind_is_known check (kind in (
    'budget', 'reruns', 'requests', 'answers', 'errors', 'connections', 'disk', 'backup', 'archive', 'provider', 'worker', 'test'));
alter table alert_mutes drop constraint kind_is_known, add constraint kind_is_known check (kind in (
    'budget', 'reruns', 'requests', 'answers', 'errors', 'connections', 'disk', 'backup', 'archive', 'provider', 'worker'));

create policy app on alerts to chairside_app using (kind = 'worker') with check (kind = 'worker');
grant select, insert on alerts to chairside_app;
grant update (amount, calm_since, cleared_at, queued_at, mailed_at, posted_at, mail_problem, post_problem, told_at) on alerts to chairside_app;

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
