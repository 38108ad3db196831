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
        'reset_refused', 'reset_limited', 'membership_refused'))
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
    primary key (clinic_id, id),
    constraint full_name_is_short check (length(full_name) between 1 and 255),
    constraint email_is_short check (length(email) <= 255),
    constraint phone_is_short check (length(phone) <= 40),
    constraint external_id_is_short check (length(external_id) between 1 and 255),
    constraint death_follows_birth check (deceased_on >= date_of_birth),
    constraint a_date_of_death_means_deceased check (deceased or deceased_on is null)
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
comment on table patients is 'name_key, phone_key: folded for finding duplicates. search: lexemes made by lib/search_words.py, never by a text parser.';

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

-- chat_messages: questions and answers. An answer changes once, from started to how it ended; then nothing changes.
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
    primary key (clinic_id, id),
    constraint role_is_known check (role in ('user', 'assistant')),
    constraint content_is_bounded check (length(content) <= 20000),
    constraint status_is_known check (status in ('started', 'ok', 'stopped', 'client_gone', 'error_before', 'error_mid',
        'timeout', 'truncated', 'filtered', 'rate_limited', 'budget_blocked', 'abandoned')),
    constraint a_question_is_whole check (role = 'assistant' or status = 'ok'),
    constraint an_answer_has_its_question check ((role = 'assistant') = (question_id is not null))
) partition by range (id);
create index chat_messages_by_thread on chat_messages (clinic_id, thread_id, id desc);
create index chat_messages_started on chat_messages (clinic_id, id) where status = 'started';
comment on table chat_messages is 'user_id: who asked, on the answer too. question_id has no foreign key: months must stay detachable (SCALE rule 8). sent: what a provider was given for this answer, redacted.';

-- ai_calls: the bill, one row per attempt, without a word of what was asked.
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
    constraint route_is_known check (route in ('emergency', 'kb', 'fallback', 'cache', 'provider', 'blocked')),
    constraint status_is_known check (status in ('started', 'ok', 'stopped', 'client_gone', 'error_before', 'error_mid',
        'timeout', 'truncated', 'filtered', 'rate_limited', 'budget_blocked', 'abandoned')),
    constraint tier_is_known check (tier in ('E', 'U')),
    constraint usage_source_is_known check (usage_source in ('provider', 'estimated')),
    constraint cost_source_is_known check (cost_source in ('provider', 'price_table', 'estimated', 'none')),
    constraint tokens_are_counted check (least(tokens_in, tokens_cached, tokens_out, tokens_reasoning) >= 0),
    constraint money_is_not_negative check (least(cost_usd, saved_usd, reserved_usd) >= 0)
) partition by range (id);
create index ai_calls_by_message on ai_calls (clinic_id, message_id);
create index ai_calls_started on ai_calls (clinic_id, id) where status = 'started';
comment on table ai_calls is 'NULL is unknown, 0 is measured zero. cost_source none: the answer needed no provider. price: the snapshot the cost was computed with. reserved_usd: what the call held of the day''s budget (ai_budgets) while it ran.';

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
    action_taken text not null default '',
    false_alarm boolean not null default false,
    general boolean not null default false,
    primary key (clinic_id, id),
    constraint an_acknowledgement_names_its_person check ((acknowledged_by is null) = (acknowledged_at is null)),
    constraint action_is_bounded check (length(action_taken) <= 2000)
);
-- The list of what nobody has answered for yet.
create index emergencies_open on emergencies (clinic_id, id) where acknowledged_at is null;
comment on table emergencies is 'Acknowledged once; the acknowledgement is then final. rule_set: which rules raised it, or checklist or model. general: who asked stated that no patient is in danger now.';

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

-- distribution --------------------------------------------------------------------------------------------------------
-- deploy/citus.sql belongs here: users, articles, model_prices as reference tables, the rest colocated by clinic_id.

-- foreign keys --------------------------------------------------------------------------------------------------------
-- Composite, so that no clinic can point at another's row. None points at a partitioned table: its months must stay
-- detachable. None leads from a tenant table to users: display names live in memberships.

alter table sessions add foreign key (user_id) references users (id) on delete cascade;
alter table tickets add foreign key (user_id) references users (id) on delete cascade;
alter table recovery_codes add foreign key (user_id) references users (id) on delete cascade;
alter table password_resets add foreign key (user_id) references users (id) on delete cascade;
alter table memberships add foreign key (clinic_id) references clinics (id);
alter table invitations add foreign key (clinic_id, invited_by) references memberships (clinic_id, user_id);
alter table clinician_credentials add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table credential_documents add foreign key (clinic_id, user_id) references clinician_credentials (clinic_id, user_id);
alter table patients add foreign key (clinic_id) references clinics (id);
alter table patients add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table patient_notes add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table patient_versions add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table patient_note_versions add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table chat_threads add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table chat_threads add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table chat_messages add foreign key (clinic_id, thread_id) references chat_threads (clinic_id, id);
alter table chat_messages add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table ai_calls add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table emergencies add foreign key (clinic_id, thread_id) references chat_threads (clinic_id, id);
alter table emergencies add foreign key (clinic_id, patient_id) references patients (clinic_id, id);
alter table emergencies add foreign key (clinic_id, acknowledged_by) references memberships (clinic_id, user_id);
alter table assistant_settings add foreign key (clinic_id) references clinics (id);
alter table ai_budgets add foreign key (clinic_id) references clinics (id);
alter table answer_cache add foreign key (clinic_id) references clinics (id);
alter table answer_ratings add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table clinic_articles add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table article_reviews add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table drafts add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table audit_log add foreign key (clinic_id) references clinics (id);
alter table audit_seals add foreign key (clinic_id) references clinics (id);

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

-- Where somebody works in several clinics, the one they used last.
create function app.find_account(email text)
    returns table (id uuid, email text, full_name text, password_hash text, clinic_id uuid, factor boolean)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.id, u.email, u.full_name, u.password_hash, m.clinic_id, u.totp_since is not null
    from public.users u
    left join public.memberships m on m.user_id = u.id and m.ended_at is null
    left join (
        select s.user_id, s.clinic_id, max(s.created_at) as used_at
        from public.sessions s
        group by s.user_id, s.clinic_id
    ) last on last.user_id = m.user_id and last.clinic_id = m.clinic_id
    where u.email_norm = app.fold_email(find_account.email)
    order by last.used_at desc nulls last, m.created_at
    limit 1;
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
begin
    return query
    with redeemed as (
        delete from tickets t
        where t.id = ticket and t.expires_at > now()
        returning t.user_id, t.clinic_id, t.keep
    ), opened as (
        insert into sessions (id, user_id, clinic_id, device, address, keep)
        select session, r.user_id, r.clinic_id, left(redeem_ticket.device, 200), left(redeem_ticket.address, 60), r.keep
        from redeemed r
        returning sessions.user_id, sessions.clinic_id, sessions.keep
    )
    select o.user_id, o.clinic_id, u.email, o.keep
    from opened o
    join users u on u.id = o.user_id;
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
begin
    if active then
        update sessions s
        set seen_at = now()
        from clinics c
        where s.id = session and s.revoked_at is null and s.seen_at < now() - interval '30 seconds'
          and c.id = s.clinic_id and app.session_ends(s.keep and c.keep_allowed, s.created_at, s.seen_at) > now();
    end if;
    return query
    select m.user_id, m.clinic_id, m.role, u.email, m.display_name, c.name, c.country, c.time_zone, c.currency,
           coalesce(u.language, c.language), c.emergency_number, c.owner_networks::text[],
           c.factor_required and u.totp_since is null,
           (select count(*)::integer from memberships o where o.user_id = s.user_id and o.ended_at is null),
           extract(epoch from app.session_ends(s.keep and c.keep_allowed, s.created_at, s.seen_at) - now())::double precision
    from sessions s
    join users u on u.id = s.user_id
    join memberships m on m.clinic_id = s.clinic_id and m.user_id = s.user_id and m.ended_at is null
    join clinics c on c.id = s.clinic_id
    where s.id = session
      and s.revoked_at is null
      and s.created_at > coalesce(m.signed_out_at, '-infinity')
      and app.session_ends(s.keep and c.keep_allowed, s.created_at, s.seen_at) > now();
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
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select exists (
        select from public.memberships m
        join public.clinics c on c.id = m.clinic_id
        where m.user_id = app.whose(session) and m.ended_at is null and c.factor_required);
end;
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
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select s.id, s.device, s.address, c.name, s.keep and c.keep_allowed, s.created_at, s.seen_at, s.id = session
    from public.sessions s
    join public.memberships m on m.clinic_id = s.clinic_id and m.user_id = s.user_id and m.ended_at is null
    join public.clinics c on c.id = s.clinic_id
    where s.user_id = app.whose(session)
      and s.revoked_at is null
      and app.session_ends(s.keep and c.keep_allowed, s.created_at, s.seen_at) > now()
    order by s.seen_at desc;
end;
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
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select c.id, c.name, m.role, c.id = s.clinic_id
    from app.resume(session, false) s
    join public.memberships m on m.user_id = s.user_id and m.ended_at is null
    join public.clinics c on c.id = m.clinic_id
    order by c.name;
end;
comment on function app.my_clinics is 'Where this person works.';

create function app.switch_clinic(session bytea, clinic uuid) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update sessions s
    set clinic_id = clinic
    where s.id = session
      and exists (select from memberships m where m.clinic_id = clinic and m.user_id = app.whose(session) and m.ended_at is null
                  and s.created_at > coalesce(m.signed_out_at, '-infinity'));
    return found;
end
$$;
comment on function app.switch_clinic is 'This device works in another clinic from now on. False: not a member there.';

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
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.email, u.full_name
    from public.password_resets r
    join public.users u on u.id = r.user_id
    where r.id = token and r.expires_at > now()
      and (r.helped_in is null or (
          exists (select from public.memberships h where h.clinic_id = r.helped_in and h.user_id = r.helped_by
                  and h.role = 'owner' and h.ended_at is null)
          and exists (select from public.memberships m where m.clinic_id = r.helped_in and m.user_id = r.user_id
                      and m.ended_at is null)
          and not exists (select from public.memberships o where o.user_id = r.user_id and o.clinic_id <> r.helped_in)));
end;
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
    update invitations i
    set accepted_at = now()
    from users u
    where i.clinic_id = clinic and i.token_hash = token and u.id = account and u.email_norm = i.email_norm
      and i.accepted_at is null and i.withdrawn_at is null
      and exists (select from app.find_invitation(clinic, token))
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
begin
    if not exists (select from memberships m where m.clinic_id = app.clinic() and m.user_id = member
                   and (app.may_invite(app.role(), m.role) or m.user_id = app.user_id())) then
        raise exception 'not yours to sign out' using errcode = '42501';
    end if;
    delete from tickets t where t.user_id = member and t.clinic_id = app.clinic();
    update memberships m set signed_out_at = clock_timestamp() where m.clinic_id = app.clinic() and m.user_id = member;
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
    if old.status <> 'started' then
        raise exception 'this row is final' using errcode = 'CS002';
    end if;
    return new;
end
$$;
comment on function app.finish_once is 'A started row may end once; afterwards it is immutable.';

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

create function app.acknowledge_once() returns trigger language plpgsql as $$
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
begin
    with ended as (
        update ai_calls set status = 'abandoned', finished_at = now()
        where status = 'started' and id < app.uuid_floor(now() - interval '5 minutes')
        returning clinic_id, budget_day, reserved_usd
    ), held as (
        select clinic_id, budget_day, sum(reserved_usd) as amount
        from ended
        where reserved_usd is not null
        group by clinic_id, budget_day
    )
    update ai_budgets b
    set spent_usd = b.spent_usd + h.amount, reserved_usd = greatest(b.reserved_usd - h.amount, 0)
    from held h
    where b.clinic_id = h.clinic_id and b.day = h.budget_day;
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
    select coalesce(sum(b.spent_usd + b.reserved_usd), 0) from ai_budgets b where b.day = installation_spend.day;
end;
comment on function app.installation_spend is 'What all clinics together have spent and reserved at providers on that day.';

-- functions: partitions by month --------------------------------------------------------------------------------------

create function app.uuid_floor(at timestamptz) returns uuid
    language sql immutable strict parallel safe
    return (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
comment on function app.uuid_floor is 'The smallest uuid of that millisecond: a bound for ranges of uuidv7.';

create function app.uuid_time(id uuid) returns timestamptz
    language sql immutable strict parallel safe
    return to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0);
comment on function app.uuid_time is 'The millisecond of a uuidv7, or of such a bound, which uuid_extract_timestamp does not take.';

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

-- row-level security, grants, triggers --------------------------------------------------------------------------------
-- Forced everywhere, so the owner is bound too; the definer functions above need the policies "to current_user".

grant usage on schema public, app to chairside_app, chairside_worker;
revoke all on all functions in schema app from public;
grant execute on function app.clinic(), app.user_id(), app.role(), app.clinical(), app.uuid_floor(timestamptz),
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
    app.installation_spend(date), app.factor_required(bytea), app.member_emails()
    to chairside_app;
grant execute on function app.seal_audit(boolean), app.audit_digest(audit_log) to chairside_app, chairside_worker;
grant execute on function app.enter_job(uuid) to chairside_worker;

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
create trigger end_approval after update of role, ended_at on memberships for each row execute function app.end_approval();

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
-- and of version, changed_by, updated_at (the triggers' own)
create trigger touch before update on patients for each row execute function app.touch();
create trigger count_version before update on patients for each row execute function app.count_version();
create trigger name_author before insert or update on patients for each row execute function app.name_author();
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
create trigger keep_version after insert or update on patient_notes for each row execute function app.keep_note_version();

-- patient_versions
alter table patient_versions enable row level security;
alter table patient_versions force row level security;
create policy tenant on patient_versions using (clinic_id = app.clinic()) with check (clinic_id = app.clinic());
grant select on patient_versions to chairside_app;
-- not granted: insert, update, delete (the triggers write, erasure empties)

-- patient_note_versions
alter table patient_note_versions enable row level security;
alter table patient_note_versions force row level security;
create policy tenant on patient_note_versions
    using (clinic_id = app.clinic() and app.clinical()) with check (clinic_id = app.clinic() and app.clinical());
grant select on patient_note_versions to chairside_app;
-- not granted: insert, update, delete

-- chat_threads: a patient's is for those who treat; a general one for its member alone.
alter table chat_threads enable row level security;
alter table chat_threads force row level security;
create policy tenant on chat_threads
    using (clinic_id = app.clinic() and case when patient_id is null then user_id = app.user_id() else app.clinical() end)
    with check (clinic_id = app.clinic() and user_id = app.user_id() and (patient_id is null or app.clinical()));
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
grant update (status, content, metadata, finished_at) on chat_messages to chairside_app;
-- not granted: delete, update of anything else
create trigger match_thread before insert on chat_messages for each row execute function app.match_thread();
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
              usage_source, price, cost_usd, cost_source, saved_usd, first_token_ms, latency_ms, finished_at)
    on ai_calls to chairside_app;
-- not granted: delete, update of anything else
create trigger finish_once before update on ai_calls for each row execute function app.finish_once();

-- emergencies: managers count them; receptionists see those they raised.
alter table emergencies enable row level security;
alter table emergencies force row level security;
create policy tenant on emergencies
    using (clinic_id = app.clinic() and (app.role() in ('owner', 'manager', 'clinician') or user_id = app.user_id()))
    with check (clinic_id = app.clinic() and (app.clinical() or user_id = app.user_id()));
create policy author on emergencies as restrictive for insert with check (user_id = app.user_id());
grant select, insert on emergencies to chairside_app;
grant update (action_taken, false_alarm, general) on emergencies to chairside_app;
-- not granted: delete; acknowledged_by and acknowledged_at are the trigger's own
create trigger match_thread before insert on emergencies for each row execute function app.match_thread();
create trigger acknowledge_once before update on emergencies for each row execute function app.acknowledge_once();

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
create policy author on answer_ratings as restrictive for update using (user_id = app.user_id());
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

-- drafts: their author's; what was typed about a patient to the assistant, only while they treat patients.
alter table drafts enable row level security;
alter table drafts force row level security;
create policy tenant on drafts
    using (clinic_id = app.clinic() and user_id = app.user_id()) with check (clinic_id = app.clinic() and user_id = app.user_id());
create policy thread on drafts as restrictive
    using (form not like 'question:%' or form = 'question:general' or app.clinical())
    with check (form not like 'question:%' or form = 'question:general' or app.clinical());
grant select, insert, delete on drafts to chairside_app;
grant update (data) on drafts to chairside_app;
create trigger touch before update on drafts for each row execute function app.touch();

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

-- partitions ----------------------------------------------------------------------------------------------------------

select app.make_partitions();

-- The migration this file stands at, in Alembic's own table, so that a database loaded from here can go on from there.
create table alembic_version (version_num varchar(32) not null, constraint alembic_version_pkc primary key (version_num));
insert into alembic_version (version_num) values ('0004');
grant select on alembic_version to chairside_app, chairside_worker;
