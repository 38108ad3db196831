-- Chairside's schema. PostgreSQL 18 or newer, embedded, managed behind PgBouncer, or Citus sharded by clinic_id.
--
--   psql -v ON_ERROR_STOP=1 --single-transaction -f schema.sql "$DATABASE_OWNER_URL"
--
-- loads by itself into an empty database, as a role that is no superuser (a superuser would hide every gap in the
-- policies). migrations/ takes a live database to the same place; a test compares the two catalogues.
-- Order: roles, tables, (distribution), foreign keys, functions, row-level security with grants and triggers, partitions.

-- roles ---------------------------------------------------------------------------------------------------------------
-- chairside_app: the web processes. chairside_worker: background jobs. Neither owns, creates or bypasses anything.

do $$
begin
    if not exists (select from pg_roles where rolname = 'chairside_app') then
        create role chairside_app nologin nosuperuser nobypassrls;
    end if;
    if not exists (select from pg_roles where rolname = 'chairside_worker') then
        create role chairside_worker nologin nosuperuser nobypassrls;
    end if;
end
$$;

create schema app;
comment on schema app is 'Functions: who is asking, signing in, and the rules that triggers keep.';

-- The generated columns below need immutable functions, so these two stand before the tables.

create function app.fold_email(email text) returns text
    language sql immutable strict parallel safe
    return lower(normalize(trim(email), nfkc));
comment on function app.fold_email is 'One spelling per mailbox: trimmed, Unicode-folded, lower case.';

create function app.join_words(words text[]) returns text
    language sql immutable parallel safe
    return array_to_string(words, ' ');
comment on function app.join_words is 'array_to_string marked immutable, which it is for text, so that a generated column may use it.';

-- tables --------------------------------------------------------------------------------------------------------------

-- clinics: the tenants. Their id is everybody else's clinic_id.
create table clinics (
    id uuid not null default uuidv7(),
    name text not null,
    country text not null,
    time_zone text not null,
    currency text not null,
    language text not null default 'en',
    emergency_number text not null,
    factor_required boolean not null default false,
    keep_allowed boolean not null default true,
    owner_networks cidr[] not null default '{}',
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (id),
    constraint name_is_short check (length(name) between 1 and 255),
    constraint country_is_iso_3166 check (country ~ '^[A-Z]{2}$'),
    constraint currency_is_iso_4217 check (currency ~ '^[A-Z]{3}$'),
    constraint language_is_known check (language in ('en', 'es', 'fr', 'de')),
    constraint emergency_number_is_dialable check (emergency_number ~ '^[0-9 ]{2,12}$')
);
comment on table clinics is 'One row per clinic. time_zone is an IANA name; emergency_number is what the red-flag card shows. factor_required: everybody needs a second factor. keep_allowed: devices may stay signed in for seven days. owner_networks: where the owner''s pages open; empty: everywhere.';

-- users: people who sign in, across clinics. Global, so it holds nothing a clinic owns (SCALE rule 6).
create table users (
    id uuid not null default uuidv7(),
    email text not null,
    email_norm text not null generated always as (app.fold_email(email)) stored,
    full_name text not null,
    password_hash text not null,
    language text,
    totp_secret text,
    totp_step bigint not null default 0,
    totp_since timestamptz,
    password_reset_at timestamptz,
    factor_reset_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (id),
    constraint language_is_known check (language in ('en', 'es', 'fr', 'de')),
    constraint a_factor_has_its_secret check ((totp_secret is null) = (totp_since is null)),
    constraint one_account_per_mailbox unique (email_norm),
    constraint email_is_short check (length(email) between 3 and 255),
    constraint full_name_is_short check (length(full_name) between 1 and 255)
);
comment on table users is 'One row per person. password_hash is bcrypt; totp_secret is sealed by lib/vault.py; totp_step is the last one used, so that no code works twice. …_reset_at: by somebody else''s help.';

-- sessions: a signed-in device. The cookie's token id is kept as a hash, so that a stolen dump opens no door.
create table sessions (
    id bytea not null,
    user_id uuid not null,
    clinic_id uuid not null,
    device text not null default '',
    address text not null default '',
    keep boolean not null default false,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    revoked_at timestamptz,
    primary key (id),
    constraint id_is_sha256 check (length(id) = 32)
);
create index sessions_by_user on sessions (user_id);
comment on table sessions is 'id: SHA-256 of the token id. clinic_id: the clinic this device works in. keep: seven days instead of 30 minutes idle, 12 hours in all.';

-- tickets: thirty seconds to turn a correct password into a cookie, once.
create table tickets (
    id bytea not null,
    user_id uuid not null,
    clinic_id uuid not null,
    keep boolean not null,
    expires_at timestamptz not null default now() + interval '30 seconds',
    primary key (id),
    constraint id_is_sha256 check (length(id) = 32)
);
comment on table tickets is 'id: SHA-256 of a 32-byte secret that only the browser which signed in has seen.';

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

-- recovery_codes: ten ways in for somebody who lost the second factor, each good once.
create table recovery_codes (
    user_id uuid not null,
    code_hash bytea not null,
    used_at timestamptz,
    primary key (user_id, code_hash),
    constraint code_hash_is_sha256 check (length(code_hash) = 32)
);
comment on table recovery_codes is 'code_hash: SHA-256 of a code with 80 random bits.';

-- password_resets: thirty minutes to choose a new password, once.
create table password_resets (
    id bytea not null,
    user_id uuid not null,
    expires_at timestamptz not null default now() + interval '30 minutes',
    helped_by uuid,
    helped_in uuid,
    primary key (id),
    constraint id_is_sha256 check (length(id) = 32),
    constraint help_comes_from_somewhere check ((helped_by is null) = (helped_in is null))
);
comment on table password_resets is 'id: SHA-256 of the token in the link. helped_…: the owner who handed it out, and their clinic; NULL for one''s own mail and the operator.';

-- security_events: what happens before anybody's clinic is known. Written by the app, read by the operator.
create table security_events (
    id uuid not null default uuidv7(),
    happened_at timestamptz not null default now(),
    kind text not null,
    user_id uuid,
    account_hash text not null default '',
    address text not null default '',
    request_id text not null default '',
    primary key (id),
    constraint kind_is_known check (kind in ('sign_in_failed', 'sign_in_limited', 'sign_up_refused', 'sign_up_limited',
        'ticket_refused', 'origin_refused', 'factor_failed', 'confirm_failed', 'factor_limited', 'invitation_refused', 'reset_asked', 'reset_done',
        'reset_refused', 'reset_limited', 'membership_refused', 'refresh_reused', 'refresh_unknown'))
);
comment on table security_events is 'account_hash: SHA-256 of the folded address that was tried, never the address.';

-- articles: the built-in knowledge base, the same for every clinic, published from knowledge/*.md at start-up.
create table articles (
    slug text not null,
    language text not null,
    title text not null,
    other_names text[] not null default '{}',
    keywords text[] not null default '{}',
    body text not null,
    sources jsonb not null default '[]',
    source_note text not null default '',
    drafted_on date not null,
    reviewed_on date,
    reviewed_by text,
    search tsvector not null generated always as (
        setweight(to_tsvector('english', title), 'A')
        || setweight(to_tsvector('english', app.join_words(other_names || keywords)), 'B')
        || setweight(to_tsvector('english', body), 'D')) stored,
    primary key (slug),
    constraint a_review_names_its_reviewer check ((reviewed_on is null) = (reviewed_by is null))
);
comment on table articles is 'Reference data without a clinic.';

-- model_prices: what a million tokens cost, by whom and since when. Published from lib/model_prices.csv; never changed, only added to.
create table model_prices (
    provider text not null,
    model text not null,
    valid_from date not null,
    input_usd numeric(14, 8) not null,
    cached_usd numeric(14, 8),
    output_usd numeric(14, 8) not null,
    primary key (provider, model, valid_from),
    constraint prices_are_not_negative check (least(input_usd, cached_usd, output_usd) >= 0)
);
comment on table model_prices is 'Reference data without a clinic. USD per million tokens; cached_usd NULL: cached input costs what other input costs.';

-- service_spend: what a day's callers of /generate and /api/chat/generate have cost, who belong to no clinic.
create table service_spend (
    day date not null,
    spent_usd numeric(14, 8) not null default 0,
    reserved_usd numeric(14, 8) not null default 0,
    primary key (day),
    constraint spend_is_not_negative check (least(spent_usd, reserved_usd) >= 0)
);
comment on table service_spend is 'Without a clinic. day: in UTC. reserved_usd: what running calls may still cost; what a crash leaves held stays so until the day is over.';

-- archives: which closed months have left the database, and into which file. Written as the owner: by the archivist's clock and the operator's commands.
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

-- memberships: who works where, as what. display_name is what colleagues see, so that users stays closed.
create table memberships (
    clinic_id uuid not null,
    user_id uuid not null,
    role text not null,
    display_name text not null,
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    signed_out_at timestamptz,
    primary key (clinic_id, user_id),
    constraint role_is_known check (role in ('owner', 'manager', 'clinician', 'receptionist'))
);
create index memberships_by_user on memberships (user_id);
comment on table memberships is 'ended_at set: a former colleague, whose name stays on what they wrote. signed_out_at: no session from before may work here, wherever it was at that moment.';

-- invitations: a link that makes one person, and nobody else, a member with the role its sender chose.
create table invitations (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    email text not null,
    email_norm text not null generated always as (app.fold_email(email)) stored,
    role text not null,
    token_hash bytea not null,
    invited_by uuid not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null default now() + interval '72 hours',
    accepted_at timestamptz,
    withdrawn_at timestamptz,
    primary key (clinic_id, id),
    constraint role_is_known check (role in ('owner', 'manager', 'clinician', 'receptionist')),
    constraint email_is_short check (length(email) between 3 and 255),
    constraint token_hash_is_sha256 check (length(token_hash) = 32)
);
create unique index one_open_invitation_per_mailbox on invitations (clinic_id, email_norm)
    where accepted_at is null and withdrawn_at is null;
create index invitations_by_token on invitations (clinic_id, token_hash);
comment on table invitations is 'token_hash: SHA-256 of the token in the link. Single use; void once its sender may not invite any more.';

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

-- clinician_credentials: who may sign clinical entries. Submitted by the clinician, decided by an owner.
create table clinician_credentials (
    clinic_id uuid not null,
    user_id uuid not null,
    specialization text not null,
    licence_number text not null,
    status text not null default 'pending',
    reason text not null default '',
    submitted_at timestamptz not null default now(),
    decided_by uuid,
    decided_at timestamptz,
    version integer not null default 1,
    primary key (clinic_id, user_id),
    constraint specialization_is_short check (length(specialization) between 1 and 255),
    constraint licence_number_is_short check (length(licence_number) between 1 and 100),
    constraint status_is_known check (status in ('pending', 'approved', 'rejected', 'suspended')),
    constraint reason_is_bounded check (length(reason) <= 1000),
    constraint a_refusal_has_its_reason check (status not in ('rejected', 'suspended') or reason <> ''),
    constraint a_decision_names_its_person check ((decided_by is null) = (decided_at is null))
);
comment on table clinician_credentials is 'One row per clinician and clinic. A change by the clinician waits for the owner again.';

-- credential_documents: the file behind a licence, under the same policy. The newest one counts.
create table credential_documents (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    user_id uuid not null,
    file_name text not null,
    media_type text not null,
    content bytea not null,
    created_at timestamptz not null default now(),
    primary key (clinic_id, id),
    constraint file_name_is_short check (length(file_name) between 1 and 255),
    constraint media_type_is_known check (media_type in ('application/pdf', 'image/png', 'image/jpeg')),
    constraint content_is_bounded check (length(content) between 1 and 5242880)
);
create index credential_documents_by_person on credential_documents (clinic_id, user_id, id desc);
comment on table credential_documents is 'Up to 5 MB each. Never changed: a new file is a new row.';

-- patients: the people a clinic cares for. Never deleted: archived, or erased on request with the row kept.
create table patients (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    user_id uuid not null,
    -- These two stand early: a search reads them of every row, and to reach a column PostgreSQL walks over those before it.
    archived_at timestamptz,
    search tsvector not null default '',
    external_id text,
    full_name text not null,
    email text,
    phone text,
    date_of_birth date,
    deceased boolean not null default false,
    deceased_on date,
    name_key text not null default '',
    email_norm text generated always as (app.fold_email(email)) stored,
    phone_key text,
    version integer not null default 1,
    changed_by uuid not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    merged_into uuid,
    erased_at timestamptz,
    primary key (clinic_id, id),
    constraint full_name_is_short check (length(full_name) between 1 and 255),
    constraint email_is_short check (length(email) <= 255),
    constraint phone_is_short check (length(phone) <= 40),
    constraint external_id_is_short check (length(external_id) between 1 and 255),
    constraint death_follows_birth check (deceased_on >= date_of_birth),
    constraint a_date_of_death_means_deceased check (deceased or deceased_on is null),
    constraint who_is_gone_is_in_no_list check (archived_at is not null or (merged_into is null and erased_at is null))
);
-- All partial: while the table has no statistics, a foreign key's check takes any complete index that begins with clinic_id
-- for the primary key, and the first import into a new database grew with the square of its rows.
-- The number a patient has in the system they came from: importing the same file twice finds the same people.
create unique index one_patient_per_external_id on patients (clinic_id, external_id) where external_id is not null;
create index patients_by_name_and_birth on patients (clinic_id, name_key, date_of_birth) where date_of_birth is not null;
create index patients_by_email on patients (clinic_id, email_norm) where email_norm is not null;
create index patients_by_phone on patients (clinic_id, phone_key) where phone_key is not null;
-- The active list, newest first, without walking over the archive; and the archive's own.
create index patients_active on patients (clinic_id, id desc) where archived_at is null;
create index patients_archived on patients (clinic_id, id desc) where archived_at is not null;
create index patients_merged on patients (clinic_id, merged_into) where merged_into is not null;
comment on table patients is 'name_key, phone_key: folded for finding duplicates. search: lexemes made by lib/search_words.py, never by a text parser. merged_into: whose duplicate this was found to be. erased_at: nothing but the row is left.';

-- patient_notes: what only owners and clinicians may read. A table of its own, so that row-level security can say so.
create table patient_notes (
    clinic_id uuid not null,
    patient_id uuid not null,
    medical_notes text not null default '',
    alerts text not null default '',
    version integer not null default 1,
    changed_by uuid not null,
    updated_at timestamptz not null default now(),
    primary key (clinic_id, patient_id),
    constraint medical_notes_are_bounded check (length(medical_notes) <= 20000),
    constraint alerts_are_bounded check (length(alerts) <= 2000)
);
comment on table patient_notes is 'At most one row per patient.';

-- patient_versions, patient_note_versions: what stood there before and since, written by triggers alone.
create table patient_versions (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    patient_id uuid not null,
    version integer not null,
    changed_by uuid not null,
    changed_at timestamptz not null default now(),
    fields text[] not null,
    data jsonb not null,
    primary key (clinic_id, id)
);
create index patient_versions_by_patient on patient_versions (clinic_id, patient_id, id desc);
comment on table patient_versions is 'fields: what changed. data: the row as it stood after the change. Emptied by erasure.';

create table patient_note_versions (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    patient_id uuid not null,
    version integer not null,
    changed_by uuid not null,
    changed_at timestamptz not null default now(),
    fields text[] not null,
    data jsonb not null,
    primary key (clinic_id, id)
);
create index patient_note_versions_by_patient on patient_note_versions (clinic_id, patient_id, id desc);
comment on table patient_note_versions is 'The history of medical notes and alerts, under the same policy as the notes.';

-- merges: which patient was found to be another's duplicate, and what it takes to tell them apart again. No value of theirs.
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

-- erasures: whose data was removed on request, by whom and why. Without a name: it must outlast what it tells of.
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

-- chat_threads: one per patient, shared by those who treat them; one of general questions per member.
create table chat_threads (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    patient_id uuid,
    user_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (clinic_id, id)
);
create unique index one_thread_per_patient on chat_threads (clinic_id, patient_id) where patient_id is not null;
create unique index one_general_thread_per_member on chat_threads (clinic_id, user_id) where patient_id is null;
comment on table chat_threads is 'user_id: who opened it; for a general thread, its only reader.';

-- chat_messages: questions and answers. While an answer is started its text grows; it ends once, and then nothing changes.
create table chat_messages (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    thread_id uuid not null,
    patient_id uuid,
    user_id uuid not null,
    question_id uuid,
    attempt integer not null default 1,
    role text not null,
    status text not null,
    content text not null,
    sent jsonb,
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    stop_asked boolean not null default false,
    primary key (clinic_id, id),
    constraint role_is_known check (role in ('user', 'assistant')),
    constraint content_is_bounded check (length(content) <= 20000),
    constraint status_is_known check (status in ('started', 'ok', 'stopped', 'error_before', 'error_mid', 'timeout',
        'truncated', 'filtered', 'rate_limited', 'budget_blocked', 'abandoned')),
    constraint a_question_is_whole check (role = 'assistant' or status = 'ok'),
    constraint an_answer_has_its_question check ((role = 'assistant') = (question_id is not null))
) partition by range (id);
create index chat_messages_by_thread on chat_messages (clinic_id, thread_id, id desc);
create index chat_messages_started on chat_messages (clinic_id, id) where status = 'started';
comment on table chat_messages is 'user_id: who asked, on the answer too. question_id has no foreign key: months must stay detachable (SCALE rule 8). sent: what a provider was given for this answer, redacted. stop_asked: whoever asked wants it to end, which the process that writes it notices within a second.';

-- ai_calls: the bill, one row per attempt, without a word of what was asked. A test of the connection answers no message.
create table ai_calls (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    message_id uuid not null,
    patient_id uuid,
    user_id uuid not null,
    route text not null,
    status text not null,
    provider text,
    model_requested text,
    model_used text,
    provider_request_id text,
    tokens_in integer,
    tokens_cached integer,
    tokens_out integer,
    tokens_reasoning integer,
    usage_source text,
    price jsonb,
    cost_usd numeric(14, 8),
    cost_source text,
    saved_usd numeric(14, 8),
    budget_day date,
    reserved_usd numeric(14, 8),
    first_token_ms integer,
    latency_ms integer,
    tier text,
    rule_set text not null default '',
    article text,
    language text not null default 'en',
    redactions jsonb not null default '{}',
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    primary key (clinic_id, id),
    constraint route_is_known check (route in ('emergency', 'kb', 'fallback', 'cache', 'provider', 'blocked', 'trial')),
    constraint a_trial_answers_no_message check (route <> 'trial' or message_id = id),
    constraint status_is_known check (status in ('started', 'ok', 'stopped', 'error_before', 'error_mid', 'timeout',
        'truncated', 'filtered', 'rate_limited', 'budget_blocked', 'abandoned')),
    constraint tier_is_known check (tier in ('E', 'U')),
    constraint usage_source_is_known check (usage_source in ('provider', 'estimated')),
    constraint cost_source_is_known check (cost_source in ('provider', 'price_table', 'estimated', 'none')),
    constraint tokens_are_counted check (least(tokens_in, tokens_cached, tokens_out, tokens_reasoning) >= 0),
    constraint money_is_not_negative check (least(cost_usd, saved_usd, reserved_usd) >= 0)
) partition by range (id);
create index ai_calls_by_message on ai_calls (clinic_id, message_id);
create index ai_calls_started on ai_calls (clinic_id, id) where status = 'started';
comment on table ai_calls is 'message_id: the answer; a trial''s own id. NULL is unknown, 0 is measured zero. cost_source none: the answer needed no provider. price: the snapshot the cost was computed with. reserved_usd: what the call held of the day''s budget (ai_budgets) while it ran.';

-- emergencies: a red flag that a named person has to answer for.
create table emergencies (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    message_id uuid not null,
    thread_id uuid not null,
    patient_id uuid,
    user_id uuid not null,
    categories text[] not null,
    rule_set text not null,
    raised_at timestamptz not null default now(),
    acknowledged_by uuid,
    acknowledged_at timestamptz,
    false_alarm boolean not null default false,
    general boolean not null default false,
    primary key (clinic_id, id),
    constraint an_acknowledgement_names_its_person check ((acknowledged_by is null) = (acknowledged_at is null))
);
-- The list of what nobody has answered for yet.
create index emergencies_open on emergencies (clinic_id, id) where acknowledged_at is null;
comment on table emergencies is 'Acknowledged once; the acknowledgement is then final. rule_set: which rules raised it, or checklist or model. general: who asked stated that no patient is in danger now.';

-- emergency_actions: what was done about one, apart from what managers count.
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

-- assistant_settings: what the owner decided about the assistant: whether anything may leave the clinic, to whom, for how much.
create table assistant_settings (
    clinic_id uuid not null,
    provider_on boolean not null default false,
    baa_on_file boolean not null default false,
    base_url text,
    model text,
    api_key text,
    daily_budget_usd numeric(10, 2) not null default 100,
    version integer not null default 1,
    changed_by uuid,
    updated_at timestamptz not null default now(),
    primary key (clinic_id),
    constraint nothing_leaves_without_a_baa check (baa_on_file or not provider_on),
    constraint an_own_provider_is_whole check (num_nulls(base_url, model, api_key) in (0, 3)),
    constraint budget_is_bounded check (daily_budget_usd between 0 and 100000)
);
comment on table assistant_settings is 'No row: nothing leaves the clinic. base_url, model, api_key (sealed): the clinic''s own provider; NULL: the installation''s.';

-- ai_budgets: what a clinic's day has cost at providers so far, and what running calls may still cost.
create table ai_budgets (
    clinic_id uuid not null,
    day date not null,
    spent_usd numeric(14, 8) not null default 0,
    reserved_usd numeric(14, 8) not null default 0,
    warned_at timestamptz,
    stopped_at timestamptz,
    primary key (clinic_id, day),
    constraint budgets_are_not_negative check (least(spent_usd, reserved_usd) >= 0)
);
-- The installation's bill of a day adds up all clinics'.
create index ai_budgets_by_day on ai_budgets (day);
comment on table ai_budgets is 'day: of the clinic''s time zone. warned_at, stopped_at: when 80 and 100 % were first reached, so that each is told once.';

-- answer_cache: answers to general questions without history, by exact key. Nothing about a patient is ever in it.
create table answer_cache (
    clinic_id uuid not null,
    key bytea not null,
    content text not null,
    metadata jsonb not null,
    cost_usd numeric(14, 8),
    created_at timestamptz not null default now(),
    primary key (clinic_id, key),
    constraint content_is_bounded check (length(content) <= 20000)
);
comment on table answer_cache is 'key: SHA-256 of question, model, prompt and articles, so that a change of any of them finds nothing.';

-- answer_ratings: thumbs up or down, with a reason. One per member and answer; no foreign key, as months are detachable.
create table answer_ratings (
    clinic_id uuid not null,
    message_id uuid not null,
    user_id uuid not null,
    helpful boolean not null,
    reason text not null default '',
    rated_at timestamptz not null default now(),
    primary key (clinic_id, message_id, user_id),
    constraint reason_is_bounded check (length(reason) <= 1000)
);
comment on table answer_ratings is 'Read by who wrote it and by those who treat patients: a reason may speak of one.';

-- clinic_articles: what only this clinic can say: opening hours, prices, policies. They come before the built-in ones.
create table clinic_articles (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    user_id uuid not null,
    title text not null,
    other_names text[] not null default '{}',
    body text not null,
    archived_at timestamptz,
    version integer not null default 1,
    changed_by uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (clinic_id, id),
    constraint title_is_bounded check (length(title) between 1 and 200),
    constraint body_is_bounded check (length(body) between 1 and 4000),
    constraint other_names_are_few check (cardinality(other_names) <= 50)
);
comment on table clinic_articles is 'Never deleted: archived. user_id: who wrote it first.';

-- article_reviews: the clinician who read a built-in article and stands for it in this clinic.
create table article_reviews (
    clinic_id uuid not null,
    slug text not null,
    user_id uuid not null,
    text_hash bytea not null,
    reviewed_at timestamptz not null default now(),
    primary key (clinic_id, slug)
);
comment on table article_reviews is 'text_hash: SHA-256 of the text that was read; a changed text is a draft again. slug has no foreign key: articles come and go with the code.';

-- figure_marks: the moments of which the roll-ups below are no longer true. Written by triggers with every change, taken away
-- by app.refresh_rollups once it has counted anew. One row per change: a shared row would make all who write wait for each other.
create table figure_marks (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    at timestamptz not null,
    of_calls boolean not null default true,
    primary key (clinic_id, id)
);
comment on table figure_marks is 'at: when what has changed began. of_calls: false where only emergencies have. No foreign key, as a row lives for a minute.';

-- figure_changes: how many marks were ever taken away; with those still there, the version of a clinic's figures.
create table figure_changes (
    clinic_id uuid not null,
    marks bigint not null,
    primary key (clinic_id)
);
comment on table figure_changes is 'Counting anew moves marks from there to here, so the version changes with the data and with nothing else.';

-- The roll-ups. Days and hours are those of the clinic's wall clock at the time of counting, so a day is whole whatever its
-- zone's offset and on days of 23, 24 and 25 hours. They outlive the months they were counted from.
create table usage_hours (
    clinic_id uuid not null,
    day date not null,
    hour smallint not null,
    route text not null,
    model text not null,
    status text not null,
    cost_source text not null,
    calls bigint not null,
    tokens_in bigint,
    tokens_cached bigint,
    tokens_out bigint,
    tokens_reasoning bigint,
    uncounted bigint not null,
    cost_usd numeric,
    unpriced bigint not null,
    saved_usd numeric,
    primary key (clinic_id, day, hour, route, model, status, cost_source)
);
comment on table usage_hours is 'model, cost_source: '''' where there is none. Sums add what is known, NULL: nothing of it is. uncounted, unpriced: ended calls at a provider that told no tokens, and of which no price is known.';

-- usage_days: the same by day, because a year of hours takes ten times as long to read.
create table usage_days (
    clinic_id uuid not null,
    day date not null,
    route text not null,
    model text not null,
    status text not null,
    cost_source text not null,
    calls bigint not null,
    tokens_in bigint,
    tokens_cached bigint,
    tokens_out bigint,
    tokens_reasoning bigint,
    uncounted bigint not null,
    cost_usd numeric,
    unpriced bigint not null,
    saved_usd numeric,
    primary key (clinic_id, day, route, model, status, cost_source)
);
comment on table usage_days is 'Hours of usage_hours added up.';

create table latency_days (
    clinic_id uuid not null,
    day date not null,
    kind text not null,
    route text not null,
    buckets smallint[] not null,
    counts bigint[] not null,
    primary key (clinic_id, day, kind, route),
    constraint kind_is_known check (kind in ('total', 'first')),
    constraint every_bucket_has_its_count check (cardinality(buckets) = cardinality(counts))
);
comment on table latency_days is 'Whole answers by app.log_bucket of their milliseconds: to their end (total) and to their first token (first). Arrays: as rows, a year of buckets takes ten times as long to read.';

create table member_days (
    clinic_id uuid not null,
    day date not null,
    user_id uuid not null,
    calls bigint not null,
    cost_usd numeric,
    unpriced bigint not null,
    primary key (clinic_id, day, user_id)
);
comment on table member_days is 'Who asked how much.';

create table patient_days (
    clinic_id uuid not null,
    day date not null,
    patient_id uuid not null,
    calls bigint not null,
    cost_usd numeric,
    unpriced bigint not null,
    primary key (clinic_id, day, patient_id)
);
comment on table patient_days is 'About whom how much was asked.';

create table article_days (
    clinic_id uuid not null,
    day date not null,
    article text not null,
    calls bigint not null,
    primary key (clinic_id, day, article)
);
comment on table article_days is 'Answers that an article gave or went into.';

create table emergency_days (
    clinic_id uuid not null,
    day date not null,
    bucket smallint not null,
    raised bigint not null,
    general bigint not null,
    false_alarms bigint not null,
    primary key (clinic_id, day, bucket)
);
comment on table emergency_days is 'bucket: app.log_bucket of the seconds until somebody acknowledged; -1: nobody has yet.';

create table budget_days (
    clinic_id uuid not null,
    day date not null,
    limit_usd numeric(10, 2) not null,
    primary key (clinic_id, day)
);
comment on table budget_days is 'The budget as it last stood on that day; what was spent of it stands in ai_budgets.';

-- drafts: what somebody was typing when the page went away. Seven days, its author's eyes only.
create table drafts (
    clinic_id uuid not null,
    user_id uuid not null,
    form text not null,
    data jsonb not null,
    updated_at timestamptz not null default now(),
    primary key (clinic_id, user_id, form),
    constraint form_is_short check (length(form) <= 100),
    constraint data_is_bounded check (length(data::text) <= 100000)
);
comment on table drafts is 'form: the screen and, for an edit or a question, the record.';

-- audit_log: every look and every change. Appended in the transaction of what it tells of; never altered.
create table audit_log (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    happened_at timestamptz not null default now(),
    user_id uuid not null,
    session_id bytea,
    action text not null,
    resource text not null,
    resource_id text not null default '',
    patient_id uuid,
    fields text[] not null default '{}',
    row_count integer,
    term_hash text not null default '',
    address text not null default '',
    request_id text not null default '',
    primary key (clinic_id, id),
    constraint action_is_short check (length(action) between 1 and 60)
) partition by range (id);
-- The sealing job reads what is new, of every clinic.
create index audit_log_by_time on audit_log (id);
create index audit_log_by_session on audit_log (clinic_id, session_id, id desc);
-- The owner's filter by person; and what somebody worked on last, for Today.
create index audit_log_by_person on audit_log (clinic_id, user_id, id desc);
create index audit_log_by_patient on audit_log (clinic_id, patient_id, id desc) where patient_id is not null;
comment on table audit_log is 'fields: names of what changed, never values. term_hash: the search term, hashed, so that one search is one row.';

-- audit_seals: a hash chain per clinic over audit_log, so that a row changed or taken away behind everybody's back shows.
-- A job writes it within seconds, one process at a time, so that those who write audit rows never queue for each other.
create table audit_seals (
    clinic_id uuid not null,
    audit_id uuid not null,
    seq bigint not null,
    row_hash bytea not null,
    chain_hash bytea not null,
    sealed_at timestamptz not null default now(),
    primary key (clinic_id, audit_id)
) partition by range (audit_id);
create index audit_seals_in_order on audit_seals (clinic_id, seq);
create index audit_seals_by_time on audit_seals (audit_id);
comment on table audit_seals is 'chain_hash: SHA-256 of the chain_hash before (at seq 1: of nothing) and row_hash; row_hash: app.audit_digest.';

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
create unique index one_export_at_a_time on long_jobs (clinic_id, user_id) where kind = 'export' and status in ('waiting', 'running');
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

-- backups: those that were made and read back whole, so that whoever watches the installation knows how old the last one is.
create table backups (
    id uuid not null default uuidv7(),
    kind text not null,
    file text not null,
    bytes bigint not null,
    row_count bigint,
    began_at timestamptz not null,
    finished_at timestamptz not null default now(),
    primary key (id),
    constraint kind_is_known check (kind in ('tables', 'cluster'))
);
comment on table backups is 'One row per file of lib/backup.py. tables: every row, for any server; cluster: where the write-ahead log goes on from. row_count: of all tables together.';

-- restores: how this copy of the database came to be. Until it is released, it speaks to nobody outside.
create table restores (
    id uuid not null default uuidv7(),
    source text not null,
    taken_at timestamptz not null,
    restored_at timestamptz not null default now(),
    released_at timestamptz,
    primary key (id)
);
comment on table restores is 'taken_at: the moment whose state came back. released_at NULL: no mail is sent and no provider called (lib/quarantine.py).';

-- process_minutes: what each process counted in a minute and how much of it was over its limit, so that all of them add up.
create table process_minutes (
    process uuid not null,
    noted_at timestamptz not null default now(),
    kind text not null,
    events bigint not null,
    over bigint not null,
    primary key (process, noted_at, kind),
    constraint over_is_a_part check (over between 0 and events)
);
-- The last minutes of everybody.
create index process_minutes_by_time on process_minutes (noted_at);
comment on table process_minutes is 'kind: reruns, requests, answers (slow ones), errors (failed ones), disk, backups (percent of 100), provider (1 of 1: its breaker is open). Kept for an hour.';

-- alerts: what the installation's operator has to hear of, once while it lasts.
create table alerts (
    id uuid not null default uuidv7(),
    kind text not null,
    level smallint not null default 0,
    amount numeric not null,
    most numeric not null,
    raised_at timestamptz not null default now(),
    calm_since timestamptz,
    cleared_at timestamptz,
    queued_at timestamptz,
    end_queued_at timestamptz,
    mailed_at timestamptz,
    posted_at timestamptz,
    mail_problem text not null default '',
    post_problem text not null default '',
    told_at timestamptz,
    primary key (id),
    constraint kind_is_known check (kind in ('budget', 'reruns', 'requests', 'answers', 'errors', 'connections', 'disk', 'backup',
                                             'archive', 'provider', 'worker', 'test'))
);
-- Of two processes that see the same at once, one raises it.
create unique index one_open_alert on alerts (kind, level) where cleared_at is null;
comment on table alerts is 'level: 80 or 100 of a budget, 1 of the disk that backups go to, else 0. amount, most: what was measured last, and the limit. calm_since: below the lower limit from then on. queued_at, end_queued_at: when the job that tells of it and of its end was queued. told_at: that job did all there was to do.';

-- alert_mutes: until when nobody is told of a kind of the installation's alerts, and by whose wish. The newest row of a kind counts.
create table alert_mutes (
    id uuid not null default uuidv7(),
    kind text not null,
    until timestamptz not null,
    muted_by text not null,
    muted_at timestamptz not null default now(),
    primary key (id),
    constraint kind_is_known check (kind in ('budget', 'reruns', 'requests', 'answers', 'errors', 'connections', 'disk', 'backup',
                                             'archive', 'provider', 'worker')),
    constraint name_is_bounded check (length(muted_by) between 1 and 200)
);
comment on table alert_mutes is 'Added to, never changed: whoever muted what stays on record. until in the past: told of again.';

-- clinic_alerts: what a clinic's owners and managers have to hear of: its budget's end, an emergency that nobody answers for, and that
-- the provider of its own does not answer.
create table clinic_alerts (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    kind text not null,
    level smallint not null default 0,
    subject text not null,
    amount numeric not null,
    most numeric not null,
    raised_at timestamptz not null default now(),
    cleared_at timestamptz,
    queued_at timestamptz,
    end_queued_at timestamptz,
    mailed_at timestamptz,
    posted_at timestamptz,
    mail_problem text not null default '',
    post_problem text not null default '',
    told_at timestamptz,
    primary key (clinic_id, id),
    constraint kind_is_known check (kind in ('budget', 'emergency', 'own_provider', 'test'))
);
create unique index one_open_clinic_alert on clinic_alerts (clinic_id, kind, level, subject) where cleared_at is null;
comment on table clinic_alerts is 'subject: the day of a budget, the id of an emergency, nothing of a provider. The other columns as in alerts.';

-- clinic_alert_mutes: the same as alert_mutes, of one clinic.
create table clinic_alert_mutes (
    clinic_id uuid not null,
    id uuid not null default uuidv7(),
    kind text not null,
    until timestamptz not null,
    user_id uuid not null,
    muted_at timestamptz not null default now(),
    primary key (clinic_id, id),
    constraint kind_is_known check (kind in ('budget', 'emergency', 'own_provider'))
);
create index clinic_alert_mutes_by_kind on clinic_alert_mutes (clinic_id, kind, id);
comment on table clinic_alert_mutes is 'Added to, never changed; the newest row of a kind counts.';

-- distribution --------------------------------------------------------------------------------------------------------
-- deploy/citus.sql belongs here: users, articles, model_prices, service_spend as reference tables, the rest colocated by clinic_id.

-- foreign keys --------------------------------------------------------------------------------------------------------
-- Composite, so that no clinic can point at another's row. None points at a partitioned table: its months must stay
-- detachable. None leads from a tenant table to users: display names live in memberships.

alter table sessions add foreign key (user_id) references users (id) on delete cascade;
alter table tickets add foreign key (user_id) references users (id) on delete cascade;
alter table refresh_tokens add foreign key (session_id) references sessions (id) on delete cascade;
alter table recovery_codes add foreign key (user_id) references users (id) on delete cascade;
alter table password_resets add foreign key (user_id) references users (id) on delete cascade;
alter table memberships add foreign key (clinic_id) references clinics (id);
alter table invitations add foreign key (clinic_id, invited_by) references memberships (clinic_id, user_id);
alter table api_clients add foreign key (clinic_id, created_by) references memberships (clinic_id, user_id);
alter table repeats add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table clinician_credentials add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table credential_documents add foreign key (clinic_id, user_id) references clinician_credentials (clinic_id, user_id);
alter table patients add foreign key (clinic_id) references clinics (id);
alter table patients add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table patient_notes add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table patient_versions add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table patient_note_versions add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table patients add foreign key (clinic_id, merged_into) references patients (clinic_id, id);
alter table merges add foreign key (clinic_id, kept_id) references patients (clinic_id, id);
alter table merges add foreign key (clinic_id, merged_id) references patients (clinic_id, id);
alter table erasures add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table chat_threads add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table chat_threads add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table chat_messages add foreign key (clinic_id, thread_id) references chat_threads (clinic_id, id);
alter table chat_messages add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table ai_calls add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table emergencies add foreign key (clinic_id, thread_id) references chat_threads (clinic_id, id);
alter table emergencies add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table emergencies add foreign key (clinic_id, acknowledged_by) references memberships (clinic_id, user_id);
alter table emergency_actions add foreign key (clinic_id, emergency_id) references emergencies (clinic_id, id);
alter table assistant_settings add foreign key (clinic_id) references clinics (id);
alter table ai_budgets add foreign key (clinic_id) references clinics (id);
alter table answer_cache add foreign key (clinic_id) references clinics (id);
alter table answer_ratings add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table clinic_articles add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table article_reviews add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table figure_changes add foreign key (clinic_id) references clinics (id);
alter table usage_hours add foreign key (clinic_id) references clinics (id);
alter table usage_days add foreign key (clinic_id) references clinics (id);
alter table latency_days add foreign key (clinic_id) references clinics (id);
alter table member_days add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table patient_days add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table article_days add foreign key (clinic_id) references clinics (id);
alter table emergency_days add foreign key (clinic_id) references clinics (id);
alter table budget_days add foreign key (clinic_id) references clinics (id);
alter table drafts add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table audit_log add foreign key (clinic_id) references clinics (id);
alter table audit_seals add foreign key (clinic_id) references clinics (id);
alter table long_jobs add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table import_outcomes add foreign key (clinic_id, job_id) references long_jobs (clinic_id, id) on delete cascade;
alter table export_parts add foreign key (clinic_id, job_id) references long_jobs (clinic_id, id) on delete cascade;
alter table clinic_alerts add foreign key (clinic_id) references clinics (id);
alter table clinic_alert_mutes add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);

-- functions: who is asking --------------------------------------------------------------------------------------------
-- The setting reads '' instead of NULL after its first use in a connection, hence nullif.

create function app.clinic() returns uuid language sql stable parallel safe
    return nullif(current_setting('app.clinic_id', true), '')::uuid;
comment on function app.clinic is 'The clinic that app.enter let this transaction into, or NULL.';

create function app.user_id() returns uuid language sql stable parallel safe
    return nullif(current_setting('app.user_id', true), '')::uuid;
comment on function app.user_id is 'The member on whose behalf this transaction runs, or NULL.';

create function app.role() returns text language sql stable parallel safe
    return nullif(current_setting('app.role', true), '');
comment on function app.role is 'That member''s role in the clinic, or NULL.';

create function app.managed_clinic() returns uuid language sql stable parallel safe
    return case when app.role() in ('owner', 'manager') then app.clinic() end;
comment on function app.managed_clinic is 'The clinic, for those who read its figures, else NULL. In a policy one comparison with a column is made once for all rows; a condition without a column is asked for each.';

create function app.clinical() returns boolean language sql stable parallel safe
    return current_setting('app.role', true) in ('owner', 'clinician');
comment on function app.clinical is 'Whether that role may see what only those who treat patients may see.';

-- set local by execute, never set_config: Citus carries only the former to its workers (SCALE rule 2).
create function app.enter(clinic uuid, member uuid) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    found_role text;
begin
    select m.role into found_role
    from memberships m
    where m.clinic_id = clinic and m.user_id = member and m.ended_at is null;
    if found_role is null then
        raise exception 'not a member of this clinic' using errcode = '42501';
    end if;
    execute format('set local app.clinic_id = %L', clinic);
    execute format('set local app.user_id = %L', member);
    execute format('set local app.role = %L', found_role);
    return found_role;
end
$$;
comment on function app.enter is 'Let this transaction into a clinic as one of its members; refuses (42501) anybody else. Returns the role.';

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

create function app.enter_job(clinic uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    execute format('set local app.clinic_id = %L', clinic);
    execute 'set local app.user_id = ''''';
    execute 'set local app.role = ''owner''';
end
$$;
comment on function app.enter_job is 'The same for background jobs, which nobody in particular asked for. The worker role''s alone.';

-- functions: signing up and in ----------------------------------------------------------------------------------------
-- The app has no grant on users, sessions and tickets; these are the only doors.

create function app.sign_up(email text, full_name text, password_hash text, clinic_name text, country text,
                            time_zone text, currency text, language text, emergency_number text, only_first boolean)
    returns table (user_id uuid, clinic_id uuid)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    new_user uuid := uuidv7();
    new_clinic uuid := uuidv7();
begin
    if only_first then
        perform pg_advisory_xact_lock(hashtext('chairside.sign_up'));
        if exists (select from clinics) then
            raise exception 'sign-up is closed' using errcode = 'CS001';
        end if;
    end if;
    insert into users (id, email, full_name, password_hash)
    values (new_user, sign_up.email, sign_up.full_name, sign_up.password_hash);
    insert into clinics (id, name, country, time_zone, currency, language, emergency_number)
    values (new_clinic, clinic_name, sign_up.country, sign_up.time_zone, sign_up.currency, sign_up.language,
            sign_up.emergency_number);
    insert into memberships (clinic_id, user_id, role, display_name)
    values (new_clinic, new_user, 'owner', sign_up.full_name);
    return query select new_user, new_clinic;
end
$$;
comment on function app.sign_up is 'A new person, a new clinic, and the one owning the other. CS001 when only the first clinic may do so.';

create function app.any_clinic() returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
    return exists (select from public.clinics);
comment on function app.any_clinic is 'Whether anybody has signed up yet; decides if the sign-up form is offered.';

create function app.last_clinic(person uuid) returns uuid
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    worked_in constant uuid[] := array(select m.clinic_id from memberships m where m.user_id = person and m.ended_at is null order by m.created_at);
    used uuid;
begin
    select w.id into used
    from unnest(worked_in) with ordinality w (id, place)
    left join (
        select s.clinic_id, max(s.created_at) as used_at
        from sessions s
        where s.user_id = person
        group by s.clinic_id
    ) last on last.clinic_id = w.id
    order by last.used_at desc nulls last, w.place
    limit 1;
    return used;
end
$$;
comment on function app.last_clinic is 'Where somebody works in several clinics, the one they used last. NULL: a member nowhere any more.';

create function app.find_account(email text)
    returns table (id uuid, email text, full_name text, password_hash text, clinic_id uuid, factor boolean)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.id, u.email, u.full_name, u.password_hash, app.last_clinic(u.id), u.totp_since is not null
    from public.users u
    where u.email_norm = app.fold_email(find_account.email);
end;
comment on function app.find_account is 'The account of one address with the clinic it used last, or nothing. clinic_id NULL: a member nowhere any more.';

create function app.renew_password_hash(account uuid, old_hash text, new_hash text) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    update public.users set password_hash = new_hash where id = account and password_hash = old_hash;
end;
comment on function app.renew_password_hash is 'The same password under more bcrypt rounds. Needs the old hash, so it cannot set a password.';

create function app.issue_ticket(ticket bytea, account uuid, clinic uuid, keep boolean) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    delete from public.tickets where expires_at < now();
    insert into public.tickets (id, user_id, clinic_id, keep) values (ticket, account, clinic, issue_ticket.keep);
end;
comment on function app.issue_ticket is 'Kept for 30 seconds.';

create function app.redeem_ticket(ticket bytea, session bytea, device text, address text)
    returns table (user_id uuid, clinic_id uuid, email text, keep boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    redeemed tickets;
begin
    delete from tickets t where t.id = ticket and t.expires_at > now() returning t.* into redeemed;
    if redeemed.id is null then
        return;
    end if;
    insert into sessions (id, user_id, clinic_id, device, address, keep)
    values (session, redeemed.user_id, redeemed.clinic_id, left(redeem_ticket.device, 200), left(redeem_ticket.address, 60), redeemed.keep);
    return query
    select u.id, redeemed.clinic_id, u.email, redeemed.keep from users u where u.id = redeemed.user_id;
end
$$;
comment on function app.redeem_ticket is 'Once: the ticket goes, the session comes, in one statement. No row for a used, expired or unknown ticket.';

-- A session ends when it was revoked, sat idle for 30 minutes or is 12 hours old; a kept one after seven days.
create function app.session_ends(keep boolean, created_at timestamptz, seen_at timestamptz) returns timestamptz
    language sql immutable parallel safe
    return least(created_at + case when keep then interval '7 days' else interval '12 hours' end,
                 seen_at + case when keep then interval '7 days' else interval '30 minutes' end);
comment on function app.session_ends is 'When a session is over if nobody does anything more in it.';

create function app.resume(session bytea, active boolean)
    returns table (user_id uuid, clinic_id uuid, role text, email text, full_name text, clinic_name text, country text,
                   time_zone text, currency text, language text, emergency_number text, networks text[], must_enrol boolean,
                   clinics integer, ends_in double precision)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    device sessions;
    own record;
    worked_in integer;
    ends timestamptz;
begin
    select s.* into device from sessions s where s.id = session and s.revoked_at is null;
    select m.role, m.display_name, m.signed_out_at, c.name, c.country, c.time_zone, c.currency, c.language, c.emergency_number,
           c.owner_networks::text[] as networks, c.factor_required, c.keep_allowed
    into own
    from memberships m
    join clinics c on c.id = m.clinic_id
    where m.clinic_id = device.clinic_id and m.user_id = device.user_id and m.ended_at is null;
    ends := app.session_ends(device.keep and own.keep_allowed, device.created_at, device.seen_at);
    if own.role is null or ends <= now() or device.created_at <= coalesce(own.signed_out_at, '-infinity') then
        return;
    end if;
    if active and device.seen_at < now() - interval '30 seconds' then
        update sessions s set seen_at = now() where s.id = session and s.revoked_at is null;
        ends := app.session_ends(device.keep and own.keep_allowed, device.created_at, now());
    end if;
    worked_in := (select count(*) from memberships o where o.user_id = device.user_id and o.ended_at is null);
    return query
    select u.id, device.clinic_id, own.role, u.email, own.display_name, own.name, own.country, own.time_zone, own.currency,
           coalesce(u.language, own.language), own.emergency_number, own.networks,
           own.factor_required and u.totp_since is null, worked_in, extract(epoch from ends - now())::double precision
    from users u
    where u.id = device.user_id;
end
$$;
comment on function app.resume is 'Who this session is, or no row. active: a person did something, so the idle clock starts again. clinics: how many this person works in. ends_in: seconds.';

create function app.revoke(session bytea) returns table (user_id uuid, clinic_id uuid)
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    update public.sessions s
    set revoked_at = now()
    where s.id = session and s.revoked_at is null
    returning s.user_id, s.clinic_id;
end;
comment on function app.revoke is 'Signs the device out.';

-- functions: one's own account ----------------------------------------------------------------------------------------
-- Each names its person by a living session. What changes a password or a factor also wants the hash of the current
-- password, which only somebody who was just asked for it can give.

create function app.whose(session bytea) returns uuid
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select r.user_id from app.resume(session, false) r;
end;
comment on function app.whose is 'The person of a living session, or NULL.';

create function app.account(session bytea)
    returns table (email text, full_name text, language text, factor_since timestamptz, recovery_codes integer)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.email, u.full_name, u.language, u.totp_since,
           (select count(*)::integer from public.recovery_codes c where c.user_id = u.id and c.used_at is null)
    from public.users u
    where u.id = app.whose(session);
end;
comment on function app.account is 'recovery_codes: how many are left.';

create function app.amend_account(session bytea, full_name text, language text) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person uuid := app.whose(session);
begin
    update users u set full_name = amend_account.full_name, language = amend_account.language where u.id = person;
    update memberships m set display_name = amend_account.full_name where m.user_id = person and m.ended_at is null;
end
$$;
comment on function app.amend_account is 'The name follows into every clinic this person works in. Where they left, it stays on what they wrote.';

create function app.end_sessions(person uuid, but bytea) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    delete from public.tickets where user_id = person;
    update public.sessions set revoked_at = now() where user_id = person and revoked_at is null and id is distinct from but;
end;
comment on function app.end_sessions is 'Signs a person out everywhere, but for one session. For the functions here; granted to nobody.';

create function app.set_password(session bytea, old_hash text, new_hash text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person uuid;
begin
    update users set password_hash = new_hash where id = app.whose(session) and password_hash = old_hash returning id into person;
    if person is null then
        return false;
    end if;
    delete from password_resets where user_id = person;
    perform app.end_sessions(person, session);
    return true;
end
$$;
comment on function app.set_password is 'Ends every other session. False: the old hash is not the current one.';

create function app.factor_required(session bytea) returns boolean
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person constant uuid := app.whose(session);
begin
    return exists (
        select from memberships m
        join clinics c on c.id = m.clinic_id
        where m.user_id = person and m.ended_at is null and c.factor_required);
end
$$;
comment on function app.factor_required is 'Whether any clinic in which this person works asks for a second factor.';

create function app.set_factor(session bytea, old_hash text, secret text, step bigint, codes bytea[]) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person uuid;
begin
    if secret is null and app.factor_required(session) then
        raise exception 'a clinic asks for a second factor' using errcode = 'CS007';
    end if;
    update users
    set totp_secret = secret, totp_since = case when secret is null then null else now() end, totp_step = step
    where id = app.whose(session) and password_hash = old_hash
    returning id into person;
    if person is null then
        return false;
    end if;
    delete from recovery_codes where user_id = person;
    insert into recovery_codes (user_id, code_hash) select person, unnest(codes);
    perform app.end_sessions(person, session);
    return true;
end
$$;
comment on function app.set_factor is 'Sets, changes or (secret NULL) drops the second factor. step: the one that proved it. Ends every other session. CS007: a clinic of theirs asks for one.';

create function app.set_recovery_codes(session bytea, old_hash text, codes bytea[]) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person uuid;
begin
    select id into person from users where id = app.whose(session) and password_hash = old_hash and totp_since is not null
    for update;
    if person is null then
        return false;
    end if;
    delete from recovery_codes where user_id = person;
    insert into recovery_codes (user_id, code_hash) select person, unnest(codes);
    return true;
end
$$;
comment on function app.set_recovery_codes is 'New ones; the old ones are void.';

create function app.find_factor(account uuid) returns table (secret text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.totp_secret from public.users u where u.id = account and u.totp_since is not null;
end;
comment on function app.find_factor is 'The sealed secret, for checking a code.';

create function app.use_step(account uuid, step bigint) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update users set totp_step = step
    where id = account and totp_step < step and step <= extract(epoch from now()) / 30 + 2;
    return found;
end
$$;
comment on function app.use_step is 'False: this code, or a later one, was used already, or it is of a time to come.';

create function app.use_recovery_code(account uuid, code bytea) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update recovery_codes set used_at = now() where user_id = account and code_hash = code and used_at is null;
    return found;
end
$$;
comment on function app.use_recovery_code is 'False: unknown, or used already.';

create function app.my_sessions(session bytea)
    returns table (id bytea, device text, address text, clinic_name text, keep boolean, created_at timestamptz,
                   seen_at timestamptz, current boolean)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person constant uuid := app.whose(session);
    mine sessions;
    works_in record;
begin
    for mine in select s.* from sessions s where s.user_id = person and s.revoked_at is null order by s.seen_at desc loop
        select c.name, c.keep_allowed into works_in
        from memberships m
        join clinics c on c.id = m.clinic_id
        where m.clinic_id = mine.clinic_id and m.user_id = person and m.ended_at is null;
        if found and app.session_ends(mine.keep and works_in.keep_allowed, mine.created_at, mine.seen_at) > now() then
            return query
            select mine.id, mine.device, mine.address, works_in.name, mine.keep and works_in.keep_allowed, mine.created_at, mine.seen_at,
                   mine.id = session;
        end if;
    end loop;
end
$$;
comment on function app.my_sessions is 'The living ones.';

create function app.revoke_mine(session bytea, other bytea) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    update public.sessions
    set revoked_at = now()
    where user_id = app.whose(session) and revoked_at is null and (id = other or (other is null and id <> session));
end;
comment on function app.revoke_mine is 'Signs one of one''s own devices out, or (NULL) all others.';

create function app.my_clinics(session bytea) returns table (id uuid, name text, role text, current boolean)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person uuid;
    here uuid;
begin
    select r.user_id, r.clinic_id into person, here from app.resume(session, false) r;
    return query
    select c.id, c.name, m.role, c.id = here
    from memberships m
    join clinics c on c.id = m.clinic_id
    where m.user_id = person and m.ended_at is null
    order by c.name;
end
$$;
comment on function app.my_clinics is 'Where this person works.';

create function app.switch_clinic(session bytea, clinic uuid) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person constant uuid := app.whose(session);
    member memberships;
begin
    select m.* into member from memberships m where m.clinic_id = clinic and m.user_id = person and m.ended_at is null;
    update sessions s
    set clinic_id = member.clinic_id
    where s.id = session and member.clinic_id is not null and s.created_at > coalesce(member.signed_out_at, '-infinity');
    return found;
end
$$;
comment on function app.switch_clinic is 'This device works in another clinic from now on. False: not a member there.';

-- functions: programs --------------------------------------------------------------------------------------------------

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

create function app.forget_drafts() returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    delete from public.drafts where updated_at <= now() - interval '7 days';
end;
comment on function app.forget_drafts is 'Drafts older than a week, whoever wrote them and never came back.';

-- functions: forgotten passwords --------------------------------------------------------------------------------------

create function app.issue_reset(address text, token bytea) returns table (id uuid, email text)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    delete from password_resets where expires_at < now();
    return query
    with known as (
        select u.id, u.email from users u where u.email_norm = app.fold_email(address)
    ), issued as (
        insert into password_resets (id, user_id) select token, k.id from known k
    )
    select k.id, k.email from known k;
end
$$;
comment on function app.issue_reset is 'No row for an unknown address.';

-- What an owner handed out is good only while they might still hand it out.
create function app.find_reset(token bytea) returns table (email text, full_name text)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    asked password_resets;
begin
    select r.* into asked from password_resets r where r.id = token and r.expires_at > now();
    if asked.helped_in is not null and not (
        exists (select from memberships h where h.clinic_id = asked.helped_in and h.user_id = asked.helped_by
                and h.role = 'owner' and h.ended_at is null)
        and exists (select from memberships m where m.clinic_id = asked.helped_in and m.user_id = asked.user_id and m.ended_at is null)
        and not exists (select from memberships o where o.user_id = asked.user_id and o.clinic_id <> asked.helped_in)) then
        return;
    end if;
    return query
    select u.email, u.full_name from users u where u.id = asked.user_id;
end
$$;
comment on function app.find_reset is 'Whose reset this is; no row for a used, expired, unknown or void token.';

create function app.reset_password(token bytea, new_hash text) returns uuid
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    person uuid;
begin
    delete from password_resets r where r.id = token and exists (select from app.find_reset(token)) returning r.user_id into person;
    update users set password_hash = new_hash, password_reset_at = now() where id = person;
    delete from password_resets where user_id = person;
    perform app.end_sessions(person, null);
    return person;
end
$$;
comment on function app.reset_password is 'Ends every session; the second factor stays. NULL for a used, expired, unknown or void token.';

-- Users are global, so an owner's help is a way to take an account over (SECURITY 13).
create function app.may_help(member uuid, other_help timestamptz) returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select app.role() = 'owner' and member <> app.user_id()
       and exists (select from public.memberships where clinic_id = app.clinic() and user_id = member and ended_at is null)
       and not exists (select from public.memberships where user_id = member and clinic_id <> app.clinic())
       and coalesce(other_help < now() - interval '24 hours', true);
end;
comment on function app.may_help is 'Only an owner, only for another member of this clinic who never was one of another, and never password and factor within 24 hours.';

create function app.issue_member_reset(member uuid, token bytea) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform from users u where u.id = member for update;  -- or both kinds of help could pass at the same moment
    if not app.may_help(member, (select factor_reset_at from users where id = member)) then
        raise exception 'no help for this member' using errcode = 'CS005';
    end if;
    insert into password_resets (id, user_id, helped_by, helped_in) values (token, member, app.user_id(), app.clinic());
    update users set password_reset_at = now() where id = member;
end
$$;
comment on function app.issue_member_reset is 'An owner hands a colleague a link. CS005: app.may_help says no.';

create function app.reset_member_factor(member uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform from users u where u.id = member for update;
    if not app.may_help(member, (select password_reset_at from users where id = member)) then
        raise exception 'no help for this member' using errcode = 'CS005';
    end if;
    update users set totp_secret = null, totp_since = null, factor_reset_at = now() where id = member;
    delete from recovery_codes where user_id = member;
    perform app.end_sessions(member, null);
end
$$;
comment on function app.reset_member_factor is 'Takes a colleague''s second factor away and signs them out. CS005: app.may_help says no.';

-- functions: the team -------------------------------------------------------------------------------------------------

create function app.may_invite(inviter_role text, role text) returns boolean
    language sql immutable parallel safe
    return inviter_role = 'owner' or (inviter_role = 'manager' and role = 'receptionist');
comment on function app.may_invite is 'Owners manage everybody, managers receptionists only.';

create function app.find_invitation(clinic uuid, token bytea) returns table (clinic_name text, email text, role text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select c.name, i.email, i.role
    from public.invitations i
    join public.clinics c on c.id = i.clinic_id
    join public.memberships s on s.clinic_id = i.clinic_id and s.user_id = i.invited_by and s.ended_at is null
    where i.clinic_id = clinic and i.token_hash = token and i.accepted_at is null and i.withdrawn_at is null
      and i.expires_at > now() and app.may_invite(s.role, i.role);
end;
comment on function app.find_invitation is 'An open invitation whose sender may still invite; no row for anything else.';

create function app.open_account(clinic uuid, token bytea, full_name text, password_hash text) returns uuid
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    insert into public.users (email, full_name, password_hash)
    select i.email, open_account.full_name, open_account.password_hash
    from app.find_invitation(clinic, token) i
    returning id;
end;
comment on function app.open_account is 'A new person with the invited address. NULL without an open invitation.';

create function app.accept_invitation(clinic uuid, token bytea, account uuid) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    granted text;
begin
    if not exists (select from app.find_invitation(clinic, token)) then
        return null;
    end if;
    update invitations i
    set accepted_at = now()
    from users u
    where i.clinic_id = clinic and i.token_hash = token and u.id = account and u.email_norm = i.email_norm
      and i.accepted_at is null and i.withdrawn_at is null
      and not exists (select from memberships former
                      join memberships sender on sender.clinic_id = former.clinic_id and sender.user_id = i.invited_by
                      where former.clinic_id = clinic and former.user_id = account and former.ended_at is not null
                        and not app.may_invite(sender.role, former.role))
    returning i.role into granted;
    if granted is null then
        return null;
    end if;
    insert into memberships (clinic_id, user_id, role, display_name)
    select clinic, u.id, granted, u.full_name from users u where u.id = account
    on conflict (clinic_id, user_id) do update
    set role = excluded.role, ended_at = null
    where memberships.ended_at is not null;
    return granted;
end
$$;
comment on function app.accept_invitation is 'Once, by the invited address alone; a member who never left keeps their role, and whom only an owner may remove only an owner brings back. NULL: not open, or not theirs.';

create function app.member_emails() returns table (user_id uuid, email text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select m.user_id, u.email
    from public.memberships m
    join public.users u on u.id = m.user_id
    where m.clinic_id = app.clinic() and app.may_invite(app.role(), m.role);
end;
comment on function app.member_emails is 'The addresses of those whom this member manages, so that two people of one name are told apart.';

create function app.sign_out_member(member uuid) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    ended integer;
    moment constant timestamptz := clock_timestamp();
begin
    if not exists (select from memberships m where m.clinic_id = app.clinic() and m.user_id = member
                   and (app.may_invite(app.role(), m.role) or m.user_id = app.user_id())) then
        raise exception 'not yours to sign out' using errcode = '42501';
    end if;
    delete from tickets t where t.user_id = member and t.clinic_id = app.clinic();
    update memberships m set signed_out_at = moment where m.clinic_id = app.clinic() and m.user_id = member;
    update sessions s set revoked_at = now() where s.user_id = member and s.clinic_id = app.clinic() and s.revoked_at is null;
    get diagnostics ended = row_count;
    return ended;
end
$$;
comment on function app.sign_out_member is 'Ends a colleague''s sessions in this clinic; those elsewhere are not its business.';

create function app.record_failed_sign_in(account uuid, kind text, address text, request text) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    insert into public.audit_log (clinic_id, user_id, action, resource, address, request_id)
    select m.clinic_id, m.user_id, kind, 'session', record_failed_sign_in.address, request
    from public.memberships m
    where m.user_id = account and m.ended_at is null and kind in ('sign_in_failed', 'factor_failed', 'confirm_failed');
end;
comment on function app.record_failed_sign_in is 'In each clinic of the person whose password or second factor was tried; kind: which of them.';

-- functions: the audit chain ------------------------------------------------------------------------------------------

create function app.audit_digest(entry audit_log) returns bytea
    language sql stable parallel safe
    return sha256(convert_to(jsonb_build_array(
        entry.clinic_id, entry.id, extract(epoch from entry.happened_at), entry.user_id, encode(entry.session_id, 'hex'),
        entry.action, entry.resource, entry.resource_id, entry.patient_id, entry.fields, entry.row_count, entry.term_hash,
        entry.address, entry.request_id)::text, 'UTF8'));
comment on function app.audit_digest is 'SHA-256 over every column of one audit row.';

-- From ten minutes before the newest seal, because a transaction that began earlier may commit later; none lasts that long.
-- From ten minutes before now where that is earlier: after a clock was put back, new rows lie behind the newest seal.
create function app.seal_audit(everything boolean default false) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    entry audit_log;
    clinic uuid;
    head record;
    place bigint;
    chain bytea;
    digest bytea;
    sealed integer := 0;
    since uuid := '00000000-0000-0000-0000-000000000000';
begin
    if not pg_try_advisory_xact_lock(hashtext('chairside.seal')) then
        return 0;
    end if;
    if not everything then
        since := coalesce((select app.uuid_floor(least(app.uuid_time(audit_id), now()) - interval '10 minutes')
                           from audit_seals order by audit_id desc limit 1), since);
    end if;
    for entry in
        select fresh.*
        from (select l.*
              from audit_log l
              where l.id >= since
                and not exists (select from audit_seals s
                                where s.clinic_id = l.clinic_id and s.audit_id = l.id and s.audit_id >= since)
              order by l.id
              limit 5000) fresh
        order by fresh.clinic_id, fresh.id
    loop
        if entry.clinic_id is distinct from clinic then
            clinic := entry.clinic_id;
            select s.seq, s.chain_hash into head from audit_seals s where s.clinic_id = clinic order by s.seq desc limit 1;
            place := coalesce(head.seq, 0);
            chain := coalesce(head.chain_hash, '');
        end if;
        place := place + 1;
        digest := app.audit_digest(entry);
        chain := sha256(chain || digest);
        insert into audit_seals (clinic_id, audit_id, seq, row_hash, chain_hash)
        values (clinic, entry.id, place, digest, chain);
        sealed := sealed + 1;
    end loop;
    return sealed;
end
$$;
comment on function app.seal_audit is 'Seals up to 5,000 new audit rows, oldest first, in every clinic; one process at a time. Returns how many. everything: also rows that were given an old id, as the demo''s are.';

-- functions: erasing and merging patients -----------------------------------------------------------------------------
-- What is final elsewhere may change in the very transaction whose row of erasures or merges says so, and only these
-- functions write such rows. now() is the moment a transaction began; a second one of the same microsecond would have to be
-- about the same patient, and that one is gone already.

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
    language plpgsql stable as $$
declare
    clinic constant uuid := app.clinic();
begin
    return query
    with recursive family (id) as (
        select patient
        union
        select p.id from public.patients p join family f on f.id = p.merged_into where p.clinic_id = clinic
    )
    select f.id from family f;
end
$$;
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
    if exists (select from long_jobs l where l.clinic_id = clinic and l.kind = 'import' and l.status in ('waiting', 'running')) then
        raise exception 'an import is under way' using errcode = 'CS012';
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
comment on function app.erase_patient is 'Takes away everything that tells who this was and what was written, in their history and those merged into them too. CS009: changed since that version. CS010: an emergency of theirs waits. CS012: an import is under way, whose file may name them. Returns how many messages.';

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

-- functions: rules that triggers keep ---------------------------------------------------------------------------------

create function app.touch() returns trigger language plpgsql as $$
begin
    new.updated_at := now();
    return new;
end
$$;
comment on function app.touch is 'updated_at follows every change.';

create function app.count_version() returns trigger language plpgsql as $$
begin
    new.version := old.version + 1;
    return new;
end
$$;
comment on function app.count_version is 'version counts every change, whoever makes it.';

create function app.name_author() returns trigger language plpgsql as $$
begin
    new.changed_by := coalesce(app.user_id(), new.changed_by);
    return new;
end
$$;
comment on function app.name_author is 'changed_by is who is asking, not what the statement claims.';

-- As the owner, because nobody else may write history. The tenant policy still binds it to the clinic it is in.
create function app.keep_patient_version() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    contact constant text[] := '{external_id,full_name,email,phone,date_of_birth,deceased,deceased_on,archived_at}';
    before jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) else '{}'::jsonb end;
    after jsonb := to_jsonb(new);
begin
    insert into patient_versions (clinic_id, patient_id, version, changed_by, fields, data)
    select new.clinic_id, new.id, new.version, new.changed_by,
           coalesce(array_agg(f) filter (where coalesce(before -> f, 'null') is distinct from after -> f), '{}'),
           jsonb_object_agg(f, after -> f)
    from unnest(contact) f;
    return null;
end
$$;
comment on function app.keep_patient_version is 'One history row per insert and update.';

create function app.keep_note_version() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    before jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) else '{"medical_notes": "", "alerts": ""}'::jsonb end;
    after jsonb := to_jsonb(new);
begin
    insert into patient_note_versions (clinic_id, patient_id, version, changed_by, fields, data)
    select new.clinic_id, new.patient_id, new.version, new.changed_by,
           coalesce(array_agg(f) filter (where before -> f is distinct from after -> f), '{}'),
           jsonb_object_agg(f, after -> f)
    from unnest('{medical_notes,alerts}'::text[]) f;
    return null;
end
$$;
comment on function app.keep_note_version is 'The same for notes and alerts.';

create function app.finish_once() returns trigger language plpgsql as $$
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

-- Not a definer: whoever may not see the thread can't write into it.
create function app.match_thread() returns trigger language plpgsql as $$
begin
    if not exists (
        select from public.chat_threads t
        where t.clinic_id = new.clinic_id and t.id = new.thread_id and t.patient_id is not distinct from new.patient_id
    ) then
        raise exception 'no such thread for this patient' using errcode = '42501';
    end if;
    return new;
end
$$;
comment on function app.match_thread is 'A message and an emergency are about the patient of their thread, or about none.';

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

create function app.acknowledge_once() returns trigger language plpgsql as $$
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

-- Locks the clinic, or two last owners could leave at the same moment.
create function app.keep_an_owner() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if old.ended_at is null and new.ended_at is not null then
        new.signed_out_at := clock_timestamp();
    end if;
    if old.role = 'owner' and old.ended_at is null and (new.role <> 'owner' or new.ended_at is not null) then
        perform from clinics c where c.id = new.clinic_id for update;
        if not exists (select from memberships m where m.clinic_id = new.clinic_id and m.user_id <> new.user_id
                       and m.role = 'owner' and m.ended_at is null) then
            raise exception 'a clinic keeps an owner' using errcode = 'CS004';
        end if;
    end if;
    return new;
end
$$;
comment on function app.keep_an_owner is 'The last owner of a clinic cannot be removed or given another role. Who leaves takes no session along.';

create function app.end_membership() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.ended_at is not null then
        delete from tickets t where t.user_id = new.user_id and t.clinic_id = new.clinic_id;
        update sessions s set revoked_at = now()
        where s.user_id = new.user_id and s.clinic_id = new.clinic_id and s.revoked_at is null;
        update invitations i set withdrawn_at = now()
        where i.clinic_id = new.clinic_id and i.invited_by = new.user_id and i.accepted_at is null and i.withdrawn_at is null;
    end if;
    return null;
end
$$;
comment on function app.end_membership is 'Who leaves is signed out and their invitations are void, and both stay so when they come back.';

create function app.end_approval() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.ended_at is not null or new.role not in ('owner', 'clinician') then
        update clinician_credentials c set status = 'pending'
        where c.clinic_id = new.clinic_id and c.user_id = new.user_id and c.status = 'approved';
    end if;
    return null;
end
$$;
comment on function app.end_approval is 'Who leaves, or treats nobody any more, is approved anew before they sign again.';

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

create function app.make_way() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update invitations i set withdrawn_at = now()
    where i.clinic_id = new.clinic_id and i.email_norm = app.fold_email(new.email) and i.expires_at <= now()
      and i.accepted_at is null and i.withdrawn_at is null;
    return new;
end
$$;
comment on function app.make_way is 'An expired invitation stands in nobody''s way, whoever sent it.';

create function app.submit_again() returns trigger language plpgsql as $$
begin
    update clinician_credentials c set submitted_at = now()
    where c.clinic_id = new.clinic_id and c.user_id = new.user_id and c.status <> 'pending';
    return null;
end
$$;
comment on function app.submit_again is 'A new document waits for the owner like any other change.';

-- Nobody may save them any more, so they end here; the process that writes one notices within a second and hangs up. A call
-- whose bill nobody can settle counts as what was held for it.
create function app.end_answers() returns trigger
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
comment on function app.end_answers is 'The running answers of whoever leaves, and those about patients of whoever treats nobody any more, end at once.';

-- A clinician changes what they submitted, and then it waits for the owner again; the owner decides, and changes nothing else.
create function app.keep_credentials() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or (new.specialization, new.licence_number) is distinct from (old.specialization, old.licence_number)
            or new.submitted_at is distinct from old.submitted_at then
        if new.user_id is distinct from app.user_id() or (tg_op = 'UPDATE' and old.status = 'suspended') then
            raise exception 'not yours to submit' using errcode = '42501';
        end if;
        new.status := 'pending';
        new.reason := '';
        new.decided_by := null;
        new.decided_at := null;
        new.submitted_at := now();
    elsif (old.status, new.status) = ('approved', 'pending') and new.reason = old.reason
            and not exists (select from memberships m where m.clinic_id = new.clinic_id and m.user_id = new.user_id
                            and m.ended_at is null and m.role in ('owner', 'clinician')) then
        new.decided_by := null;
        new.decided_at := null;
    elsif new.status is distinct from old.status or new.reason is distinct from old.reason then
        if app.role() is distinct from 'owner' then
            raise exception 'only an owner decides' using errcode = '42501';
        end if;
        if (old.status, new.status) not in (('pending', 'approved'), ('pending', 'rejected'), ('approved', 'suspended'),
                                            ('suspended', 'approved')) then
            raise exception 'no such step' using errcode = 'CS006';
        end if;
        new.decided_by := app.user_id();
        new.decided_at := now();
    end if;
    return new;
end
$$;
comment on function app.keep_credentials is 'pending → approved or rejected; approved → suspended and back; whatever the clinician changes is pending again, and so is an approval whose person left or treats nobody any more.';

create function app.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed or removed', tg_table_name using errcode = 'CS003';
end
$$;
comment on function app.refuse is 'For append-only tables, against everybody, their owner included.';

-- An answer takes two minutes at most, a stopped one that is read on for its bill included: after five, the process that was
-- writing it is gone. What it had reserved counts as spent, because the provider may have billed it.
create function app.sweep_started() returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    swept integer;
    ended record;
begin
    for ended in
        update ai_calls c set status = 'abandoned', finished_at = now()
        where c.status = 'started' and c.id < app.uuid_floor(now() - interval '5 minutes')
        returning c.clinic_id, c.budget_day, c.reserved_usd
    loop
        update ai_budgets b
        set spent_usd = b.spent_usd + ended.reserved_usd, reserved_usd = greatest(b.reserved_usd - ended.reserved_usd, 0)
        where b.clinic_id = ended.clinic_id and b.day = ended.budget_day and ended.reserved_usd is not null;
    end loop;
    update chat_messages set status = 'abandoned', finished_at = now()
    where status = 'started' and id < app.uuid_floor(now() - interval '5 minutes');
    get diagnostics swept = row_count;
    return swept;
end
$$;
comment on function app.sweep_started is 'Ends what a crash left open, in every clinic, and gives back its reservations; returns only how many answers.';

-- The installation's bill of a day is one number, and the only thing anybody learns of another clinic's.
create function app.installation_spend(day date) returns numeric
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
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    today constant date := (now() at time zone 'UTC')::date;
    of_clinics constant numeric := (select coalesce(sum(b.spent_usd + b.reserved_usd), 0) from ai_budgets b where b.day = today);
    held date;
begin
    if amount + of_clinics <= most then
        insert into service_spend as s (day, reserved_usd) values (today, amount)
        on conflict (day) do update
        set reserved_usd = s.reserved_usd + excluded.reserved_usd
        where s.spent_usd + s.reserved_usd + excluded.reserved_usd + of_clinics <= most
        returning s.day into held;
    end if;
    return held;
end
$$;
comment on function app.reserve_service is 'Holds that much of the installation''s day for a caller without a clinic; the day, or NULL where it is not left.';

create function app.settle_service(day date, reserved numeric, cost numeric) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    update public.service_spend s
    set reserved_usd = greatest(s.reserved_usd - settle_service.reserved, 0), spent_usd = s.spent_usd + settle_service.cost
    where s.day = settle_service.day;
end;
comment on function app.settle_service is 'What was held becomes what it cost.';

-- functions: background jobs ------------------------------------------------------------------------------------------
-- A job's arguments are ids and nothing else: what they stand for is read when it runs, under the policies of that moment.

create function app.defer_job(task text, subject uuid) returns bigint
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
    queued text[];
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
    queued := array(select j.args ->> 'id' from procrastinate_jobs j where j.status in ('todo', 'doing') and j.args ? 'id');
    update long_jobs l set status = 'failed'
    where l.status in ('waiting', 'running') and l.created_at < now() - patience and not l.id::text = any (queued);
    return rescued;
end
$$;
comment on function app.rescue_jobs is 'Takes jobs back from workers that were not heard of for that long, and ends long jobs that no queued job stands for. The worker role''s alone.';

create function app.forget_long_jobs() returns integer
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

create function app.queue_state()
    returns table (waiting bigint, running bigint, failed bigint, workers bigint, oldest_waiting timestamptz)
    language plpgsql stable security definer set search_path = pg_catalog, procrastinate, pg_temp as $$
begin
    return query
    with seen as (
        select j.status, greatest(e.at, j.scheduled_at) as since,
               j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()
               or j.status = 'doing' and not exists (select from procrastinate_workers w
                                                     where w.id = j.worker_id and w.last_heartbeat > now() - interval '1 minute') as waits
        from procrastinate_jobs j
        left join procrastinate_events e on e.job_id = j.id and e.type = 'deferred'
        where j.status in ('todo', 'doing', 'failed')
    ), living as (
        select count(*) as workers from procrastinate_workers w where w.last_heartbeat > now() - interval '1 minute'
    ), clock as (
        -- Workers ring it every minute. Where none has for five, what it would have brought waits since then.
        select to_timestamp(max(d.defer_timestamp)) as rang
        from procrastinate_periodic_defers d
        having to_timestamp(max(d.defer_timestamp)) < now() - interval '5 minutes' and (select l.workers from living l) = 0
    )
    select count(*) filter (where s.waits),
           count(*) filter (where s.status = 'doing' and not s.waits),
           count(*) filter (where s.status = 'failed'),
           (select l.workers from living l),
           least(min(s.since) filter (where s.waits), (select c.rang from clock c))
    from seen s;
end
$$;
comment on function app.queue_state is 'How many jobs wait, run and failed, how many workers live, and since when the oldest job waits: no word of any clinic. What a dead worker held waits; oldest_waiting is also when its clock rang last, where that was five minutes ago.';

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

-- functions: alerts ---------------------------------------------------------------------------------------------------
-- Raised and cleared by a job each minute; of two at once the unique indexes let one raise. Each is told of by a job of its own.

create function app.alone() returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select coalesce(app.role() = 'owner', false) and (select count(*) from (select from public.clinics limit 2) c) = 1;
end;
comment on function app.alone is 'Whether an owner asks whose clinic is the only one here: then they are the operator, too.';

create function app.watch_clinics() returns table (clinic_id uuid, kind text, level smallint, cleared boolean)
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    released constant timestamptz := (select max(coalesce(r.released_at, 'infinity')) from restores r);
    watched record;
    step smallint;
    calls integer;
    failures integer;
    failed_at timestamptz;
    unsettled uuid[] := '{}';
begin
    -- The day of a budget is its clinic's. What is full with a little left was stopped as well, once.
    for watched in
        select b.clinic_id as clinic, b.day, b.spent_usd, b.stopped_at, coalesce(s.daily_budget_usd, 100) as most
        from ai_budgets b
        join clinics c on c.id = b.clinic_id
        left join assistant_settings s on s.clinic_id = b.clinic_id
        where b.day between current_date - 1 and current_date + 1
          and b.day = (now() at time zone c.time_zone)::date
          and b.spent_usd > 0
          and (b.spent_usd >= coalesce(s.daily_budget_usd, 100) * 80 / 100 or b.stopped_at is not null)
        order by b.clinic_id
    loop
        foreach step in array array[80, 100] loop
            if watched.spent_usd >= watched.most * step / 100
               or (step = 100 and watched.stopped_at is not null
                   and not exists (select from clinic_alerts o
                                   where o.clinic_id = watched.clinic and o.kind = 'budget' and o.level = 100
                                     and o.subject = watched.day::text)) then
                return query
                insert into clinic_alerts as a (clinic_id, kind, level, subject, amount, most)
                values (watched.clinic, 'budget', step, watched.day::text, watched.spent_usd, watched.most)
                on conflict do nothing
                returning a.clinic_id, a.kind, a.level, false;
            end if;
        end loop;
    end loop;

    return query
    insert into clinic_alerts as a (clinic_id, kind, subject, amount, most)
    select e.clinic_id, 'emergency', e.id::text, 5, 5
    from emergencies e
    where e.acknowledged_at is null and e.raised_at < now() - interval '5 minutes'
    order by e.clinic_id, e.id
    on conflict do nothing
    returning a.clinic_id, a.kind, a.level, false;

    -- A clinic's own provider is away where it failed five times in a row, as a breaker counts in each process: a word of refusal is an
    -- answer, a lack of places is ours, and a restored copy asks nobody. A test that passed tells that it is back; one that failed
    -- may have been a wrong key.
    for watched in
        select s.clinic_id as clinic, s.updated_at
        from assistant_settings s
        where s.provider_on and s.base_url is not null
        order by s.clinic_id
    loop
        select count(*), count(*) filter (where l.failed), max(l.finished_at) filter (where l.failed)
        into calls, failures, failed_at
        from (select c.finished_at, coalesce(a.problem in ('unavailable', 'timeout', 'network'), false) as failed
              from ai_calls c
              left join lateral (
                  select m.metadata ->> 'problem' as problem
                  from chat_messages m
                  where m.clinic_id = watched.clinic and m.clinic_id = c.clinic_id and m.id = c.message_id
                  offset 0) a on true
              where c.clinic_id = watched.clinic
                and c.id >= app.uuid_floor(now() - interval '1 day')
                and c.created_at > greatest(watched.updated_at, released)
                and c.route in ('provider', 'trial')
                and (c.route = 'provider' and c.status not in ('started', 'stopped', 'abandoned')
                     and a.problem is distinct from 'crowded'
                     or c.route = 'trial' and c.status = 'ok')
              order by c.id desc
              limit 5) l;
        if failures > 0 and failures = calls or failed_at > now() - interval '5 minutes' then
            unsettled := unsettled || watched.clinic;
        end if;
        if failures = 5 then
            return query
            insert into clinic_alerts as a (clinic_id, kind, subject, amount, most)
            values (watched.clinic, 'own_provider', '', 5, 5)
            on conflict do nothing
            returning a.clinic_id, a.kind, a.level, false;
        end if;
    end loop;

    -- A budget's alert ends with its day, or when the owner allowed more and a tenth of that lies between.
    return query
    update clinic_alerts a set cleared_at = now()
    from ai_budgets b
    join clinics c on c.id = b.clinic_id
    left join assistant_settings s on s.clinic_id = b.clinic_id
    where a.kind = 'budget' and a.cleared_at is null and b.clinic_id = a.clinic_id and b.day = a.subject::date
      and (b.day < (now() at time zone c.time_zone)::date
           or (coalesce(s.daily_budget_usd, 100) > a.most
               and b.spent_usd < coalesce(s.daily_budget_usd, 100) * (a.level - 10) / 100))
    returning a.clinic_id, a.kind, a.level, true;

    return query
    update clinic_alerts a set cleared_at = now()
    from emergencies e
    where a.kind = 'emergency' and a.cleared_at is null and e.clinic_id = a.clinic_id and e.id = a.subject::uuid
      and e.acknowledged_at is not null
    returning a.clinic_id, a.kind, a.level, true;

    -- A provider's ends when it has answered and five minutes or five calls went by without a failure, when its settings were saved,
    -- and when nobody asked it for a day.
    return query
    update clinic_alerts a set cleared_at = now()
    where a.kind = 'own_provider' and a.cleared_at is null and not a.clinic_id = any (unsettled)
    returning a.clinic_id, a.kind, a.level, true;
end
$$;
comment on function app.watch_clinics is 'Raises and clears the alerts of every clinic; returns what was new, for the log. The worker role''s alone.';

create function app.queue_alerts() returns integer
    language plpgsql security definer set search_path = pg_catalog, procrastinate, public, pg_temp as $$
declare
    queued integer := 0;
    news record;
begin
    for news in
        update alerts a
        set queued_at = coalesce(a.queued_at, now()), end_queued_at = case when a.cleared_at is not null then now() end
        where (a.cleared_at is null and a.queued_at is null
               or a.cleared_at is not null and a.queued_at is not null and a.end_queued_at is null)
          and a.kind <> 'test' and app.muted_until(a.kind) is null
        returning null::uuid as clinic_id, a.id
    loop
        perform app.defer_alert(news.clinic_id, news.id);
        queued := queued + 1;
    end loop;
    for news in
        select a.clinic_id, a.id, a.kind
        from clinic_alerts a
        where (a.cleared_at is null and a.queued_at is null
               or a.cleared_at is not null and a.queued_at is not null and a.end_queued_at is null)
          and a.kind <> 'test'
    loop
        continue when app.clinic_muted_until(news.clinic_id, news.kind) is not null;
        -- Whoever queues it first: another worker may look at the same moment.
        update clinic_alerts a
        set queued_at = coalesce(a.queued_at, now()), end_queued_at = case when a.cleared_at is not null then now() end
        where a.clinic_id = news.clinic_id and a.id = news.id
          and (a.cleared_at is null and a.queued_at is null
               or a.cleared_at is not null and a.queued_at is not null and a.end_queued_at is null);
        if found then
            perform app.defer_alert(news.clinic_id, news.id);
            queued := queued + 1;
        end if;
    end loop;
    return queued;
end
$$;
comment on function app.queue_alerts is 'Queues one job for each alert that nobody was told of yet, or whose end was not told, unless it is muted. The worker role''s alone.';

create function app.defer_alert(clinic uuid, alert uuid) returns void
    language plpgsql security definer set search_path = pg_catalog, procrastinate, pg_temp as $$
begin
    perform procrastinate_defer_jobs_v1(array[row('default', case when clinic is null then 'tell_alert' else 'tell_clinic_alert' end,
        1, 'alert ' || alert, null, jsonb_strip_nulls(jsonb_build_object('clinic_id', clinic, 'id', alert)), null)::procrastinate_job_to_defer_v1]);
end
$$;
comment on function app.defer_alert is 'Queues the job that tells of an alert, before mails and imports, one at a time for each. For the functions here.';

create function app.muted_until(kind text) returns timestamptz
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select m.until from (select n.until from public.alert_mutes n where n.kind = muted_until.kind order by n.id desc limit 1) m
    where m.until > now();
end;
comment on function app.muted_until is 'Until when nobody is told of this kind of the installation''s alerts, or NULL.';

create function app.clinic_muted_until(clinic uuid, kind text) returns timestamptz
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select m.until
    from (select n.until from public.clinic_alert_mutes n
          where n.clinic_id = clinic_muted_until.clinic and n.kind = clinic_muted_until.kind order by n.id desc limit 1) m
    where m.until > now();
end;
comment on function app.clinic_muted_until is 'The same for the alerts of a clinic.';

create function app.test_alert() returns uuid
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    made uuid := uuidv7();
begin
    if app.role() is distinct from 'owner' then
        raise exception 'only owners test alerts' using errcode = '42501';
    end if;
    insert into clinic_alerts (clinic_id, id, kind, subject, amount, most, cleared_at, queued_at)
    values (app.clinic(), made, 'test', made::text, 0, 0, now(), now());
    perform app.defer_alert(app.clinic(), made);
    return made;
end
$$;
comment on function app.test_alert is 'An alert that says it is none, on the way that all of this clinic go.';

create function app.alert_mailboxes(kind text) returns setof text
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.email
    from public.memberships m
    join public.users u on u.id = m.user_id
    where m.clinic_id = app.clinic()
      and m.ended_at is null
      and (m.role = 'owner' or m.role = case alert_mailboxes.kind when 'emergency' then 'clinician' when 'budget' then 'manager' end)
    order by u.email;
end;
comment on function app.alert_mailboxes is 'Who is mailed: owners, with those who can answer for an emergency or watch the cost. The worker role''s alone.';

create function app.installation_alerts()
    returns table (id uuid, kind text, level smallint, amount numeric, most numeric, raised_at timestamptz, cleared_at timestamptz,
                   mailed_at timestamptz, posted_at timestamptz, mail_problem text, post_problem text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select a.id, a.kind, a.level, a.amount, a.most, a.raised_at, a.cleared_at, a.mailed_at, a.posted_at, a.mail_problem, a.post_problem
    from public.alerts a
    where app.alone() and a.kind <> 'test';
end;
comment on function app.installation_alerts is 'The installation''s alerts, for the owner of its only clinic; nothing for anybody else.';

create function app.mute_installation(kind text, until timestamptz) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    clinic constant uuid := app.clinic();
    muted_by text;
begin
    if not app.alone() then
        raise exception 'only the owner of the only clinic' using errcode = '42501';
    end if;
    select m.display_name into muted_by from memberships m where m.clinic_id = clinic and m.user_id = app.user_id();
    insert into alert_mutes (kind, until, muted_by) values (mute_installation.kind, mute_installation.until, muted_by);
end
$$;
comment on function app.mute_installation is 'What `make alerts` does for an operator, for the owner of the only clinic.';

create function app.alert_counts() returns table (kind text, open bigint)
    language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return query
    select a.kind, count(*) from alerts a where a.cleared_at is null group by a.kind;
    return query
    select 'clinic_' || a.kind, count(*) from clinic_alerts a where a.cleared_at is null group by a.kind;
end
$$;
comment on function app.alert_counts is 'How many alerts stand, by kind, clinics'' together: no word of any clinic.';

create function app.opened_at() returns timestamptz
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
    begin atomic select min(c.created_at) from public.clinics c; end;
comment on function app.opened_at is 'When the first clinic came: a backup is missed from a day later on.';

-- functions: partitions by month --------------------------------------------------------------------------------------

create function app.uuid_floor(at timestamptz) returns uuid
    language sql immutable strict parallel safe
    return (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
comment on function app.uuid_floor is 'The smallest uuid of that millisecond: a bound for ranges of uuidv7.';

create function app.uuid_time(id uuid) returns timestamptz
    language sql immutable strict parallel safe
    return to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0);
comment on function app.uuid_time is 'The millisecond of a uuidv7, or of such a bound, which uuid_extract_timestamp does not take.';

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

-- Bounded to thirteen months back and twelve ahead: the app may call it, and must not be able to fill the catalogue.
create function app.make_partitions(since date default current_date, ahead integer default 3) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    parent text;
    month date := date_trunc('month', greatest(since, current_date - interval '13 months'))::date;
    last date := date_trunc('month', current_date + make_interval(months => least(greatest(ahead, 0), 12)))::date;
    child text;
    made integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('chairside.partitions'));
    while month <= last loop
        foreach parent in array array['chat_messages', 'ai_calls', 'audit_log', 'audit_seals'] loop
            child := parent || to_char(month, '_YYYY_MM');
            if to_regclass(format('public.%I', child)) is null then
                execute format('create table public.%I partition of public.%I for values from (%L) to (%L)', child, parent,
                               app.uuid_floor(month::timestamp at time zone 'UTC'),
                               app.uuid_floor((month + interval '1 month') at time zone 'UTC'));
                execute format('alter table public.%I enable row level security', child);
                execute format('alter table public.%I force row level security', child);
                if parent in ('audit_log', 'audit_seals') then
                    execute format('create trigger keep_whole before truncate on public.%I execute function app.refuse()', child);
                end if;
                made := made + 1;
            end if;
        end loop;
        month := (month + interval '1 month')::date;
    end loop;
    return made;
end
$$;
comment on function app.make_partitions is 'The months from since to some ahead. A partition has no grant and no policy: it is reached through its parent only (SCALE rule 5).';

-- functions: roll-ups -------------------------------------------------------------------------------------------------
-- The …_stale views count the days with a mark from the rows themselves, the …_now views add the days without one from the
-- roll-ups. What the one kind says of a day is what the other is filled with, so that their sums can't differ.

create function app.log_bucket(amount numeric) returns smallint
    language sql immutable strict parallel safe
    return floor(ln(greatest(amount, 1)::double precision) / ln(1.05::double precision))::smallint;
comment on function app.log_bucket is 'Buckets whose ends are 5 % apart: counts of them can be added up, and a percentile read from them is off by 2.5 % at most.';

create function app.step_start(day date, first date, last date, step integer) returns date
    language sql immutable parallel safe
    return case when day >= first then last - (last - day) / step * step - step + 1 end;
comment on function app.step_start is 'The first day of the day''s step, counted back from the last day of a period; NULL before its first.';

create function app.is_put_away(clinic uuid, at timestamptz) returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select exists (
        select
        from public.archives a
        join public.clinics c on c.id = clinic
        where a.parent = 'ai_calls'
          and a.restored_at is null
          and cast(cast(at at time zone c.time_zone as date) as timestamp) at time zone c.time_zone
              < cast(a.month + interval '1 month' as timestamp) at time zone 'UTC'
          and cast(cast(at at time zone c.time_zone as date) + 1 as timestamp) at time zone c.time_zone
              > cast(a.month as timestamp) at time zone 'UTC');
end;
comment on function app.is_put_away is 'Whether a part of that day of the clinic''s wall clock is in an archive: what was counted of its calls stays, as it can''t be counted anew.';

create function app.mark_figures() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    clinic constant uuid := coalesce(new.clinic_id, old.clinic_id);
    began timestamptz;
begin
    if tg_table_name = 'emergencies' then
        began := coalesce(new.raised_at, old.raised_at);
    else
        began := coalesce(new.created_at, old.created_at);
    end if;
    insert into figure_marks (clinic_id, at, of_calls)
    values (clinic, began, tg_table_name <> 'emergencies' and (began > now() - interval '2 days' or not app.is_put_away(clinic, began)));
    return null;
end
$$;
comment on function app.mark_figures is 'The day of a changed row is counted anew, whenever it was.';

create function app.mark_all_figures() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into figure_marks (clinic_id, at, of_calls)
    select new.id, at.hour, kept.of_calls and not app.is_put_away(new.id, at.hour)
    from (select min(c.created_at) as first, true as of_calls from ai_calls c where c.clinic_id = new.id
          union all
          select min(e.raised_at), false from emergencies e where e.clinic_id = new.id) kept
    cross join lateral generate_series(kept.first - interval '1 day', now() + interval '1 day', interval '12 hours') at (hour);
    return null;
end
$$;
comment on function app.mark_all_figures is 'In another time zone every day is another, as far back as there are rows to count.';

create view stale_days with (security_invoker = true) as
    select m.clinic_id, m.day, cast(m.day as timestamp) at time zone m.zone as since,
           cast(m.day + 1 as timestamp) at time zone m.zone as until, m.zone
    from (select k.clinic_id, cast(k.at at time zone c.time_zone as date) as day, c.time_zone as zone
          from figure_marks k
          join clinics c on c.id = k.clinic_id
          group by 1, 2, 3) m;
comment on view stale_days is 'The days with a mark.';

create view stale_call_days with (security_invoker = true) as
    select m.clinic_id, m.day, cast(m.day as timestamp) at time zone m.zone as since,
           cast(m.day + 1 as timestamp) at time zone m.zone as until, m.zone
    from (select k.clinic_id, cast(k.at at time zone c.time_zone as date) as day, c.time_zone as zone
          from figure_marks k
          join clinics c on c.id = k.clinic_id
          where k.of_calls
          group by 1, 2, 3) m;
comment on view stale_call_days is 'Those whose calls are counted anew, and not their emergencies alone.';

-- An id is made a moment after its row's transaction began, and where clocks are put back at midnight a day begins before its
-- second midnight: two hours on either side, within which the wall clock decides. offset 0: day by day through the index; left
-- to itself, the planner may read a clinic's whole past once for every day.
create view stale_calls with (security_invoker = true) as
    select s.clinic_id, s.day, cast(extract(hour from c.created_at at time zone s.zone) as smallint) as hour, c.user_id, c.patient_id,
           c.route, coalesce(c.model_used, c.model_requested, '') as model, c.status, coalesce(c.cost_source, '') as cost_source,
           c.tokens_in, c.tokens_cached, c.tokens_out, c.tokens_reasoning,
           c.status <> 'started' and c.cost_source is distinct from 'none' as billable,
           c.cost_usd, c.saved_usd, c.article, c.latency_ms, c.first_token_ms
    from stale_call_days s
    cross join lateral (select app.uuid_floor(s.since - interval '2 hours') as first, app.uuid_floor(s.until + interval '2 hours') as last
                        offset 0) ids
    cross join lateral (
        select a.user_id, a.patient_id, a.route, a.status, a.model_used, a.model_requested, a.tokens_in, a.tokens_cached,
               a.tokens_out, a.tokens_reasoning, a.cost_usd, a.cost_source, a.saved_usd, a.article, a.latency_ms, a.first_token_ms,
               a.created_at
        from ai_calls a
        where a.clinic_id = s.clinic_id
          and a.id >= ids.first
          and a.id < ids.last
        offset 0) c
    where cast(c.created_at at time zone s.zone as date) = s.day;
comment on view stale_calls is 'The calls of those days. billable: ended, and not known to be free.';

create view usage_stale with (security_invoker = true) as
    select clinic_id, day, hour, route, model, status, cost_source, count(*) as calls, sum(tokens_in) as tokens_in,
           sum(tokens_cached) as tokens_cached, sum(tokens_out) as tokens_out, sum(tokens_reasoning) as tokens_reasoning,
           count(*) filter (where billable and (tokens_in is null or tokens_out is null)) as uncounted,
           sum(cost_usd) as cost_usd, count(*) filter (where billable and cost_usd is null) as unpriced,
           sum(saved_usd) as saved_usd
    from stale_calls
    group by clinic_id, day, hour, route, model, status, cost_source;

create view latency_stale with (security_invoker = true) as
    select clinic_id, day, kind, route, array_agg(bucket order by bucket) as buckets, array_agg(calls order by bucket) as counts
    from (select clinic_id, day, kind, route, app.log_bucket(took) as bucket, count(*) as calls
          from (select clinic_id, day, 'total' as kind, route, latency_ms as took from stale_calls where status = 'ok'
                union all
                select clinic_id, day, 'first', route, first_token_ms from stale_calls where status = 'ok') times
          where took is not null
          group by clinic_id, day, kind, route, app.log_bucket(took)) grouped
    group by clinic_id, day, kind, route;
comment on view latency_stale is 'Of whole answers: a stopped or failed one tells nothing of how long an answer takes.';

create view member_stale with (security_invoker = true) as
    select clinic_id, day, user_id, count(*) filter (where route <> 'trial') as calls, sum(cost_usd) as cost_usd,
           count(*) filter (where billable and cost_usd is null) as unpriced
    from stale_calls
    group by clinic_id, day, user_id;

create view patient_stale with (security_invoker = true) as
    select clinic_id, day, patient_id, count(*) as calls, sum(cost_usd) as cost_usd,
           count(*) filter (where billable and cost_usd is null) as unpriced
    from stale_calls
    where patient_id is not null
    group by clinic_id, day, patient_id;

create view article_stale with (security_invoker = true) as
    select clinic_id, day, article, count(*) as calls
    from stale_calls
    where article is not null
    group by clinic_id, day, article;

create view emergency_stale with (security_invoker = true) as
    select s.clinic_id, s.day,
           coalesce(app.log_bucket(extract(epoch from e.acknowledged_at - e.raised_at)), cast(-1 as smallint)) as bucket, count(*) as raised,
           count(*) filter (where e.general) as general, count(*) filter (where e.false_alarm) as false_alarms
    from stale_days s
    cross join lateral (select app.uuid_floor(s.since - interval '2 hours') as first, app.uuid_floor(s.until + interval '2 hours') as last
                        offset 0) ids
    join emergencies e on e.clinic_id = s.clinic_id and e.id >= ids.first and e.id < ids.last
    where cast(e.raised_at at time zone s.zone as date) = s.day
    group by 1, 2, 3;

-- A day with a mark is counted while somebody reads. To plan that costs more than to read what is rolled up, so it is planned only where
-- there is a mark, and once in a connection.
create function app.usage_anew(clinic uuid) returns setof usage_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.usage_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.latency_anew(clinic uuid) returns setof latency_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.latency_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.member_anew(clinic uuid) returns setof member_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.member_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.patient_anew(clinic uuid) returns setof patient_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.patient_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.article_anew(clinic uuid) returns setof article_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic and m.of_calls) then
        return query select s.* from public.article_stale s where s.clinic_id = clinic;
    end if;
end
$$;
create function app.emergency_anew(clinic uuid) returns setof emergency_stale
    language plpgsql stable rows 100 as $$
begin
    if exists (select from public.figure_marks m where m.clinic_id = clinic) then
        return query select s.* from public.emergency_stale s where s.clinic_id = clinic;
    end if;
end
$$;
comment on function app.usage_anew is 'What usage_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.latency_anew is 'What latency_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.member_anew is 'What member_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.patient_anew is 'What patient_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.article_anew is 'What article_stale says of one clinic; nothing, and at once, where nothing has a mark.';
comment on function app.emergency_anew is 'What emergency_stale says of one clinic; nothing, and at once, where nothing has a mark.';

create view usage_now with (security_invoker = true) as
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_hours h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, u.day, u.hour, u.route, u.model, u.status, u.cost_source, u.calls, u.tokens_in, u.tokens_cached, u.tokens_out,
           u.tokens_reasoning, u.uncounted, u.cost_usd, u.unpriced, u.saved_usd
    from clinics c
    cross join lateral app.usage_anew(c.id) u;

create view usage_by_day_now with (security_invoker = true) as
    select clinic_id, day, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
           uncounted, cost_usd, unpriced, saved_usd
    from usage_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, u.day, u.route, u.model, u.status, u.cost_source, cast(sum(u.calls) as bigint) as calls,
           cast(sum(u.tokens_in) as bigint) as tokens_in, cast(sum(u.tokens_cached) as bigint) as tokens_cached,
           cast(sum(u.tokens_out) as bigint) as tokens_out, cast(sum(u.tokens_reasoning) as bigint) as tokens_reasoning,
           cast(sum(u.uncounted) as bigint) as uncounted, sum(u.cost_usd) as cost_usd, cast(sum(u.unpriced) as bigint) as unpriced,
           sum(u.saved_usd) as saved_usd
    from clinics c
    cross join lateral app.usage_anew(c.id) u
    group by c.id, u.day, u.route, u.model, u.status, u.cost_source;

create view latency_now with (security_invoker = true) as
    select clinic_id, day, kind, route, buckets, counts
    from latency_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, l.day, l.kind, l.route, l.buckets, l.counts from clinics c cross join lateral app.latency_anew(c.id) l;

create view member_now with (security_invoker = true) as
    select clinic_id, day, user_id, calls, cost_usd, unpriced
    from member_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, m.day, m.user_id, m.calls, m.cost_usd, m.unpriced from clinics c cross join lateral app.member_anew(c.id) m;

create view patient_now with (security_invoker = true) as
    select clinic_id, day, patient_id, calls, cost_usd, unpriced
    from patient_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, p.day, p.patient_id, p.calls, p.cost_usd, p.unpriced from clinics c cross join lateral app.patient_anew(c.id) p;

create view article_now with (security_invoker = true) as
    select clinic_id, day, article, calls
    from article_days h
    where not exists (select from stale_call_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, a.day, a.article, a.calls from clinics c cross join lateral app.article_anew(c.id) a;

create view emergency_now with (security_invoker = true) as
    select clinic_id, day, bucket, raised, general, false_alarms
    from emergency_days h
    where not exists (select from stale_days s where s.clinic_id = h.clinic_id and s.day = h.day)
    union all
    select c.id as clinic_id, e.day, e.bucket, e.raised, e.general, e.false_alarms
    from clinics c
    cross join lateral app.emergency_anew(c.id) e;

-- The views see a day only while it has a mark, so the marks go last.
create function app.roll_up(clinic uuid, days date[]) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    counted constant date[] := array(select s.day from stale_call_days s where s.clinic_id = clinic and s.day = any (days));
    today constant date := (select cast(now() at time zone c.time_zone as date) from clinics c where c.id = clinic);
begin
    delete from usage_hours where clinic_id = clinic and day = any (counted);
    insert into usage_hours (clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached,
        tokens_out, tokens_reasoning, uncounted, cost_usd, unpriced, saved_usd)
    select clinic_id, day, hour, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out,
        tokens_reasoning, uncounted, cost_usd, unpriced, saved_usd
    from usage_stale where clinic_id = clinic and day = any (counted);
    delete from usage_days where clinic_id = clinic and day = any (counted);
    insert into usage_days (clinic_id, day, route, model, status, cost_source, calls, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
        uncounted, cost_usd, unpriced, saved_usd)
    select clinic_id, day, route, model, status, cost_source, cast(sum(calls) as bigint) as calls, cast(sum(tokens_in) as bigint) as tokens_in,
           cast(sum(tokens_cached) as bigint) as tokens_cached, cast(sum(tokens_out) as bigint) as tokens_out,
           cast(sum(tokens_reasoning) as bigint) as tokens_reasoning, cast(sum(uncounted) as bigint) as uncounted,
           sum(cost_usd) as cost_usd, cast(sum(unpriced) as bigint) as unpriced, sum(saved_usd) as saved_usd
    from usage_hours where clinic_id = clinic and day = any (counted)
    group by clinic_id, day, route, model, status, cost_source;
    delete from latency_days where clinic_id = clinic and day = any (counted);
    insert into latency_days (clinic_id, day, kind, route, buckets, counts)
    select clinic_id, day, kind, route, buckets, counts
    from latency_stale where clinic_id = clinic and day = any (counted);
    delete from member_days where clinic_id = clinic and day = any (counted);
    insert into member_days (clinic_id, day, user_id, calls, cost_usd, unpriced)
    select clinic_id, day, user_id, calls, cost_usd, unpriced
    from member_stale where clinic_id = clinic and day = any (counted);
    delete from patient_days where clinic_id = clinic and day = any (counted);
    insert into patient_days (clinic_id, day, patient_id, calls, cost_usd, unpriced)
    select clinic_id, day, patient_id, calls, cost_usd, unpriced
    from patient_stale where clinic_id = clinic and day = any (counted);
    delete from article_days where clinic_id = clinic and day = any (counted);
    insert into article_days (clinic_id, day, article, calls)
    select clinic_id, day, article, calls
    from article_stale where clinic_id = clinic and day = any (counted);
    delete from emergency_days where clinic_id = clinic and day = any (days);
    insert into emergency_days (clinic_id, day, bucket, raised, general, false_alarms)
    select clinic_id, day, bucket, raised, general, false_alarms
    from emergency_stale where clinic_id = clinic and day = any (days);
    insert into budget_days as b (clinic_id, day, limit_usd)
    select a.clinic_id, d.day, a.daily_budget_usd
    from assistant_settings a
    cross join unnest(counted) d (day)
    where a.clinic_id = clinic
    on conflict (clinic_id, day) do update
    set limit_usd = excluded.limit_usd
    where excluded.day >= today;
end
$$;
comment on function app.roll_up is 'Counts days anew that have a mark. A budget of the past stays what it was.';

-- The marks are chosen before their rows are counted: whatever is committed later has marks of its own, for the next time.
create function app.refresh_rollups(most integer default 100) returns integer
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    chosen record;
    taken integer;
    counted integer := 0;
begin
    if not pg_try_advisory_xact_lock(hashtext('chairside.rollups')) then
        return 0;
    end if;
    for chosen in
        select m.clinic_id, array_agg(distinct m.day) as days, array_agg(m.id) as marks
        from (select f.clinic_id, f.day, f.id, dense_rank() over (order by f.since, f.clinic_id, f.day) as place
              from (select d.clinic_id, d.day, d.id, min(app.uuid_time(d.id)) over (partition by d.clinic_id, d.day) as since
                    from (select k.clinic_id, cast(k.at at time zone c.time_zone as date) as day, k.id
                          from figure_marks k
                          join clinics c on c.id = k.clinic_id) d) f) m
        where m.place <= most
        group by m.clinic_id
    loop
        perform app.roll_up(chosen.clinic_id, chosen.days);
        delete from figure_marks where clinic_id = chosen.clinic_id and id = any (chosen.marks);
        get diagnostics taken = row_count;
        insert into figure_changes as f (clinic_id, marks) values (chosen.clinic_id, taken)
        on conflict (clinic_id) do update set marks = f.marks + excluded.marks;
        counted := counted + cardinality(chosen.days);
    end loop;
    return counted;
end
$$;
comment on function app.refresh_rollups is 'Counts up to so many days with marks anew, in every clinic, those marked first; one process at a time. Returns how many.';

-- row-level security, grants, triggers --------------------------------------------------------------------------------
-- Forced everywhere, so the owner is bound too; the definer functions above need the policies "to current_user".

grant usage on schema public, app to chairside_app, chairside_worker;
revoke all on all functions in schema app from public;
grant execute on function app.clinic(), app.user_id(), app.role(), app.clinical(), app.managed_clinic(), app.uuid_floor(timestamptz),
    app.uuid_time(uuid),
    app.fold_email(text), app.join_words(text[]), app.make_partitions(date, integer), app.sweep_started() to chairside_app, chairside_worker;
grant execute on function app.enter(uuid, uuid), app.any_clinic(), app.find_account(text),
    app.sign_up(text, text, text, text, text, text, text, text, text, boolean),
    app.renew_password_hash(uuid, text, text), app.issue_ticket(bytea, uuid, uuid, boolean),
    app.redeem_ticket(bytea, bytea, text, text), app.resume(bytea, boolean), app.revoke(bytea), app.account(bytea),
    app.amend_account(bytea, text, text), app.set_password(bytea, text, text),
    app.set_factor(bytea, text, text, bigint, bytea[]), app.set_recovery_codes(bytea, text, bytea[]), app.find_factor(uuid),
    app.use_step(uuid, bigint), app.use_recovery_code(uuid, bytea), app.my_sessions(bytea), app.revoke_mine(bytea, bytea),
    app.my_clinics(bytea), app.switch_clinic(bytea, uuid), app.issue_reset(text, bytea), app.find_reset(bytea),
    app.reset_password(bytea, text), app.issue_member_reset(uuid, bytea), app.reset_member_factor(uuid),
    app.may_invite(text, text), app.find_invitation(uuid, bytea), app.open_account(uuid, bytea, text, text),
    app.accept_invitation(uuid, bytea, uuid), app.sign_out_member(uuid), app.record_failed_sign_in(uuid, text, text, text),
    app.installation_spend(date), app.going_on(uuid[]), app.reserve_service(numeric, numeric), app.settle_service(date, numeric, numeric),
    app.factor_required(bytea), app.member_emails()
    to chairside_app;
-- programs: their people's tokens, and the clients that owners let in
grant execute on function app.enter_client(uuid, uuid), app.begin_refresh(bytea, bytea), app.rotate_refresh(bytea, bytea, bytea),
    app.resume_client(uuid, uuid, bytea) to chairside_app;
grant execute on function app.forget_repeats(), app.forget_drafts() to chairside_worker;
grant execute on function app.seal_audit(boolean), app.audit_digest(audit_log) to chairside_app, chairside_worker;
grant execute on function app.enter_job(uuid) to chairside_worker;
grant execute on function app.defer_job(text, uuid), app.ask_reset(text) to chairside_app;
grant execute on function app.queue_state() to chairside_app, chairside_worker;
grant execute on function app.issue_reset_of(uuid, bytea), app.forget_long_jobs(), app.rescue_jobs(interval), app.find_invitation(uuid, bytea),
    app.may_invite(text, text) to chairside_worker;
-- A job that somebody asked for runs as that member, while the membership lasts; app.enter_job is for everything else.
grant execute on function app.enter(uuid, uuid) to chairside_worker;
grant execute on function app.is_erasing(uuid, uuid), app.is_merging(uuid, uuid, uuid), app.merged_family(uuid),
    app.erase_patient(uuid, integer, text), app.merge_patients(uuid, uuid, integer[], integer[], integer), app.unmerge_patient(uuid)
    to chairside_app;
grant execute on function app.is_erasing(uuid, uuid), app.is_merging(uuid, uuid, uuid) to chairside_worker; -- its triggers ask them

-- clinics
alter table clinics enable row level security;
alter table clinics force row level security;
create policy tenant on clinics using (id = app.clinic()) with check (id = app.clinic());
create policy definer on clinics to current_user using (true) with check (true);
grant select on clinics to chairside_app, chairside_worker;
create policy owner_amends on clinics as restrictive for update using (app.role() = 'owner');
grant update (name, country, time_zone, currency, language, emergency_number, factor_required, keep_allowed, owner_networks)
    on clinics to chairside_app;
-- not granted: insert (app.sign_up does), delete (a clinic leaves by its own audited act)
create trigger touch before update on clinics for each row execute function app.touch();
create trigger count_version before update on clinics for each row execute function app.count_version();

-- users
alter table users enable row level security;
alter table users force row level security;
create policy definer on users to current_user using (true) with check (true);
-- not granted: anything. Password hashes and people of other clinics are nobody's business.
create trigger touch before update on users for each row execute function app.touch();

-- sessions
alter table sessions enable row level security;
alter table sessions force row level security;
create policy definer on sessions to current_user using (true) with check (true);
-- not granted: anything

-- tickets
alter table tickets enable row level security;
alter table tickets force row level security;
create policy definer on tickets to current_user using (true) with check (true);
-- not granted: anything

-- refresh_tokens
alter table refresh_tokens enable row level security;
alter table refresh_tokens force row level security;
create policy definer on refresh_tokens to current_user using (true) with check (true);
-- not granted: anything

-- recovery_codes
alter table recovery_codes enable row level security;
alter table recovery_codes force row level security;
create policy definer on recovery_codes to current_user using (true) with check (true);
-- not granted: anything

-- password_resets
alter table password_resets enable row level security;
alter table password_resets force row level security;
create policy definer on password_resets to current_user using (true) with check (true);
-- not granted: anything

-- security_events
alter table security_events enable row level security;
alter table security_events force row level security;
create policy append on security_events for insert with check (true);
create policy definer on security_events to current_user using (true);
grant insert (kind, user_id, account_hash, address, request_id) on security_events to chairside_app;
-- not granted: select (the operator reads them as the owner), update, delete
create trigger keep before update or delete on security_events for each row execute function app.refuse();
create trigger keep_whole before truncate on security_events execute function app.refuse();

-- articles
alter table articles enable row level security;
alter table articles force row level security;
create policy everybody on articles for select using (true);
create policy definer on articles to current_user using (true) with check (true);
grant select on articles to chairside_app, chairside_worker;
-- not granted: insert, update, delete (published at start-up from knowledge/*.md by the owner)

-- model_prices
alter table model_prices enable row level security;
alter table model_prices force row level security;
create policy everybody on model_prices for select using (true);
create policy definer on model_prices to current_user using (true) with check (true);
grant select on model_prices to chairside_app, chairside_worker;
-- not granted: insert, update, delete (published at start-up from lib/model_prices.csv by the owner)

-- service_spend
alter table service_spend enable row level security;
alter table service_spend force row level security;
create policy definer on service_spend to current_user using (true) with check (true);
-- not granted: anything (app.reserve_service and app.settle_service write, app.installation_spend reads)

-- archives: that a month is away is no secret, and the audit page says so.
alter table archives enable row level security;
alter table archives force row level security;
create policy everybody on archives for select using (true);
create policy definer on archives to current_user using (true) with check (true);
grant select on archives to chairside_app, chairside_worker;
-- not granted: insert, update, delete (the operator works as the owner)

-- memberships
alter table memberships enable row level security;
alter table memberships force row level security;
create policy tenant on memberships using (clinic_id = app.clinic()) with check (clinic_id = app.clinic());
create policy definer on memberships to current_user using (true) with check (true);
create policy managed on memberships as restrictive for update to chairside_app
    using (app.may_invite(app.role(), role)) with check (app.may_invite(app.role(), role));
grant select on memberships to chairside_app, chairside_worker;
grant update (role, ended_at) on memberships to chairside_app;
-- not granted: insert (app.accept_invitation does), delete (a name stays on what was written)
create trigger keep_an_owner before update on memberships for each row execute function app.keep_an_owner();
create trigger end_membership after update of ended_at on memberships for each row execute function app.end_membership();
create trigger end_answers after update of role, ended_at on memberships for each row execute function app.end_answers();
create trigger end_approval after update of role, ended_at on memberships for each row execute function app.end_approval();
create trigger end_drafts after update of role, ended_at on memberships for each row execute function app.end_drafts();

-- invitations: owners see all, managers those of receptionists. The token is nobody's to read.
alter table invitations enable row level security;
alter table invitations force row level security;
create policy tenant on invitations
    using (clinic_id = app.clinic() and app.may_invite(app.role(), role))
    with check (clinic_id = app.clinic() and app.may_invite(app.role(), role));
create policy definer on invitations to current_user using (true) with check (true);
create policy author on invitations as restrictive for insert with check (invited_by = app.user_id());
grant select (clinic_id, id, email, email_norm, role, invited_by, created_at, expires_at, accepted_at, withdrawn_at)
    on invitations to chairside_app;
grant insert (clinic_id, email, role, token_hash, invited_by) on invitations to chairside_app;
grant update (withdrawn_at) on invitations to chairside_app;
-- not granted: delete, update of anything else
create trigger make_way before insert on invitations for each row execute function app.make_way();

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

-- clinician_credentials: their person's and the owners'.
alter table clinician_credentials enable row level security;
alter table clinician_credentials force row level security;
create policy tenant on clinician_credentials
    using (clinic_id = app.clinic() and (user_id = app.user_id() or app.role() = 'owner'))
    with check (clinic_id = app.clinic() and app.clinical() and (user_id = app.user_id() or app.role() = 'owner'));
create policy definer on clinician_credentials to current_user using (true) with check (true);
grant select, insert on clinician_credentials to chairside_app;
grant update (specialization, licence_number, submitted_at, status, reason) on clinician_credentials to chairside_app;
-- not granted: delete; decided_by and decided_at are the trigger's own
create trigger count_version before update on clinician_credentials for each row execute function app.count_version();
create trigger keep_credentials before insert or update on clinician_credentials
    for each row execute function app.keep_credentials();

-- credential_documents
alter table credential_documents enable row level security;
alter table credential_documents force row level security;
create policy tenant on credential_documents
    using (clinic_id = app.clinic() and (user_id = app.user_id() or app.role() = 'owner'))
    with check (clinic_id = app.clinic() and app.clinical() and user_id = app.user_id());
grant select, insert on credential_documents to chairside_app;
-- not granted: update, delete
create trigger submit_again after insert on credential_documents for each row execute function app.submit_again();

-- patients
alter table patients enable row level security;
alter table patients force row level security;
create policy tenant on patients using (clinic_id = app.clinic()) with check (clinic_id = app.clinic());
create policy author on patients as restrictive for insert with check (user_id = app.user_id());
grant select, insert on patients to chairside_app;
grant update (external_id, full_name, email, phone, date_of_birth, deceased, deceased_on, name_key, phone_key, search,
              archived_at) on patients to chairside_app;
grant select on patients to chairside_worker;
-- not granted: delete (archive instead), update of clinic_id, id, user_id (a patient never moves or changes its author),
-- of version, changed_by, updated_at (the triggers' own), and of merged_into, erased_at (app.merge_patients, app.erase_patient)
create trigger touch before update on patients for each row execute function app.touch();
create trigger count_version before update on patients for each row execute function app.count_version();
create trigger name_author before insert or update on patients for each row execute function app.name_author();
create trigger stay_gone before update on patients for each row execute function app.stay_gone();
create trigger keep_version after insert or update on patients for each row execute function app.keep_patient_version();

-- patient_notes
alter table patient_notes enable row level security;
alter table patient_notes force row level security;
create policy tenant on patient_notes
    using (clinic_id = app.clinic() and app.clinical()) with check (clinic_id = app.clinic() and app.clinical());
grant select, insert on patient_notes to chairside_app;
grant update (medical_notes, alerts) on patient_notes to chairside_app;
-- not granted: delete
create trigger touch before update on patient_notes for each row execute function app.touch();
create trigger count_version before update on patient_notes for each row execute function app.count_version();
create trigger name_author before insert or update on patient_notes for each row execute function app.name_author();
create trigger refuse_gone before insert or update on patient_notes for each row execute function app.refuse_gone();
create trigger keep_version after insert or update on patient_notes for each row execute function app.keep_note_version();

-- patient_versions
alter table patient_versions enable row level security;
alter table patient_versions force row level security;
create policy tenant on patient_versions using (clinic_id = app.clinic()) with check (clinic_id = app.clinic());
grant select on patient_versions to chairside_app;
-- not granted: insert, update, delete (the triggers write, erasure empties)
create trigger keep before update or delete on patient_versions for each row execute function app.keep_history();
create trigger keep_whole before truncate on patient_versions execute function app.refuse();

-- patient_note_versions
alter table patient_note_versions enable row level security;
alter table patient_note_versions force row level security;
create policy tenant on patient_note_versions
    using (clinic_id = app.clinic() and app.clinical()) with check (clinic_id = app.clinic() and app.clinical());
grant select on patient_note_versions to chairside_app;
-- not granted: insert, update, delete
create trigger keep before update or delete on patient_note_versions for each row execute function app.keep_history();
create trigger keep_whole before truncate on patient_note_versions execute function app.refuse();

-- merges: for those who may read what they move.
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

-- chat_threads: a patient's is for those who treat; a general one for its member alone.
alter table chat_threads enable row level security;
alter table chat_threads force row level security;
create policy tenant on chat_threads
    using (clinic_id = app.clinic() and case when patient_id is null then user_id = app.user_id() else app.clinical() end)
    with check (clinic_id = app.clinic() and user_id = app.user_id() and (patient_id is null or app.clinical()));
create policy definer on chat_threads to current_user using (true) with check (true);
grant select, insert on chat_threads to chairside_app;
-- not granted: update, delete

-- chat_messages
alter table chat_messages enable row level security;
alter table chat_messages force row level security;
create policy tenant on chat_messages
    using (clinic_id = app.clinic() and case when patient_id is null then user_id = app.user_id() else app.clinical() end)
    with check (clinic_id = app.clinic() and case when patient_id is null then user_id = app.user_id() else app.clinical() end);
create policy definer on chat_messages to current_user using (true) with check (true);
create policy author on chat_messages as restrictive for insert with check (user_id = app.user_id());
grant select, insert on chat_messages to chairside_app;
grant update (status, content, metadata, finished_at, stop_asked) on chat_messages to chairside_app;
-- not granted: delete, update of anything else
create trigger match_thread before insert on chat_messages for each row execute function app.match_thread();
create trigger refuse_gone before insert on chat_messages for each row when (new.patient_id is not null) execute function app.refuse_gone();
create trigger finish_once before update on chat_messages for each row execute function app.finish_once();

-- ai_calls: figures for owners and managers; one's own for everybody else, because an answer is settled by who asked.
alter table ai_calls enable row level security;
alter table ai_calls force row level security;
create policy tenant on ai_calls
    using (clinic_id = app.clinic() and (app.role() in ('owner', 'manager') or user_id = app.user_id()))
    with check (clinic_id = app.clinic() and (app.role() in ('owner', 'manager') or user_id = app.user_id()));
create policy definer on ai_calls to current_user using (true) with check (true);
create policy author on ai_calls as restrictive for insert with check (user_id = app.user_id());
grant select, insert on ai_calls to chairside_app;
grant update (status, provider, model_used, provider_request_id, tokens_in, tokens_cached, tokens_out, tokens_reasoning,
              usage_source, price, cost_usd, cost_source, saved_usd, first_token_ms, latency_ms, finished_at, tier)
    on ai_calls to chairside_app;
-- not granted: delete, update of anything else
create trigger finish_once before update on ai_calls for each row execute function app.finish_once();

-- emergencies: managers count them; receptionists see those they raised.
alter table emergencies enable row level security;
alter table emergencies force row level security;
create policy tenant on emergencies
    using (clinic_id = app.clinic() and (app.role() in ('owner', 'manager', 'clinician') or user_id = app.user_id()))
    with check (clinic_id = app.clinic() and (app.clinical() or user_id = app.user_id()));
create policy definer on emergencies for select to current_user using (true);
create policy author on emergencies as restrictive for insert with check (user_id = app.user_id());
grant select, insert on emergencies to chairside_app;
grant update (false_alarm, general) on emergencies to chairside_app;
-- not granted: delete; acknowledged_by and acknowledged_at are the trigger's own
create trigger match_thread before insert on emergencies for each row execute function app.match_thread();
create trigger refuse_gone before insert on emergencies for each row when (new.patient_id is not null) execute function app.refuse_gone();
create trigger acknowledge_once before update on emergencies for each row execute function app.acknowledge_once();

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
create trigger say_once before update or delete on emergency_actions for each row execute function app.say_once();

-- assistant_settings: the owner's to change; whoever asks needs to know where the question goes.
alter table assistant_settings enable row level security;
alter table assistant_settings force row level security;
create policy tenant on assistant_settings using (clinic_id = app.clinic()) with check (clinic_id = app.clinic());
create policy owner_adds on assistant_settings as restrictive for insert to chairside_app with check (app.role() = 'owner');
create policy owner_amends on assistant_settings as restrictive for update to chairside_app using (app.role() = 'owner');
create policy definer on assistant_settings to current_user using (true) with check (true);
grant select, insert on assistant_settings to chairside_app;
grant update (provider_on, baa_on_file, base_url, model, api_key, daily_budget_usd) on assistant_settings to chairside_app;
-- not granted: delete
create trigger touch before update on assistant_settings for each row execute function app.touch();
create trigger count_version before update on assistant_settings for each row execute function app.count_version();
create trigger name_author before insert or update on assistant_settings for each row execute function app.name_author();

-- ai_budgets: whoever asks reserves, so every member of the clinic may.
alter table ai_budgets enable row level security;
alter table ai_budgets force row level security;
create policy tenant on ai_budgets using (clinic_id = app.clinic()) with check (clinic_id = app.clinic());
create policy definer on ai_budgets to current_user using (true) with check (true);
grant select, insert on ai_budgets to chairside_app;
grant update (spent_usd, reserved_usd, warned_at, stopped_at) on ai_budgets to chairside_app;
-- not granted: delete

-- answer_cache
alter table answer_cache enable row level security;
alter table answer_cache force row level security;
create policy tenant on answer_cache using (clinic_id = app.clinic()) with check (clinic_id = app.clinic());
grant select, insert, delete on answer_cache to chairside_app;
-- not granted: update (another answer has another key)

-- answer_ratings
alter table answer_ratings enable row level security;
alter table answer_ratings force row level security;
create policy tenant on answer_ratings
    using (clinic_id = app.clinic() and (user_id = app.user_id() or app.clinical()))
    with check (clinic_id = app.clinic() and user_id = app.user_id());
create policy author on answer_ratings as restrictive for update to chairside_app using (user_id = app.user_id());
create policy definer on answer_ratings to current_user using (true) with check (true);
grant select, insert on answer_ratings to chairside_app;
grant update (helpful, reason, rated_at) on answer_ratings to chairside_app;
-- not granted: delete

-- clinic_articles: read by everybody who works here, written by owners.
alter table clinic_articles enable row level security;
alter table clinic_articles force row level security;
create policy tenant on clinic_articles using (clinic_id = app.clinic()) with check (clinic_id = app.clinic());
create policy author on clinic_articles as restrictive for insert with check (user_id = app.user_id() and app.role() = 'owner');
create policy owner_amends on clinic_articles as restrictive for update using (app.role() = 'owner');
grant select, insert on clinic_articles to chairside_app;
grant update (title, other_names, body, archived_at) on clinic_articles to chairside_app;
-- not granted: delete
create trigger touch before update on clinic_articles for each row execute function app.touch();
create trigger count_version before update on clinic_articles for each row execute function app.count_version();
create trigger name_author before insert or update on clinic_articles for each row execute function app.name_author();

-- article_reviews: a clinician's own word, renewed when the text has changed.
alter table article_reviews enable row level security;
alter table article_reviews force row level security;
create policy tenant on article_reviews using (clinic_id = app.clinic())
    with check (clinic_id = app.clinic() and app.clinical() and user_id = app.user_id());
grant select, insert on article_reviews to chairside_app;
grant update (user_id, text_hash, reviewed_at) on article_reviews to chairside_app;
-- not granted: delete

-- the roll-ups and their marks: for owners and managers to read, written by app.mark_figures and app.refresh_rollups alone.
alter table figure_marks enable row level security;
alter table figure_marks force row level security;
create policy tenant on figure_marks for select using (clinic_id = app.managed_clinic());
create policy definer on figure_marks to current_user using (true) with check (true);
grant select on figure_marks to chairside_app;
alter table figure_changes enable row level security;
alter table figure_changes force row level security;
create policy tenant on figure_changes for select using (clinic_id = app.managed_clinic());
create policy definer on figure_changes to current_user using (true) with check (true);
grant select on figure_changes to chairside_app;
alter table usage_hours enable row level security;
alter table usage_hours force row level security;
create policy tenant on usage_hours for select using (clinic_id = app.managed_clinic());
create policy definer on usage_hours to current_user using (true) with check (true);
grant select on usage_hours to chairside_app;
alter table usage_days enable row level security;
alter table usage_days force row level security;
create policy tenant on usage_days for select using (clinic_id = app.managed_clinic());
create policy definer on usage_days to current_user using (true) with check (true);
grant select on usage_days to chairside_app;
alter table latency_days enable row level security;
alter table latency_days force row level security;
create policy tenant on latency_days for select using (clinic_id = app.managed_clinic());
create policy definer on latency_days to current_user using (true) with check (true);
grant select on latency_days to chairside_app;
alter table member_days enable row level security;
alter table member_days force row level security;
create policy tenant on member_days for select using (clinic_id = app.managed_clinic());
create policy definer on member_days to current_user using (true) with check (true);
grant select on member_days to chairside_app;
alter table patient_days enable row level security;
alter table patient_days force row level security;
create policy tenant on patient_days for select using (clinic_id = app.managed_clinic());
create policy definer on patient_days to current_user using (true) with check (true);
grant select on patient_days to chairside_app;
alter table article_days enable row level security;
alter table article_days force row level security;
create policy tenant on article_days for select using (clinic_id = app.managed_clinic());
create policy definer on article_days to current_user using (true) with check (true);
grant select on article_days to chairside_app;
alter table emergency_days enable row level security;
alter table emergency_days force row level security;
create policy tenant on emergency_days for select using (clinic_id = app.managed_clinic());
create policy definer on emergency_days to current_user using (true) with check (true);
grant select on emergency_days to chairside_app;
alter table budget_days enable row level security;
alter table budget_days force row level security;
create policy tenant on budget_days for select using (clinic_id = app.managed_clinic());
create policy definer on budget_days to current_user using (true) with check (true);
grant select on budget_days to chairside_app;
grant select on stale_days, stale_call_days, stale_calls, usage_stale, latency_stale, member_stale, patient_stale, article_stale, emergency_stale,
    usage_now, usage_by_day_now, latency_now, member_now, patient_now, article_now, emergency_now to chairside_app;
grant execute on function app.usage_anew(uuid), app.latency_anew(uuid), app.member_anew(uuid), app.patient_anew(uuid), app.article_anew(uuid),
    app.emergency_anew(uuid) to chairside_app;
-- not granted: insert, update, delete
create trigger mark_figures after insert or update or delete on ai_calls for each row execute function app.mark_figures();
create trigger mark_figures after insert or update or delete on emergencies for each row execute function app.mark_figures();
create trigger mark_all_figures after update of time_zone on clinics for each row
    when (new.time_zone is distinct from old.time_zone) execute function app.mark_all_figures();
grant execute on function app.log_bucket(numeric), app.step_start(date, date, date, integer), app.refresh_rollups(integer) to chairside_app, chairside_worker;

-- drafts: their author's; what was typed about a patient to the assistant, only while they treat patients, and nothing of it
-- outlasts that.
alter table drafts enable row level security;
alter table drafts force row level security;
create policy tenant on drafts
    using (clinic_id = app.clinic() and user_id = app.user_id()) with check (clinic_id = app.clinic() and user_id = app.user_id());
create policy thread on drafts as restrictive to chairside_app
    using (form not like 'question:%' or form = 'question:general' or app.clinical())
    with check (form not like 'question:%' or form = 'question:general' or app.clinical());
create policy definer on drafts to current_user using (true) with check (true);
grant select, insert, delete on drafts to chairside_app;
grant update (data) on drafts to chairside_app;
create trigger touch before update on drafts for each row execute function app.touch();
create trigger refuse_gone before insert or update on drafts for each row execute function app.refuse_draft_of_gone();

-- audit_log: everybody appends in their own name and may see what they did; owners see all of it.
alter table audit_log enable row level security;
alter table audit_log force row level security;
create policy append on audit_log for insert with check (clinic_id = app.clinic() and user_id = app.user_id());
create policy definer on audit_log to current_user using (true) with check (true);
create policy tenant on audit_log for select
    using (clinic_id = app.clinic() and (app.role() = 'owner' or user_id = app.user_id()));
grant select on audit_log to chairside_app;
grant insert (clinic_id, user_id, session_id, action, resource, resource_id, patient_id, fields, row_count, term_hash, address,
              request_id) on audit_log to chairside_app;
-- not granted: insert of id and happened_at (nobody chooses when something was), update, delete, truncate; the triggers
-- refuse the last three to the owner as well
create trigger keep before update or delete on audit_log for each row execute function app.refuse();
create trigger keep_whole before truncate on audit_log execute function app.refuse();

-- audit_seals: read with the log, written by app.seal_audit alone.
alter table audit_seals enable row level security;
alter table audit_seals force row level security;
create policy tenant on audit_seals for select using (clinic_id = app.clinic() and app.role() = 'owner');
create policy definer on audit_seals to current_user using (true) with check (true);
grant select on audit_seals to chairside_app;
-- not granted: insert, update, delete, truncate
create trigger keep before update or delete on audit_seals for each row execute function app.refuse();
create trigger keep_whole before truncate on audit_seals execute function app.refuse();

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
-- not granted: delete (app.forget_long_jobs does, after a week or a day); the app does not read the file back
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

-- what imports and mails need beside that; nothing else is written by chairside_worker
grant insert on patients to chairside_worker;
grant update (full_name, email, phone, date_of_birth, deceased, deceased_on, name_key, phone_key, search) on patients to chairside_worker;
grant select, insert on patient_notes to chairside_worker;
grant update (medical_notes, alerts) on patient_notes to chairside_worker;
grant insert (clinic_id, user_id, session_id, action, resource, resource_id, patient_id, fields, row_count, term_hash, address,
              request_id) on audit_log to chairside_worker;
grant select (clinic_id, id, invited_by) on invitations to chairside_worker;
grant insert (id) on invitations to chairside_app;

-- what a clinic's export reads: every table of lib/clinic_tables.py, without the secrets that stay behind
grant select on clinician_credentials, credential_documents, patient_versions, patient_note_versions, merges, erasures, chat_threads,
    chat_messages, ai_calls, emergencies, emergency_actions, answer_ratings, clinic_articles, article_reviews, ai_budgets, audit_log,
    audit_seals to chairside_worker;
grant select (email, email_norm, role, created_at, expires_at, accepted_at, withdrawn_at) on invitations to chairside_worker;
grant select (clinic_id, id, name, role, scopes, networks, request_limit, created_by, created_at, last_used_at, revoked_at)
    on api_clients to chairside_worker;
grant select (clinic_id, provider_on, baa_on_file, base_url, model, daily_budget_usd, version, changed_by, updated_at)
    on assistant_settings to chairside_worker;

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

-- backups: written by whichever process made one.
alter table backups enable row level security;
alter table backups force row level security;
create policy everybody on backups for select using (true);
create policy append on backups for insert with check (true);
grant select, insert on backups to chairside_app, chairside_worker;
-- not granted: update, delete

-- restores: the operator's commands write them, as the owner.
alter table restores enable row level security;
alter table restores force row level security;
create policy everybody on restores for select using (true);
create policy definer on restores to current_user using (true) with check (true);
grant select on restores to chairside_app, chairside_worker;
-- not granted: insert, update, delete (a process that serves can't release itself)

-- alerts: their functions
grant execute on function app.alone(), app.test_alert(), app.installation_alerts(), app.mute_installation(text, timestamptz),
    app.alert_counts(), app.muted_until(text) to chairside_app;
grant execute on function app.watch_clinics(), app.queue_alerts(), app.alert_mailboxes(text), app.muted_until(text),
    app.clinic_muted_until(uuid, text), app.opened_at(), app.installation_spend(date) to chairside_worker;
-- not granted: app.defer_alert

-- process_minutes: every process adds its own and the worker adds them up.
alter table process_minutes enable row level security;
alter table process_minutes force row level security;
create policy append on process_minutes for insert with check (true);
create policy worker on process_minutes to chairside_worker using (true);
create policy definer on process_minutes for select to current_user using (true);
grant insert on process_minutes to chairside_app;
grant select, insert, delete on process_minutes to chairside_worker;
-- not granted: update; the app does not read them

-- alerts: the worker's and the operator's. An owner sees them by app.installation_alerts, if theirs is the only clinic.
alter table alerts enable row level security;
alter table alerts force row level security;
create policy worker on alerts to chairside_worker using (true) with check (true);
-- That no worker lives can only be seen and told by a process that serves.
create policy app on alerts to chairside_app using (kind = 'worker') with check (kind = 'worker');
create policy definer on alerts to current_user using (true) with check (true);
grant select, insert, delete on alerts to chairside_worker;
grant select, insert on alerts to chairside_app;
grant update (amount, calm_since, cleared_at, queued_at, mailed_at, posted_at, mail_problem, post_problem, told_at) on alerts to chairside_app, chairside_worker;
-- not granted: delete to chairside_app

-- alert_mutes
alter table alert_mutes enable row level security;
alter table alert_mutes force row level security;
create policy definer on alert_mutes to current_user using (true) with check (true);
create trigger keep before update or delete on alert_mutes for each row execute function app.refuse();
-- not granted: anything; app.mute_installation and the operator's command write them

-- clinic_alerts: for owners and managers, raised by app.watch_clinics alone.
alter table clinic_alerts enable row level security;
alter table clinic_alerts force row level security;
create policy tenant on clinic_alerts
    using (clinic_id = app.clinic() and app.role() in ('owner', 'manager')) with check (clinic_id = app.clinic());
create policy definer on clinic_alerts to current_user using (true) with check (true);
grant select on clinic_alerts to chairside_app, chairside_worker;
grant update (queued_at, mailed_at, posted_at, mail_problem, post_problem, told_at) on clinic_alerts to chairside_worker;
-- not granted: insert, delete

-- clinic_alert_mutes: owners mute, in their own name.
alter table clinic_alert_mutes enable row level security;
alter table clinic_alert_mutes force row level security;
create policy tenant on clinic_alert_mutes
    using (clinic_id = app.clinic() and app.role() in ('owner', 'manager'))
    with check (clinic_id = app.clinic() and app.role() = 'owner' and user_id = app.user_id());
create policy definer on clinic_alert_mutes for select to current_user using (true);
grant select on clinic_alert_mutes to chairside_app, chairside_worker;
grant insert (clinic_id, kind, until, user_id) on clinic_alert_mutes to chairside_app;
-- not granted: update, delete

-- partitions ----------------------------------------------------------------------------------------------------------

select app.make_partitions();

-- The migration this file stands at, in Alembic's own table, so that a database loaded from here can go on from there.
create table alembic_version (version_num varchar(32) not null, constraint alembic_version_pkc primary key (version_num));
insert into alembic_version (version_num) values ('0021');
grant select on alembic_version to chairside_app, chairside_worker;
