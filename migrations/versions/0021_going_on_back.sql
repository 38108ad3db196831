drop function app.going_on(uuid[]);

-- As it was before.
create or replace function app.end_answers() returns trigger
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
