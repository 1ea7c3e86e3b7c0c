/* The records are plain data: their header must compile by itself, which this file proves. */
#include "driver/record.h"
