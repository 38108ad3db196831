create function app.going_on(answers uuid[]) returns uuid[]
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select coalesce(array_agg(m.id), '{}')
    from public.chat_messages m
    where m.id = any (going_on.answers)
      and m.id > app.uuid_floor(now() - interval '1 hour')
      and m.status = 'started'
      and not m.stop_asked;
end;
comment on function app.going_on is 'Of these answers, whichever clinics'', those that are still being written and that nobody wants to end. A process asks it of all it writes at once.';

revoke all on function app.going_on(uuid[]) from public;
grant execute on function app.going_on(uuid[]) to chairside_app;

-- What a running answer knows of its danger stays with it.
create or replace function app.end_answers() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.ended_at is null and new.role in ('owner', 'clinician') then
        return null;
    end if;
    update chat_messages m set status = 'stopped', metadata = m.metadata || '{"problem": "left"}', finished_at = now()
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
