-- Leaving: erasure on request, duplicates merged and told apart again.

alter table patients add column merged_into uuid, add column erased_at timestamptz;
alter table patients add constraint who_is_gone_is_in_no_list
    check (archived_at is not null or (merged_into is null and erased_at is null));
create index patients_merged on patients (clinic_id, merged_into) where merged_into is not null;
comment on table patients is 'name_key, phone_key: folded for finding duplicates. search: lexemes made by lib/search_words.py, never by a text parser. merged_into: whose duplicate this was found to be. erased_at: nothing but the row is left.';

create table archives (
    parent text not null,
    month date not null,
    file text not null,
    rows bigint not null,
    digest bytea not null,
    archived_at timestamptz not null default now(),
    restored_at timestamptz,
    primary key (parent, month),
    constraint parent_is_known check (parent in ('chat_messages', 'ai_calls', 'audit_log')),
    constraint month_is_its_first_day check (extract(day from month) = 1),
    constraint digest_is_sha256 check (length(digest) = 32)
);
comment on table archives is 'Without a clinic: a month leaves for all of them. digest: SHA-256 of the rows as they were written, before compression and encryption. restored_at: it is back.';

create table merges (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    kept_id uuid not null,
    merged_id uuid not null,
    merged_by uuid not null,
    merged_at timestamptz not null default now(),
    kept_versions integer[] not null,
    notes_versions integer[] not null,
    merged_version integer not null,
    messages uuid[] not null,
    undone_by uuid,
    undone_at timestamptz,
    primary key (clinic_id, id),
    constraint nobody_is_their_own_duplicate check (kept_id <> merged_id),
    constraint undoing_names_its_person check ((undone_by is null) = (undone_at is null))
);
-- Whoever was merged is merged once, until that is undone.
create unique index one_merge_at_a_time on merges (clinic_id, merged_id) where undone_at is null;
comment on table merges is 'kept_versions, notes_versions: of who stays, before and after. merged_version: of who went, before. The values stand in the histories. messages: those that moved.';

create table erasures (
    clinic_id uuid not null,
    patient_id uuid not null,
    erased_by uuid,
    erased_at timestamptz not null default now(),
    reason text not null,
    messages integer not null,
    versions integer not null,
    primary key (clinic_id, patient_id),
    constraint reason_is_given check (length(reason) between 1 and 500)
);
comment on table erasures is 'messages, versions: how many lost their text.';

alter table patients add foreign key (clinic_id, merged_into) references patients (clinic_id, id);
alter table merges add foreign key (clinic_id, kept_id) references patients (clinic_id, id);
alter table merges add foreign key (clinic_id, merged_id) references patients (clinic_id, id);
alter table erasures add foreign key (clinic_id, patient_id) references patients (clinic_id, id);

create function app.is_erasing(clinic uuid, patient uuid) returns boolean
    language sql stable
begin atomic
    select exists (select from public.erasures e where e.clinic_id = clinic and e.patient_id = patient and e.erased_at = now());
end;
comment on function app.is_erasing is 'Whether this transaction is erasing that patient.';

create function app.is_merging(clinic uuid, former uuid, latter uuid) returns boolean
    language sql stable
begin atomic
    select exists (select from public.merges m
                   where m.clinic_id = clinic and (m.merged_at = now() or m.undone_at = now())
                     and array[former, latter] <@ array[m.kept_id, m.merged_id]);
end;
comment on function app.is_merging is 'Whether this transaction is merging those two, or telling them apart again.';

create function app.merged_family(patient uuid) returns setof uuid
    language sql stable
begin atomic
    with recursive family (id) as (
        select patient
        union
        select p.id from public.patients p join family f on f.id = p.merged_into where p.clinic_id = app.clinic()
    )
    select id from family;
end;
comment on function app.merged_family is 'A patient and everybody who was merged into them.';

create function app.erase_patient(patient uuid, version integer, reason text) returns integer
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
comment on function app.erase_patient is 'Takes away everything that tells who this was and what was written, in their history and those merged into them too. CS009: changed since that version. CS010: an emergency of theirs waits. Returns how many messages.';

create function app.figures_of(metadata jsonb) returns jsonb
    language sql immutable parallel safe
begin atomic
    select coalesce(jsonb_object_agg(key, value), '{}')
    from jsonb_each(metadata)
    where key in ('route', 'tier', 'emergency', 'model', 'tokens_in', 'tokens_cached', 'tokens_out', 'tokens_reasoning',
                  'cost_usd', 'cost_source', 'saved_usd', 'finish', 'billed');
end;
comment on function app.figures_of is 'Of what stands beside an answer, what says nothing of its subject.';

-- Both threads become the older one, because nobody looks for messages older than their thread.
create function app.merge_patients(kept uuid, merged uuid, kept_versions integer[], notes_versions integer[],
                                   merged_version integer) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    clinic constant uuid := app.clinic();
    threads uuid[];
    moved uuid[];
begin
    if not app.clinical() then
        raise exception 'not this role''s to merge' using errcode = '42501';
    end if;
    perform from patients p where p.clinic_id = clinic and p.id in (kept, merged) order by p.id for update;
    if (select count(*) from patients p where p.clinic_id = clinic and p.id in (kept, merged) and p.merged_into is null
        and p.erased_at is null) <> 2 then
        raise exception 'this patient was erased or merged' using errcode = 'CS008';
    end if;
    perform app.require_quiet(kept, merged);
    threads := array(select t.id from chat_threads t where t.clinic_id = clinic and t.patient_id in (kept, merged) order by t.id for update);
    moved := array(select m.id from chat_messages m
                   where m.clinic_id = clinic and m.patient_id = merged and m.thread_id = any (threads) order by m.id);
    insert into merges (clinic_id, kept_id, merged_id, merged_by, kept_versions, notes_versions, merged_version, messages)
    values (clinic, kept, merged, app.user_id(), merge_patients.kept_versions, merge_patients.notes_versions,
            merge_patients.merged_version, moved);
    update chat_messages m set thread_id = threads[1], patient_id = kept where m.clinic_id = clinic and m.thread_id = any (threads);
    update emergencies e set thread_id = threads[1], patient_id = kept where e.clinic_id = clinic and e.thread_id = any (threads);
    update ai_calls c set patient_id = kept where c.clinic_id = clinic and c.message_id = any (moved);
    delete from chat_threads t where t.clinic_id = clinic and t.id = any (threads[2:]);
    update chat_threads t set patient_id = kept where t.clinic_id = clinic and t.id = threads[1];
    update patients p set merged_into = kept, archived_at = coalesce(p.archived_at, now())
    where p.clinic_id = clinic and p.id = merged;
    return cardinality(moved);
end
$$;
comment on function app.merge_patients is 'Conversation, emergencies and bills of a duplicate become those of who stays. CS008: one of them is gone. CS011: an answer is being written. Returns how many messages moved.';

create function app.unmerge_patient(merged uuid) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    clinic constant uuid := app.clinic();
    was merges;
    moved uuid[];
    current_thread uuid;
begin
    if not app.clinical() then
        raise exception 'not this role''s to undo' using errcode = '42501';
    end if;
    select m.* into was from merges m where m.clinic_id = clinic and m.merged_id = merged and m.undone_at is null for update;
    perform from patients p where p.clinic_id = clinic and p.id in (was.kept_id, merged) order by p.id for update;
    if not exists (select from patients p where p.clinic_id = clinic and p.id = was.kept_id and p.merged_into is null
                   and p.erased_at is null) then
        raise exception 'who stays was erased or merged' using errcode = 'CS008';
    end if;
    perform app.require_quiet(was.kept_id, merged);
    update merges m set undone_by = app.user_id(), undone_at = now() where m.clinic_id = clinic and m.id = was.id;
    update patients p
    set merged_into = null, archived_at = (v.data ->> 'archived_at')::timestamptz,
        external_id = case when not exists (select from patients o where o.clinic_id = clinic and o.id <> merged
                                            and o.external_id = v.data ->> 'external_id') then v.data ->> 'external_id' end
    from patient_versions v
    where p.clinic_id = clinic and p.id = merged
      and v.clinic_id = clinic and v.patient_id = merged and v.version = was.merged_version;
    moved := array(select m.id from chat_messages m where m.clinic_id = clinic and m.id = any (was.messages) order by m.id);
    if moved = '{}' then
        return 0;
    end if;
    select t.id into current_thread from chat_threads t where t.clinic_id = clinic and t.patient_id = was.kept_id for update;
    if exists (select from chat_messages m where m.clinic_id = clinic and m.thread_id = current_thread and m.id <> all (moved)) then
        insert into chat_threads (clinic_id, id, patient_id, user_id, created_at)
        select clinic, m.id, merged, m.user_id, m.created_at
        from chat_messages m where m.clinic_id = clinic and m.id = moved[1]
        returning id into current_thread;
    else
        update chat_threads t set patient_id = merged where t.clinic_id = clinic and t.id = current_thread;
    end if;
    update chat_messages m set thread_id = current_thread, patient_id = merged where m.clinic_id = clinic and m.id = any (moved);
    update emergencies e set thread_id = current_thread, patient_id = merged where e.clinic_id = clinic and e.message_id = any (was.messages);
    update ai_calls c set patient_id = merged where c.clinic_id = clinic and c.message_id = any (was.messages);
    return cardinality(moved);
end
$$;
comment on function app.unmerge_patient is 'Gives the duplicate back what came from it; what was added since stays. CS008: who stays is gone. CS011: an answer is being written. Returns how many messages moved.';

create function app.require_quiet(kept uuid, merged uuid) returns void
    language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
begin
    if exists (select from chat_messages m
               where m.clinic_id = app.clinic() and m.patient_id in (kept, merged) and m.status = 'started'
                 and m.id > app.uuid_floor(now() - interval '1 hour')) then
        raise exception 'an answer is being written' using errcode = 'CS011';
    end if;
end
$$;
comment on function app.require_quiet is 'CS011 while an answer about one of them is being written. For the functions here; granted to nobody.';

-- Waits for whoever is erasing or merging this patient at the moment, and sees what they did.
create function app.refuse_gone() returns trigger language plpgsql as $$
declare
    gone boolean;
begin
    select p.merged_into is not null or p.erased_at is not null into gone
    from public.patients p
    where p.clinic_id = new.clinic_id and p.id = new.patient_id
    for key share;
    if gone and not app.is_erasing(new.clinic_id, new.patient_id) then
        raise exception 'this patient was erased or merged' using errcode = 'CS008';
    end if;
    return new;
end
$$;
comment on function app.refuse_gone is 'Nothing is written about somebody who was erased or merged into another.';

create function app.stay_gone() returns trigger language plpgsql as $$
begin
    if (old.erased_at is not null or (old.merged_into is not null and new.merged_into is not null))
            and not app.is_erasing(old.clinic_id, old.id) then
        raise exception 'this patient was erased or merged' using errcode = 'CS008';
    end if;
    return new;
end
$$;
comment on function app.stay_gone is 'Who was merged changes by coming back alone, who was erased by nothing.';

create function app.refuse_draft_of_gone() returns trigger language plpgsql as $$
begin
    perform from public.patients p
    where p.clinic_id = new.clinic_id and p.id = case when new.form ~ ':[0-9a-f-]{36}$' then right(new.form, 36)::uuid end
    for key share;
    if exists (select from public.patients p where p.clinic_id = new.clinic_id and p.erased_at is not null
               and p.id = case when new.form ~ ':[0-9a-f-]{36}$' then right(new.form, 36)::uuid end) then
        raise exception 'this patient was erased' using errcode = 'CS008';
    end if;
    return new;
end
$$;
comment on function app.refuse_draft_of_gone is 'A form that was open when its patient was erased keeps nothing of it.';

create function app.keep_history() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and app.is_erasing(old.clinic_id, old.patient_id) and new.data = '{}'
            and to_jsonb(new) - 'data' = to_jsonb(old) - 'data' then
        return new;
    end if;
    raise exception 'rows of % are never changed or removed', tg_table_name using errcode = 'CS003';
end
$$;
comment on function app.keep_history is 'What stood there is emptied by erasure, and changed by nothing.';

create or replace function app.finish_once() returns trigger language plpgsql as $$
begin
    if old.status = 'started' or app.is_erasing(old.clinic_id, old.patient_id)
            or (app.is_merging(old.clinic_id, old.patient_id, new.patient_id)
                and to_jsonb(new) - '{thread_id,patient_id}'::text[] = to_jsonb(old) - '{thread_id,patient_id}'::text[]) then
        return new;
    end if;
    raise exception 'this row is final' using errcode = 'CS002';
end
$$;
comment on function app.finish_once is 'A started row may end once; afterwards only erasure empties it, and a merge of its patient moves it.';

create or replace function app.acknowledge_once() returns trigger language plpgsql as $$
begin
    if app.is_erasing(old.clinic_id, old.patient_id)
            or (app.is_merging(old.clinic_id, old.patient_id, new.patient_id)
                and to_jsonb(new) - '{thread_id,patient_id}'::text[] = to_jsonb(old) - '{thread_id,patient_id}'::text[]) then
        return new;
    end if;
    if old.acknowledged_at is not null then
        raise exception 'this emergency was acknowledged already' using errcode = 'CS002';
    end if;
    new.acknowledged_by := app.user_id();
    new.acknowledged_at := now();
    return new;
end
$$;
comment on function app.acknowledge_once is 'Who acknowledges is who is asking; the first one counts.';

revoke all on function app.is_erasing(uuid, uuid), app.is_merging(uuid, uuid, uuid), app.merged_family(uuid),
    app.erase_patient(uuid, integer, text), app.figures_of(jsonb),
    app.merge_patients(uuid, uuid, integer[], integer[], integer), app.unmerge_patient(uuid), app.require_quiet(uuid, uuid),
    app.refuse_gone(), app.stay_gone(), app.refuse_draft_of_gone(), app.keep_history() from public;
grant execute on function app.is_erasing(uuid, uuid), app.is_merging(uuid, uuid, uuid), app.merged_family(uuid),
    app.erase_patient(uuid, integer, text), app.merge_patients(uuid, uuid, integer[], integer[], integer), app.unmerge_patient(uuid)
    to chairside_app;
grant execute on function app.is_erasing(uuid, uuid), app.is_merging(uuid, uuid, uuid) to chairside_worker; -- its triggers ask them

create trigger stay_gone before update on patients for each row execute function app.stay_gone();
create trigger refuse_gone before insert or update on patient_notes for each row execute function app.refuse_gone();
create trigger keep before update or delete on patient_versions for each row execute function app.keep_history();
create trigger keep_whole before truncate on patient_versions execute function app.refuse();
create trigger keep before update or delete on patient_note_versions for each row execute function app.keep_history();
create trigger keep_whole before truncate on patient_note_versions execute function app.refuse();
create trigger refuse_gone before insert on chat_messages for each row when (new.patient_id is not null) execute function app.refuse_gone();
create trigger refuse_gone before insert on emergencies for each row when (new.patient_id is not null) execute function app.refuse_gone();
create trigger refuse_gone before insert or update on drafts for each row execute function app.refuse_draft_of_gone();

-- archives
alter table archives enable row level security;
alter table archives force row level security;
create policy everybody on archives for select using (true);
create policy definer on archives to current_user using (true) with check (true);
grant select on archives to chairside_app, chairside_worker;
-- not granted: insert, update, delete (the operator works as the owner)

-- merges
alter table merges enable row level security;
alter table merges force row level security;
create policy tenant on merges using (clinic_id = app.clinic() and app.clinical()) with check (clinic_id = app.clinic() and app.clinical());
grant select on merges to chairside_app;
-- not granted: insert, update (app.merge_patients and app.unmerge_patient do), delete
create trigger keep before delete on merges for each row execute function app.refuse();
create trigger keep_whole before truncate on merges execute function app.refuse();

-- erasures
alter table erasures enable row level security;
alter table erasures force row level security;
create policy tenant on erasures
    using (clinic_id = app.clinic() and app.role() = 'owner') with check (clinic_id = app.clinic() and app.role() = 'owner');
create policy definer on erasures for select to current_user using (true);
grant select on erasures to chairside_app;
-- not granted: insert (app.erase_patient does), update, delete, truncate
create trigger keep before update or delete on erasures for each row execute function app.refuse();
create trigger keep_whole before truncate on erasures execute function app.refuse();

-- what the definer functions above touch of others
create policy definer on chat_threads to current_user using (true) with check (true);
drop policy author on answer_ratings;
create policy author on answer_ratings as restrictive for update to chairside_app using (user_id = app.user_id());
create policy definer on answer_ratings to current_user using (true) with check (true);

create function app.say_once() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and exists (select from public.emergencies e where e.clinic_id = old.clinic_id and e.id = old.emergency_id
                                    and app.is_erasing(e.clinic_id, e.patient_id)) then
        return new;
    end if;
    raise exception 'what was done is final' using errcode = 'CS002';
end
$$;
comment on function app.say_once is 'Only an erasure takes it back.';

create trigger say_once before update or delete on emergency_actions for each row execute function app.say_once();
revoke all on function app.say_once() from public;
