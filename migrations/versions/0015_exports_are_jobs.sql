alter table long_jobs drop constraint kind_is_known, add constraint kind_is_known check (kind in ('import', 'export'));
create unique index one_export_at_a_time on long_jobs (clinic_id, user_id) where kind = 'export' and status in ('waiting', 'running');

-- export_parts: what the archive of a clinic is put together from, a page of a table or a document per row, sealed with the
-- installation's key. Its asker's for a day, and in no backup.
create table export_parts (
    clinic_id uuid not null,
    job_id uuid not null,
    user_id uuid not null,
    seq integer not null,
    name text not null,
    row_count integer not null,
    last uuid,
    content bytea not null,
    primary key (clinic_id, job_id, seq)
);
comment on table export_parts is 'name: of the file in the archive. last: the key of its last row, where more of the same table follow. content: sealed. It goes with its long_jobs row.';
alter table export_parts add foreign key (clinic_id, job_id) references long_jobs (clinic_id, id) on delete cascade;

-- export_parts: written by the worker, read and put away by whoever asked.
alter table export_parts enable row level security;
alter table export_parts force row level security;
create policy tenant on export_parts
    using (clinic_id = app.clinic() and user_id = app.user_id() and app.role() = 'owner')
    with check (clinic_id = app.clinic() and user_id = app.user_id() and app.role() = 'owner');
create policy definer on export_parts to current_user using (true) with check (true);
grant select, delete on export_parts to chairside_app;
grant select (clinic_id, job_id, user_id, seq, row_count, last), insert on export_parts to chairside_worker;
-- not granted: update; the worker does not read what it sealed

-- what a clinic's export reads: every table of lib/clinic_tables.py, without the secrets that stay behind
grant select on clinician_credentials, credential_documents, patient_versions, patient_note_versions, merges, erasures, chat_threads,
    chat_messages, ai_calls, emergencies, emergency_actions, answer_ratings, clinic_articles, article_reviews, ai_budgets, audit_log,
    audit_seals to chairside_worker;
grant select (email, email_norm, role, created_at, expires_at, accepted_at, withdrawn_at) on invitations to chairside_worker;
grant select (clinic_id, id, name, role, scopes, networks, request_limit, created_by, created_at, last_used_at, revoked_at)
    on api_clients to chairside_worker;
grant select (clinic_id, provider_on, baa_on_file, base_url, model, daily_budget_usd, version, changed_by, updated_at)
    on assistant_settings to chairside_worker;

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

create or replace function app.forget_long_jobs() returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    gone integer;
begin
    delete from long_jobs
    where case kind when 'export' then coalesce(finished_at, created_at) < now() - interval '1 day'
                    else created_at < now() - interval '7 days' end
      and status in ('done', 'stopped', 'failed');
    get diagnostics gone = row_count;
    return gone;
end
$$;
comment on function app.forget_long_jobs is 'Long jobs older than a week, with their files and reports; exports after a day.';

create or replace function app.defer_job(task text, subject uuid) returns bigint
    language plpgsql security definer set search_path = pg_catalog, procrastinate, pg_temp as $$
begin
    if app.clinic() is null or task not in ('import_patients', 'export_clinic', 'mail_invitation') then
        raise exception 'no such job' using errcode = '42501';
    end if;
    if task = 'export_clinic' then  -- not while somebody is being erased, who would be in it still
        perform pg_advisory_xact_lock(hashtext('chairside.export ' || app.clinic()));
    end if;
    return (procrastinate_defer_jobs_v1(array[row(
        'default', task, case when task = 'mail_invitation' then 0 else -1 end,
        case task when 'import_patients' then 'import ' || app.clinic() when 'export_clinic' then 'export ' || app.clinic() end, null,
        jsonb_build_object('clinic_id', app.clinic(), 'id', subject), null)::procrastinate_job_to_defer_v1]))[1];
end
$$;
comment on function app.defer_job is 'Queues a job about something of the clinic this transaction is in; it exists once that commits. One import and one export per clinic at a time, and mails before both.';
