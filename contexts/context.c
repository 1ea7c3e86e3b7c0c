/* The contexts: one line each, and the front that the engine calls. */
#include "contexts/context.h"
