-- Answers that outlive their process, their asker and their budget: text kept while it comes, Stop from any process, the bill of
-- tests and of the service's callers.

-- A tab that closes ends no answer: it is written to its end, so nothing is ever client_gone.
alter table chat_messages drop constraint status_is_known;
alter table chat_messages add constraint status_is_known check (status in ('started', 'ok', 'stopped', 'error_before', 'error_mid',
    'timeout', 'truncated', 'filtered', 'rate_limited', 'budget_blocked', 'abandoned'));
alter table ai_calls drop constraint status_is_known;
alter table ai_calls add constraint status_is_known check (status in ('started', 'ok', 'stopped', 'error_before', 'error_mid',
    'timeout', 'truncated', 'filtered', 'rate_limited', 'budget_blocked', 'abandoned'));

-- chat_messages
alter table chat_messages add column stop_asked boolean not null default false;
grant update (stop_asked) on chat_messages to chairside_app;
comment on table chat_messages is 'user_id: who asked, on the answer too. question_id has no foreign key: months must stay detachable (SCALE rule 8). sent: what a provider was given for this answer, redacted. stop_asked: whoever asked wants it to end, which the process that writes it notices within a second.';

-- ai_calls
alter table ai_calls drop constraint route_is_known;
alter table ai_calls add constraint route_is_known
    check (route in ('emergency', 'kb', 'fallback', 'cache', 'provider', 'blocked', 'trial'));
alter table ai_calls add constraint a_trial_answers_no_message check (route <> 'trial' or message_id = id);
comment on table ai_calls is 'message_id: the answer; a trial''s own id. NULL is unknown, 0 is measured zero. cost_source none: the answer needed no provider. price: the snapshot the cost was computed with. reserved_usd: what the call held of the day''s budget (ai_budgets) while it ran.';

-- service_spend: what a day's callers of /generate and /api/chat/generate have cost, who belong to no clinic.
create table service_spend (
    day date not null,
    spent_usd numeric(14, 8) not null default 0,
    reserved_usd numeric(14, 8) not null default 0,
    primary key (day),
    constraint spend_is_not_negative check (least(spent_usd, reserved_usd) >= 0)
);
comment on table service_spend is 'Without a clinic. day: in UTC. reserved_usd: what running calls may still cost; what a crash leaves held stays so until the day is over.';

alter table service_spend enable row level security;
alter table service_spend force row level security;
create policy definer on service_spend to current_user using (true) with check (true);
-- not granted: anything (app.reserve_service and app.settle_service write, app.installation_spend reads)

-- Nobody may save them any more, so they end here; the process that writes one notices within a second and hangs up. A call
-- whose bill nobody can settle counts as what was held for it.
create function app.end_answers() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.ended_at is null and new.role in ('owner', 'clinician') then
        return null;
    end if;
    update chat_messages m set status = 'stopped', metadata = '{"problem": "left"}', finished_at = now()
    where m.clinic_id = new.clinic_id and m.id > app.uuid_floor(now() - interval '1 hour') and m.user_id = new.user_id
      and m.status = 'started' and (new.ended_at is not null or m.patient_id is not null);
    if new.ended_at is null then
        return null;
    end if;
    with ended as (
        update ai_calls c set status = 'stopped', finished_at = now()
        where c.clinic_id = new.clinic_id and c.id > app.uuid_floor(now() - interval '1 hour') and c.user_id = new.user_id
          and c.status = 'started'
        returning c.budget_day, c.reserved_usd
    ), held as (
        select budget_day, sum(reserved_usd) as amount from ended where reserved_usd is not null group by budget_day
    )
    update ai_budgets b
    set spent_usd = b.spent_usd + h.amount, reserved_usd = greatest(b.reserved_usd - h.amount, 0)
    from held h
    where b.clinic_id = new.clinic_id and b.day = h.budget_day;
    return null;
end
$$;
comment on function app.end_answers is 'The running answers of whoever leaves, and those about patients of whoever treats nobody any more, end at once.';

create trigger end_answers after update of role, ended_at on memberships for each row execute function app.end_answers();

create or replace function app.installation_spend(day date) returns numeric
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select coalesce(sum(d.amount), 0)
    from (
        select b.spent_usd + b.reserved_usd from public.ai_budgets b where b.day = installation_spend.day
        union all
        select s.spent_usd + s.reserved_usd from public.service_spend s where s.day = installation_spend.day
    ) d (amount);
end;
comment on function app.installation_spend is 'What all clinics together, and the callers of /generate, have spent and reserved at providers on that day.';

-- Its own row decides, as it is once it is locked: of two callers at once, one waits for the other.
create function app.reserve_service(amount numeric, most numeric) returns date
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    insert into public.service_spend as s (day, reserved_usd)
    select d.day, amount
    from (select (now() at time zone 'UTC')::date) d (day)
    where amount + (select coalesce(sum(b.spent_usd + b.reserved_usd), 0) from public.ai_budgets b where b.day = d.day) <= most
    on conflict (day) do update
    set reserved_usd = s.reserved_usd + excluded.reserved_usd
    where s.spent_usd + s.reserved_usd + excluded.reserved_usd
          + (select coalesce(sum(b.spent_usd + b.reserved_usd), 0) from public.ai_budgets b where b.day = excluded.day) <= most
    returning day;
end;
comment on function app.reserve_service is 'Holds that much of the installation''s day for a caller without a clinic; the day, or NULL where it is not left.';

create function app.settle_service(day date, reserved numeric, cost numeric) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    update public.service_spend s
    set reserved_usd = greatest(s.reserved_usd - settle_service.reserved, 0), spent_usd = s.spent_usd + settle_service.cost
    where s.day = settle_service.day;
end;
comment on function app.settle_service is 'What was held becomes what it cost.';

revoke all on function app.end_answers(), app.reserve_service(numeric, numeric), app.settle_service(date, numeric, numeric) from public;
grant execute on function app.reserve_service(numeric, numeric), app.settle_service(date, numeric, numeric) to chairside_app;
