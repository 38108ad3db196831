-- Jobs: a queue of procrastinate's in a schema of its own, what somebody's long job has done so far, and what the worker may.

-- long_jobs: what somebody asked for that takes longer than a page, and how far it is. Its asker's own, for a week.
create table long_jobs (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    user_id uuid not null,
    kind text not null,
    name text not null,
    choices jsonb not null default '{}',
    input bytea,
    status text not null default 'waiting',
    done integer not null default 0,
    total integer not null,
    problem text not null default '',
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    cancelled_at timestamptz,
    dismissed_at timestamptz,
    primary key (clinic_id, id),
    constraint kind_is_known check (kind in ('import', 'export')),
    constraint status_is_known check (status in ('waiting', 'running', 'done', 'stopped', 'failed')),
    constraint done_is_part_of_total check (done between 0 and total),
    constraint name_is_short check (length(name) <= 255)
);
create index long_jobs_by_person on long_jobs (clinic_id, user_id, id desc);
comment on table long_jobs is 'input: the uploaded file, removed once its last row is done. done: rows whose outcome is committed, so a job goes on where it stopped.';

-- import_outcomes: what became of an import's rows, a batch per row here, written in the batch's own transaction.
create table import_outcomes (
    clinic_id uuid not null,
    job_id uuid not null,
    user_id uuid not null,
    seq integer not null,
    outcomes jsonb not null,
    primary key (clinic_id, job_id, seq)
);
comment on table import_outcomes is 'seq: rows that were done before this batch. It goes with its long_jobs row.';

alter table long_jobs add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table import_outcomes add foreign key (clinic_id, job_id) references long_jobs (clinic_id, id) on delete cascade;

-- functions: background jobs ------------------------------------------------------------------------------------------
-- A job's arguments are ids and nothing else: what they stand for is read when it runs, under the policies of that moment.

create function app.defer_job(task text, subject uuid) returns bigint
    language plpgsql security definer set search_path = pg_catalog, procrastinate, pg_temp as $$
begin
    if app.clinic() is null or task not in ('import_patients', 'mail_invitation') then
        raise exception 'no such job' using errcode = '42501';
    end if;
    return (procrastinate_defer_jobs_v1(array[row(
        'default', task, case when task = 'import_patients' then -1 else 0 end,
        case when task = 'import_patients' then 'import ' || app.clinic() end, null,
        jsonb_build_object('clinic_id', app.clinic(), 'id', subject), null)::procrastinate_job_to_defer_v1]))[1];
end
$$;
comment on function app.defer_job is 'Queues a job about something of the clinic this transaction is in; it exists once that commits. One import per clinic at a time, and mails before imports.';

create function app.ask_reset(address text) returns uuid
    language plpgsql security definer set search_path = pg_catalog, procrastinate, public, pg_temp as $$
declare
    person uuid;
begin
    select u.id into person from users u where u.email_norm = app.fold_email(address);
    if person is not null then
        perform procrastinate_defer_jobs_v1(array[row('default', 'mail_reset', 0, null, null,
            jsonb_build_object('id', person), null)::procrastinate_job_to_defer_v1]);
    end if;
    return person;
end
$$;
comment on function app.ask_reset is 'Queues the mail with a link to a new password; NULL for an unknown address.';

create function app.issue_reset_of(person uuid, token bytea) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    address text;
begin
    delete from password_resets where expires_at < now();
    select u.email into address from users u where u.id = person;
    if address is not null then
        insert into password_resets (id, user_id) values (token, person);
    end if;
    return address;
end
$$;
comment on function app.issue_reset_of is 'The address for a mail with this token, which is good for thirty minutes from now; NULL once the person is gone. The worker role''s alone.';

-- A killed worker sends no heartbeat any more. Its jobs wait for another one, three times in all, then they have failed.
create function app.rescue_jobs(patience interval) returns integer
    language plpgsql security definer set search_path = pg_catalog, procrastinate, public, pg_temp as $$
declare
    rescued integer;
begin
    if not pg_try_advisory_xact_lock(hashtext('chairside.rescue')) then
        return 0;
    end if;
    update procrastinate_jobs j
    set status = (case when j.abort_requested then 'aborted' when j.attempts >= 2 then 'failed' else 'todo' end)::procrastinate_job_status,
        attempts = j.attempts + 1, abort_requested = false, worker_id = null
    where j.status = 'doing'
      and not exists (select from procrastinate_workers w where w.id = j.worker_id and w.last_heartbeat > now() - patience);
    get diagnostics rescued = row_count;
    delete from procrastinate_workers w where w.last_heartbeat <= now() - patience;
    update long_jobs l set status = 'failed'
    where l.status in ('waiting', 'running') and l.created_at < now() - patience
      and not exists (select from procrastinate_jobs j where j.status in ('todo', 'doing') and j.args ->> 'id' = l.id::text);
    return rescued;
end
$$;
comment on function app.rescue_jobs is 'Takes jobs back from workers that were not heard of for that long, and ends long jobs that no queued job stands for. The worker role''s alone.';

create function app.forget_long_jobs() returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    gone integer;
begin
    delete from long_jobs where created_at < now() - interval '7 days' and status in ('done', 'stopped', 'failed');
    get diagnostics gone = row_count;
    return gone;
end
$$;
comment on function app.forget_long_jobs is 'Long jobs older than a week, with their files and reports.';

create function app.queue_state()
    returns table (waiting bigint, running bigint, failed bigint, workers bigint, oldest_waiting timestamptz)
    language plpgsql stable security definer set search_path = pg_catalog, procrastinate, pg_temp as $$
begin
    return query
    select count(*) filter (where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()),
           count(*) filter (where j.status = 'doing'),
           count(*) filter (where j.status = 'failed'),
           (select count(*) from procrastinate_workers w where w.last_heartbeat > now() - interval '1 minute'),
           min(e.at) filter (where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now())
    from procrastinate_jobs j
    left join procrastinate_events e on e.job_id = j.id and e.type = 'deferred'
    where j.status in ('todo', 'doing', 'failed');
end
$$;
comment on function app.queue_state is 'How many jobs wait, run and failed, how many workers live, and since when the oldest job waits: no word of any clinic.';

create function app.move_long_job() returns trigger language plpgsql as $$
begin
    if old.status = 'done' and new.status <> 'done' then
        raise exception 'this job is done' using errcode = 'CS002';
    end if;
    if new.status = 'done' then
        new.input := null;
    end if;
    if new.status <> old.status then
        new.finished_at := case when new.status in ('done', 'stopped', 'failed') then now() end;
    end if;
    return new;
end
$$;
comment on function app.move_long_job is 'What is done stays done and needs its file no more; finished_at follows the status.';

grant execute on function app.defer_job(text, uuid), app.ask_reset(text) to chairside_app;
grant execute on function app.queue_state() to chairside_app, chairside_worker;
grant execute on function app.issue_reset_of(uuid, bytea), app.forget_long_jobs(), app.rescue_jobs(interval), app.find_invitation(uuid, bytea),
    app.may_invite(text, text) to chairside_worker;
-- A job that somebody asked for runs as that member, while the membership lasts; app.enter_job is for everything else.
grant execute on function app.enter(uuid, uuid) to chairside_worker;
revoke all on function app.defer_job(text, uuid), app.ask_reset(text), app.issue_reset_of(uuid, bytea), app.forget_long_jobs(),
    app.rescue_jobs(interval), app.queue_state(), app.move_long_job() from public;

-- long_jobs: their asker's; app.enter_job, which has no member, sees all of the clinic's.
alter table long_jobs enable row level security;
alter table long_jobs force row level security;
create policy tenant on long_jobs
    using (clinic_id = app.clinic() and (user_id = app.user_id() or app.user_id() is null))
    with check (clinic_id = app.clinic() and (user_id = app.user_id() or app.user_id() is null));
create policy definer on long_jobs to current_user using (true) with check (true);
grant select (clinic_id, id, user_id, kind, name, status, done, total, problem, created_at, finished_at, cancelled_at, dismissed_at)
    on long_jobs to chairside_app;
grant insert (clinic_id, id, user_id, kind, name, choices, input, total) on long_jobs to chairside_app;
grant update (status, cancelled_at, dismissed_at) on long_jobs to chairside_app;
grant select on long_jobs to chairside_worker;
grant update (status, done, problem) on long_jobs to chairside_worker;
-- not granted: delete (app.forget_long_jobs does, after a week); the app does not read the file back
create trigger move before update on long_jobs for each row execute function app.move_long_job();

-- import_outcomes: written by the worker, read by whoever asked.
alter table import_outcomes enable row level security;
alter table import_outcomes force row level security;
create policy tenant on import_outcomes
    using (clinic_id = app.clinic() and (user_id = app.user_id() or app.user_id() is null))
    with check (clinic_id = app.clinic() and user_id = app.user_id());
create policy definer on import_outcomes to current_user using (true) with check (true);
grant select on import_outcomes to chairside_app, chairside_worker;
grant insert on import_outcomes to chairside_worker;
-- not granted: update, delete (they go with their job)

-- what imports and mails need beside that; every other table stays closed to chairside_worker
grant insert on patients to chairside_worker;
grant update (full_name, email, phone, date_of_birth, deceased, deceased_on, name_key, phone_key, search) on patients to chairside_worker;
grant select, insert on patient_notes to chairside_worker;
grant update (medical_notes, alerts) on patient_notes to chairside_worker;
grant insert (clinic_id, user_id, session_id, action, resource, resource_id, patient_id, fields, row_count, term_hash, address,
              request_id) on audit_log to chairside_worker;
grant select (clinic_id, id, invited_by) on invitations to chairside_worker;
grant insert (id) on invitations to chairside_app;

-- the job queue -------------------------------------------------------------------------------------------------------
-- procrastinate's own tables and functions, in a schema of their own: word for word the package's, which a test compares, so
-- that no new version comes in unnoticed (ADR 015). Not tenant tables: a job's arguments are ids, and only the worker reads them.

create schema procrastinate;
comment on schema procrastinate is 'The job queue, kept by the package of that name. The app reaches it through app.defer_job alone.';
set search_path = procrastinate, pg_catalog;
-- procrastinate 3.10.0
-- Procrastinate Schema

DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;
EXCEPTION
    WHEN OTHERS THEN
        -- On managed PostgreSQL services (e.g. Azure Database for PostgreSQL, Amazon RDS,
        -- Google Cloud SQL), CREATE EXTENSION may fail with various error codes:
        -- insufficient_privilege, feature_not_supported, or provider-specific errors.
        -- Before ignoring, verify the extension actually exists — if it does not exist
        -- and cannot be created, re-raise so the failure is explicit.
        IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'plpgsql') THEN
            RAISE NOTICE 'plpgsql extension already exists, skipping creation.';
        ELSE
            RAISE;
        END IF;
END;
$$;

-- Enums

CREATE TYPE procrastinate_job_status AS ENUM (
    'todo',  -- The job is queued
    'doing',  -- The job has been fetched by a worker
    'succeeded',  -- The job ended successfully
    'failed',  -- The job ended with an error
    'cancelled', -- The job was cancelled
    'aborting',  -- legacy, not used anymore since v3.0.0
    'aborted'  -- The job was aborted
);

CREATE TYPE procrastinate_job_event_type AS ENUM (
    'deferred',  -- Job created, in todo
    'started',  -- todo -> doing
    'deferred_for_retry',  -- doing -> todo
    'failed',  -- doing -> failed
    'succeeded',  -- doing -> succeeded
    'cancelled', -- todo -> cancelled
    'abort_requested', -- not a state transition, but set in a separate field
    'aborted', -- doing -> aborted (only allowed when abort_requested field is set)
    'scheduled', -- not a state transition, but recording when a task is scheduled for
    'retried' -- Manually retried failed job
);

-- Composite Types

CREATE TYPE procrastinate_job_to_defer_v1 AS (
    queue_name character varying,
    task_name character varying,
    priority integer,
    lock text,
    queueing_lock text,
    args jsonb,
    scheduled_at timestamp with time zone
);

-- Tables

CREATE TABLE procrastinate_workers(
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    last_heartbeat timestamp with time zone NOT NULL DEFAULT NOW()
);

CREATE TABLE procrastinate_jobs (
    id bigserial PRIMARY KEY,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    lock text,
    queueing_lock text,
    args jsonb DEFAULT '{}' NOT NULL,
    status procrastinate_job_status DEFAULT 'todo'::procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone NULL,
    attempts integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint REFERENCES procrastinate_workers(id) ON DELETE SET NULL,
    CONSTRAINT check_not_todo_abort_requested CHECK (NOT (status = 'todo' AND abort_requested = true))
);

CREATE TABLE procrastinate_periodic_defers (
    id bigserial PRIMARY KEY,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint REFERENCES procrastinate_jobs(id) NULL,
    periodic_id character varying(128) NOT NULL DEFAULT '',
    CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp)
);

CREATE TABLE procrastinate_events (
    id bigserial PRIMARY KEY,
    job_id bigint NOT NULL REFERENCES procrastinate_jobs ON DELETE CASCADE,
    type procrastinate_job_event_type,
    at timestamp with time zone DEFAULT NOW() NULL
);

-- Constraints & Indices

-- this prevents from having several jobs with the same queueing lock in the "todo" state
CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON procrastinate_jobs (queueing_lock) WHERE status = 'todo';
-- this prevents from having several jobs with the same lock in the "doing" state
CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON procrastinate_jobs (lock) WHERE status = 'doing';

-- Index for select_stalled_jobs_by_heartbeat query
CREATE INDEX idx_procrastinate_jobs_worker_not_null ON procrastinate_jobs(worker_id) WHERE worker_id IS NOT NULL AND status = 'doing'::procrastinate_job_status;

CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON procrastinate_jobs(queue_name);
CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON procrastinate_jobs (id, lock) WHERE status = ANY (ARRAY['todo'::procrastinate_job_status, 'doing'::procrastinate_job_status]);
CREATE INDEX procrastinate_jobs_priority_idx_v1 ON procrastinate_jobs(priority desc, id asc) WHERE (status = 'todo'::procrastinate_job_status);

CREATE INDEX procrastinate_events_job_id_fkey_v1 ON procrastinate_events(job_id);

CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON procrastinate_periodic_defers(job_id);

CREATE INDEX idx_procrastinate_workers_last_heartbeat ON procrastinate_workers(last_heartbeat);

-- Functions
CREATE FUNCTION procrastinate_defer_jobs_v1(
    jobs procrastinate_job_to_defer_v1[]
)
    RETURNS bigint[]
    LANGUAGE plpgsql
AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;

    RETURN job_ids;
END;
$$;

CREATE FUNCTION procrastinate_defer_periodic_job_v2(
    _queue_name character varying,
    _lock character varying,
    _queueing_lock character varying,
    _task_name character varying,
    _priority integer,
    _periodic_id character varying,
    _defer_timestamp bigint,
    _args jsonb
)
    RETURNS bigint
    LANGUAGE plpgsql
AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;

    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;

    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;

    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;

    RETURN _job_id;
END;
$$;

CREATE FUNCTION procrastinate_fetch_job_v2(
    target_queue_names character varying[],
    p_worker_id bigint
)
    RETURNS procrastinate_jobs
    LANGUAGE plpgsql
AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;

 RETURN found_jobs;
END;
$$;

CREATE FUNCTION procrastinate_finish_job_v1(job_id bigint, end_status procrastinate_job_status, delete_job boolean)
    RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;

CREATE FUNCTION procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean)
    RETURNS bigint
    LANGUAGE plpgsql
AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;

CREATE FUNCTION procrastinate_retry_job_v1(
    job_id bigint,
    retry_at timestamp with time zone,
    new_priority integer,
    new_queue_name character varying,
    new_lock character varying
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;

CREATE FUNCTION procrastinate_retry_job_v2(
    job_id bigint,
    retry_at timestamp with time zone,
    new_priority integer,
    new_queue_name character varying,
    new_lock character varying
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;

END;
$$;

CREATE FUNCTION procrastinate_notify_queue_job_inserted_v1()
    RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;

CREATE FUNCTION procrastinate_notify_queue_abort_job_v1()
RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;

CREATE FUNCTION procrastinate_trigger_function_status_events_insert_v1()
    RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;

CREATE FUNCTION procrastinate_trigger_function_status_events_update_v1()
    RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;

CREATE FUNCTION procrastinate_trigger_function_scheduled_events_v1()
    RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);

	RETURN NEW;
END;
$$;

CREATE FUNCTION procrastinate_trigger_abort_requested_events_procedure_v1()
    RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;

CREATE FUNCTION procrastinate_unlink_periodic_defers_v1()
    RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;

CREATE FUNCTION procrastinate_register_worker_v1()
    RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;

CREATE FUNCTION procrastinate_unregister_worker_v1(worker_id bigint)
    RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;

CREATE FUNCTION procrastinate_update_heartbeat_v1(worker_id bigint)
    RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;

CREATE FUNCTION procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat float)
    RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;

-- Triggers

CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1
    AFTER INSERT ON procrastinate_jobs
    FOR EACH ROW WHEN ((new.status = 'todo'::procrastinate_job_status))
    EXECUTE PROCEDURE procrastinate_notify_queue_job_inserted_v1();

CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1
    AFTER UPDATE OF abort_requested ON procrastinate_jobs
    FOR EACH ROW WHEN ((old.abort_requested = false AND new.abort_requested = true AND new.status = 'doing'::procrastinate_job_status))
    EXECUTE PROCEDURE procrastinate_notify_queue_abort_job_v1();

CREATE TRIGGER procrastinate_trigger_status_events_update_v1
    AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW
    EXECUTE PROCEDURE procrastinate_trigger_function_status_events_update_v1();

CREATE TRIGGER procrastinate_trigger_status_events_insert_v1
    AFTER INSERT ON procrastinate_jobs
    FOR EACH ROW WHEN ((new.status = 'todo'::procrastinate_job_status))
    EXECUTE PROCEDURE procrastinate_trigger_function_status_events_insert_v1();

CREATE TRIGGER procrastinate_trigger_scheduled_events_v1
    AFTER UPDATE OR INSERT ON procrastinate_jobs
    FOR EACH ROW WHEN ((new.scheduled_at IS NOT NULL AND new.status = 'todo'::procrastinate_job_status))
    EXECUTE PROCEDURE procrastinate_trigger_function_scheduled_events_v1();

CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1
    AFTER UPDATE OF abort_requested ON procrastinate_jobs
    FOR EACH ROW WHEN ((new.abort_requested = true))
    EXECUTE PROCEDURE procrastinate_trigger_abort_requested_events_procedure_v1();

CREATE TRIGGER procrastinate_trigger_delete_jobs_v1
    BEFORE DELETE ON procrastinate_jobs
    FOR EACH ROW EXECUTE PROCEDURE procrastinate_unlink_periodic_defers_v1();
-- end of procrastinate
reset search_path;

grant usage on schema procrastinate to chairside_worker;
grant select, insert, update, delete on all tables in schema procrastinate to chairside_worker;
grant usage on all sequences in schema procrastinate to chairside_worker;
revoke all on all functions in schema procrastinate from public;
grant execute on all functions in schema procrastinate to chairside_worker;
-- not granted: anything to chairside_app
