-- What was done about an emergency leaves the table that managers count; drafts end with the role they were written in.

create table emergency_actions (
    clinic_id uuid not null,
    emergency_id uuid not null,
    user_id uuid not null,
    action_taken text not null,
    said_at timestamptz not null default now(),
    primary key (clinic_id, emergency_id),
    constraint action_is_bounded check (length(action_taken) between 1 and 2000)
);
comment on table emergency_actions is 'One row per acknowledged emergency of which something was said. user_id: who raised it. said_at: acknowledged_at.';
alter table emergency_actions add foreign key (clinic_id, emergency_id) references emergencies (clinic_id, id);

-- functions: triggers
create function app.say_with_the_acknowledgement() returns trigger language plpgsql as $$
begin
    select e.user_id into new.user_id
    from public.emergencies e
    where e.clinic_id = new.clinic_id and e.id = new.emergency_id
      and e.acknowledged_by = app.user_id() and e.acknowledged_at = new.said_at;
    if not found then
        raise exception 'not acknowledged by this member just now' using errcode = '42501';
    end if;
    return new;
end
$$;
comment on function app.say_with_the_acknowledgement is 'What was done is said by whoever acknowledges, in the same transaction, which has one now().';

create function app.end_drafts() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.ended_at is not null or new.role not in ('owner', 'clinician') then
        delete from drafts d where d.clinic_id = new.clinic_id and d.user_id = new.user_id;
    end if;
    return null;
end
$$;
comment on function app.end_drafts is 'Who leaves, or treats nobody any more, left nothing half written that their new role may not read.';

revoke all on function app.end_drafts(), app.say_with_the_acknowledgement() from public;

-- memberships
create trigger end_drafts after update of role, ended_at on memberships for each row execute function app.end_drafts();

-- emergencies: the owner of the tables sees every clinic's rows only while this is not forced.
alter table emergencies no force row level security;
insert into emergency_actions (clinic_id, emergency_id, user_id, action_taken, said_at)
select clinic_id, id, user_id, action_taken, coalesce(acknowledged_at, raised_at)
from emergencies
where action_taken <> '';
alter table emergencies force row level security;
alter table emergencies drop column action_taken;
grant update (false_alarm, general) on emergencies to chairside_app;

-- emergency_actions: what was done, for whoever treats patients and for the receptionist who raised it. No manager's to read.
alter table emergency_actions enable row level security;
alter table emergency_actions force row level security;
create policy tenant on emergency_actions
    using (clinic_id = app.clinic() and (app.clinical() or (app.role() = 'receptionist' and user_id = app.user_id())))
    with check (clinic_id = app.clinic() and (app.clinical() or (app.role() = 'receptionist' and user_id = app.user_id())));
grant select, insert (clinic_id, emergency_id, action_taken) on emergency_actions to chairside_app;
-- not granted: update, delete, said_at: it is said with the acknowledgement, which is final
create trigger say_with_the_acknowledgement before insert on emergency_actions
    for each row execute function app.say_with_the_acknowledgement();

-- drafts: those of articles name their version as those of patients do.
alter policy thread on drafts to chairside_app;
create policy definer on drafts to current_user using (true) with check (true);
update drafts
set data = data - 'version' || jsonb_build_object('versions', jsonb_build_array(data -> 'version', 0))
where form like 'article:%' and data ? 'version';
delete from drafts d
where exists (select from memberships m where m.clinic_id = d.clinic_id and m.user_id = d.user_id
              and (m.ended_at is not null or m.role not in ('owner', 'clinician')));
