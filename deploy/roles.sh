#!/bin/sh
# Runs once, when the database is made: the owner of the tables, who is no superuser, the two roles that own nothing, and the one
# that reads everything and writes nothing, for backups.
set -eu
for role in owner app worker; do
    psql --quiet --set ON_ERROR_STOP=1 --set role="chairside_$role" --set password="$(cat "/run/secrets/${role}_password")" <<'SQL'
create role :"role" login nosuperuser nobypassrls nocreatedb nocreaterole password :'password';
SQL
done
psql --quiet --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/backup_password)" <<'SQL'
create role chairside_backup login bypassrls password :'password' in role pg_read_all_data;
SQL
psql --quiet --set ON_ERROR_STOP=1 -c "alter database $POSTGRES_DB owner to chairside_owner"
