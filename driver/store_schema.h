#ifndef DRIVER_STORE_SCHEMA_H
#define DRIVER_STORE_SCHEMA_H

#include <sqlite3.h>

#include "core/err.h"

/* The tables and views of the database (docs/database.md), their version and how older ones become newer. */

#define SCHEMA_VERSION 2

/* Before anything is changed in a database: may it be? ERR_INVALID: it belongs to another program;
 * ERR_VERSION: to a newer prova. */
int schema_guard(sqlite3 *db, struct err *err);
/* Creates what is missing: all of it in an empty database, the later steps in an older one. In one
 * transaction. Fails as schema_guard too. */
int schema_upgrade(sqlite3 *db, struct err *err);
/* Can this connection be read by this prova? ERR_INVALID, ERR_VERSION; ERR_NOT_FOUND if it is empty. */
int schema_check(sqlite3 *db, struct err *err);

#endif
