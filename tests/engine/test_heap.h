#ifndef TESTS_ENGINE_TEST_HEAP_H
#define TESTS_ENGINE_TEST_HEAP_H

#include <check.h>

TCase *heap_tests(void);

#endif
