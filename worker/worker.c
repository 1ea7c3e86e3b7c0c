/* The supervisor: starts a process a slot and replaces those that a trial has killed. */
#include "worker/worker.h"
