/* The plug-ins: one line each. */
#include "optimizers/registry.h"
