-- The assistant: providers, money, ratings, the clinic's own articles and reviews.

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

alter table chat_messages add column sent jsonb;
comment on table chat_messages is 'user_id: who asked, on the answer too. question_id has no foreign key: months must stay detachable (SCALE rule 8). sent: what a provider was given for this answer, redacted.';

alter table ai_calls add column budget_day date;
alter table ai_calls add column reserved_usd numeric(14, 8);
alter table ai_calls drop constraint money_is_not_negative;
alter table ai_calls add constraint money_is_not_negative check (least(cost_usd, saved_usd, reserved_usd) >= 0);
comment on table ai_calls is 'NULL is unknown, 0 is measured zero. cost_source none: the answer needed no provider. price: the snapshot the cost was computed with. reserved_usd: what the call held of the day''s budget (ai_budgets) while it ran.';

alter table emergencies add column general boolean not null default false;
comment on table emergencies is 'Acknowledged once; the acknowledgement is then final. rule_set: which rules raised it, or checklist or model. general: who asked stated that no patient is in danger now.';
grant update (general) on emergencies to chairside_app;

alter table assistant_settings add foreign key (clinic_id) references clinics (id);
alter table ai_budgets add foreign key (clinic_id) references clinics (id);
alter table answer_cache add foreign key (clinic_id) references clinics (id);
alter table answer_ratings add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table clinic_articles add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);
alter table article_reviews add foreign key (clinic_id, user_id) references memberships (clinic_id, user_id);

create or replace function app.sweep_started() returns integer
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

revoke execute on function app.installation_spend(date) from public;
grant execute on function app.installation_spend(date) to chairside_app;

-- model_prices
alter table model_prices enable row level security;
alter table model_prices force row level security;
create policy everybody on model_prices for select using (true);
create policy definer on model_prices to current_user using (true) with check (true);
grant select on model_prices to chairside_app, chairside_worker;
-- not granted: insert, update, delete (published at start-up from lib/model_prices.csv by the owner)

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
