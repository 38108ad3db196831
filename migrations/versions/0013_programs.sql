-- Programs: bearer tokens of people, API clients, and requests that may be repeated.

-- refresh_tokens: how a program that a person signed in gets its next quarter of an hour. The session is the family: it ends
-- when one of its tokens is shown twice, because then two have it.
create table refresh_tokens (
    id bytea not null,
    session_id bytea not null,
    used_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (id),
    constraint id_is_sha256 check (length(id) = 32)
);
create index refresh_tokens_by_session on refresh_tokens (session_id);
comment on table refresh_tokens is 'id: SHA-256 of the token. used_at: when it was turned into the next one.';

-- api_clients: programs that an owner lets in. Each acts in its owner's name, with a role and scopes that may only be less.
create table api_clients (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    name text not null,
    secret_hash bytea not null,
    role text not null,
    scopes text[] not null,
    networks cidr[] not null default '{}',
    request_limit integer not null,
    created_by uuid not null,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at timestamptz,
    primary key (clinic_id, id),
    constraint name_is_short check (length(name) between 1 and 100),
    constraint secret_hash_is_sha256 check (length(secret_hash) = 32),
    constraint role_is_known check (role in ('owner', 'manager', 'clinician', 'receptionist')),
    constraint scopes_are_some check (cardinality(scopes) between 1 and 100),
    constraint networks_are_few check (cardinality(networks) <= 50),
    constraint request_limit_is_sensible check (request_limit between 1 and 1000000)
);
comment on table api_clients is 'secret_hash: SHA-256. networks: where it may call from; empty: everywhere. request_limit: requests in 15 minutes. last_used_at: to the minute.';

-- repeats: what was made under an Idempotency-Key, so that the same request makes it once. Not the answer itself: that is read
-- again, and an erased patient does not live on in it.
create table repeats (
    clinic_id uuid not null,
    user_id uuid not null,
    key_hash bytea not null,
    body_hash bytea not null,
    made text not null default '',
    created_at timestamptz not null default now(),
    primary key (clinic_id, user_id, key_hash),
    constraint key_hash_is_sha256 check (length(key_hash) = 32),
    constraint body_hash_is_sha256 check (length(body_hash) = 32)
);
create index repeats_by_age on repeats (created_at);
comment on table repeats is 'key_hash: SHA-256 of route and key. made: the id of what came of it. Good for 24 hours.';

alter table refresh_tokens add foreign key (session_id) references sessions (id) on delete cascade;
alter table api_clients add foreign key (clinic_id, created_by) references memberships (clinic_id, user_id);
alter table repeats add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);

create function app.enter_client(clinic uuid, client uuid) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    found record;
begin
    select c.created_by, c.role into found
    from api_clients c
    join memberships m on m.clinic_id = c.clinic_id and m.user_id = c.created_by and m.ended_at is null and m.role = 'owner'
    where c.clinic_id = clinic and c.id = client and c.revoked_at is null;
    if found is null then
        raise exception 'not a client of this clinic' using errcode = '42501';
    end if;
    execute format('set local app.clinic_id = %L', clinic);
    execute format('set local app.user_id = %L', found.created_by);
    execute format('set local app.role = %L', found.role);
    return found.role;
end
$$;
comment on function app.enter_client is 'The same for an API client: in its owner''s name while they are one, and with the client''s role.';

create function app.begin_refresh(session bytea, token bytea) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    insert into public.refresh_tokens (id, session_id)
    select token, s.id from public.sessions s where s.id = session and s.revoked_at is null;
end;
comment on function app.begin_refresh is 'The first refresh token of a session.';

-- A token that was used before this transaction began is shown by a second holder. Used while this one waited for it, two
-- calls of the same holder met.
create function app.rotate_refresh(session bytea, old_token bytea, new_token bytea) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    used timestamptz;
    moment timestamptz;
begin
    select t.used_at into used from refresh_tokens t where t.id = old_token and t.session_id = session for update;
    if not found then
        return 'unknown';
    elsif used >= now() then
        return 'met';
    elsif used is not null then
        update sessions s set revoked_at = now() where s.id = session and s.revoked_at is null;
        return 'reused';
    end if;
    moment := clock_timestamp(); -- now() would be when this transaction began, before it waited for anybody
    update refresh_tokens t set used_at = moment where t.id = old_token;
    insert into refresh_tokens (id, session_id) values (new_token, session);
    return 'rotated';
end
$$;
comment on function app.rotate_refresh is 'rotated: the new one counts. met: two calls at once, and the other got it. reused: the session is over. unknown: not a token of this session.';

create function app.resume_client(clinic uuid, client uuid, secret bytea)
    returns table (user_id uuid, clinic_id uuid, role text, email text, full_name text, clinic_name text, country text,
                   time_zone text, currency text, language text, emergency_number text, networks text[], scopes text[],
                   client_networks text[], request_limit integer)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update api_clients c
    set last_used_at = now()
    where c.clinic_id = clinic and c.id = client and c.secret_hash = secret and c.revoked_at is null
      and (c.last_used_at is null or c.last_used_at < now() - interval '1 minute');
    return query
    select m.user_id, m.clinic_id, a.role, u.email, a.name, c.name, c.country, c.time_zone, c.currency, c.language,
           c.emergency_number, c.owner_networks::text[], a.scopes, a.networks::text[], a.request_limit
    from api_clients a
    join clinics c on c.id = a.clinic_id
    join memberships m on m.clinic_id = a.clinic_id and m.user_id = a.created_by and m.ended_at is null and m.role = 'owner'
    join users u on u.id = m.user_id
    where a.clinic_id = clinic and a.id = client and a.secret_hash = secret and a.revoked_at is null;
end
$$;
comment on function app.resume_client is 'What this API client may, or no row: unknown, revoked, or its owner is one no more.';

create function app.forget_repeats() returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    delete from public.repeats where created_at < now() - interval '24 hours';
end;
comment on function app.forget_repeats is 'Idempotency keys older than a day.';

revoke all on function app.enter_client, app.begin_refresh, app.rotate_refresh, app.resume_client, app.forget_repeats from public;
-- programs: their people's tokens, and the clients that owners let in
grant execute on function app.enter_client(uuid, uuid), app.begin_refresh(bytea, bytea), app.rotate_refresh(bytea, bytea, bytea),
    app.resume_client(uuid, uuid, bytea) to chairside_app;
grant execute on function app.forget_repeats() to chairside_worker;

-- refresh_tokens
alter table refresh_tokens enable row level security;
alter table refresh_tokens force row level security;
create policy definer on refresh_tokens to current_user using (true) with check (true);
-- not granted: anything

-- api_clients: the owner's. A secret's hash is nobody's to read.
alter table api_clients enable row level security;
alter table api_clients force row level security;
create policy tenant on api_clients
    using (clinic_id = app.clinic() and app.role() = 'owner')
    with check (clinic_id = app.clinic() and app.role() = 'owner');
create policy definer on api_clients to current_user using (true) with check (true);
create policy author on api_clients as restrictive for insert with check (created_by = app.user_id());
grant select (clinic_id, id, name, role, scopes, networks, request_limit, created_by, created_at, last_used_at, revoked_at)
    on api_clients to chairside_app;
grant insert (clinic_id, name, secret_hash, role, scopes, networks, request_limit, created_by) on api_clients to chairside_app;
grant update (revoked_at) on api_clients to chairside_app;
-- not granted: delete (what a client did stays its), update of what it may (a new client has a new secret)

-- repeats
alter table repeats enable row level security;
alter table repeats force row level security;
create policy tenant on repeats
    using (clinic_id = app.clinic() and user_id = app.user_id())
    with check (clinic_id = app.clinic() and user_id = app.user_id());
create policy definer on repeats to current_user using (true) with check (true);
grant select, insert, delete on repeats to chairside_app;
grant update (made) on repeats to chairside_app;

-- security_events: a refresh token that was shown twice, or that nobody was given.
alter table security_events drop constraint kind_is_known;
alter table security_events add constraint kind_is_known check (kind in ('sign_in_failed', 'sign_in_limited', 'sign_up_refused', 'sign_up_limited',
        'ticket_refused', 'origin_refused', 'factor_failed', 'confirm_failed', 'factor_limited', 'invitation_refused', 'reset_asked', 'reset_done',
        'reset_refused', 'reset_limited', 'membership_refused', 'refresh_reused', 'refresh_unknown'));
