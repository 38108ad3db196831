drop trigger say_once on emergency_actions;
drop function app.say_once;
-- The way back. Who was merged stays an archived record of their own, and the record of erasures is lost: what was erased stays so.

do $$
begin
    if exists (select from archives where restored_at is null) then
        raise exception 'months are in archives: read them back first (make unarchive)';
    end if;
end
$$;

drop trigger stay_gone on patients;
drop trigger refuse_gone on patient_notes;
drop trigger keep on patient_versions;
drop trigger keep_whole on patient_versions;
drop trigger keep on patient_note_versions;
drop trigger keep_whole on patient_note_versions;
drop trigger refuse_gone on chat_messages;
drop trigger refuse_gone on emergencies;
drop trigger refuse_gone on drafts;
drop policy definer on chat_threads;
drop policy definer on answer_ratings;
drop policy author on answer_ratings;
create policy author on answer_ratings as restrictive for update using (user_id = app.user_id());

create or replace function app.finish_once() returns trigger language plpgsql as $$
begin
    if old.status <> 'started' then
        raise exception 'this row is final' using errcode = 'CS002';
    end if;
    return new;
end
$$;
comment on function app.finish_once is 'A started row may end once; afterwards it is immutable.';

create or replace function app.acknowledge_once() returns trigger language plpgsql as $$
begin
    if old.acknowledged_at is not null then
        raise exception 'this emergency was acknowledged already' using errcode = 'CS002';
    end if;
    new.acknowledged_by := app.user_id();
    new.acknowledged_at := now();
    return new;
end
$$;
comment on function app.acknowledge_once is 'Who acknowledges is who is asking; the first one counts.';

drop function app.erase_patient(uuid, integer, text);
drop function app.merge_patients(uuid, uuid, integer[], integer[], integer);
drop function app.unmerge_patient(uuid);
drop function app.require_quiet(uuid, uuid);
drop function app.figures_of(jsonb);
drop function app.refuse_gone();
drop function app.stay_gone();
drop function app.refuse_draft_of_gone();
drop function app.keep_history();
drop function app.merged_family(uuid);
drop function app.is_erasing(uuid, uuid);
drop function app.is_merging(uuid, uuid, uuid);

drop table erasures;
drop table merges;
drop table archives;
alter table patients drop column merged_into, drop column erased_at;
comment on table patients is 'name_key, phone_key: folded for finding duplicates. search: lexemes made by lib/search_words.py, never by a text parser.';
