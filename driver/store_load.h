#ifndef DRIVER_STORE_LOAD_H
#define DRIVER_STORE_LOAD_H

#include "driver/store.h"

/* store_load on a connection of its own, of what is committed (driver/store.h). */
int load_experiments(const char *path, struct id only, const struct store_loader *loader, struct err *err);

#endif
