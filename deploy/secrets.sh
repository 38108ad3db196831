#!/bin/sh
# Makes deploy/secrets/ for compose.yaml: new passwords and keys, and the addresses that hold them. Keeps what is there.
# certificate (the chain and its key in one file) is yours to put in; without one, the door gets a key signed by itself.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets
new() { [ -s "$1" ] || cat >"$1"; }
for name in postgres owner app worker backup; do openssl rand -hex 24 | tr -d '\n' | new "${name}_password"; done
openssl rand -base64 48 | tr -d '\n' | new jwt_secret
for name in encryption_keys backup_keys; do openssl rand -base64 32 | tr '+/' '-_' | tr -d '\n' | new "$name"; done
printf 'postgresql://chairside_owner:%s@database/chairside' "$(cat owner_password)" | new owner_url
printf 'postgresql://chairside_app:%s@pool:6432/chairside' "$(cat app_password)" | new pooled_url
printf 'postgresql://chairside_worker:%s@database/chairside' "$(cat worker_password)" | new worker_url
printf 'postgresql://chairside_backup:%s@database/chairside' "$(cat backup_password)" | new backup_url
printf '"chairside_app" "%s"\n' "$(cat app_password)" | new pool_users
if [ ! -s certificate ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem 2>/dev/null
    cat certificate.pem key.pem >certificate
    rm certificate.pem key.pem
fi
# Whoever may read the folder may read the files: the containers' users have other numbers than yours.
chmod 0644 ./*
