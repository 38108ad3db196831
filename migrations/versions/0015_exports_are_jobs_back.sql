drop table export_parts;
drop index one_export_at_a_time;
delete from long_jobs where kind = 'export';
alter table long_jobs drop constraint kind_is_known, add constraint kind_is_known check (kind = 'import');

revoke select on clinician_credentials, credential_documents, patient_versions, patient_note_versions, merges, erasures, chat_threads,
    chat_messages, ai_calls, emergencies, emergency_actions, answer_ratings, clinic_articles, article_reviews, ai_budgets, audit_log,
    audit_seals from chairside_worker;
revoke select (email, email_norm, role, created_at, expires_at, accepted_at, withdrawn_at) on invitations from chairside_worker;
revoke select (clinic_id, id, name, role, scopes, networks, request_limit, created_by, created_at, last_used_at, revoked_at)
    on api_clients from chairside_worker;
revoke select (clinic_id, provider_on, baa_on_file, base_url, model, daily_budget_usd, version, changed_by, updated_at)
    on assistant_settings from chairside_worker;

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
    delete from long_jobs l where l.clinic_id = clinic and l.status in ('done', 'stopped', 'failed');
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
    delete from long_jobs where created_at < now() - interval '7 days' and status in ('done', 'stopped', 'failed');
    get diagnostics gone = row_count;
    return gone;
end
$$;
comment on function app.forget_long_jobs is 'Long jobs older than a week, with their files and reports.';

create or replace function app.defer_job(task text, subject uuid) returns bigint
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
