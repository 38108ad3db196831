-- Backups: when the last one was made, and whether this copy was restored from one.

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
