#!/bin/bash
# Runs once, when the data directory has been made: the services' role, which is no superuser, and its database.
set -e
executor_password=$(cat /run/secrets/postgres-executor-password)
psql -v ON_ERROR_STOP=1 --quiet --username "${POSTGRES_USER:-postgres}" --dbname postgres <<SQL
create role executor login password '$executor_password' nosuperuser nocreatedb nocreaterole;
create database executor owner executor;
revoke connect on database executor from public;
alter role ${POSTGRES_USER:-postgres} password null;
SQL
unset executor_password
