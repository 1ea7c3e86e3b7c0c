#ifndef TESTS_ENGINE_TEST_GANG_H
#define TESTS_ENGINE_TEST_GANG_H

#include <check.h>

TCase *gang_tests(void);

#endif
