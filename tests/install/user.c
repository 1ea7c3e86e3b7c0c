/* A program of somebody who has installed prova: searches with ask and tell. Valid C and C++. Its argument is
 * the version that pkg-config names. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <prova.h>

int main(int argc, char **argv)
{
    char error[256];
    prova_search *search =
        prova_search_new("{x: {min: -1.0, max: 1.0}}", "random", NULL, "minimize", 1, error, sizeof(error));
    double best = NAN;
    int64_t number;

    if (argc != 2 || strcmp(argv[1], prova_version()) != 0) {
        fprintf(stderr, "the library says that it is %s\n", prova_version());
        return 1;
    }
    for (int i = 0; search && i < 20; i++) {
        if (prova_search_ask(search, &number) != PROVA_OK)
            return 1;
        prova_search_tell(search, number, fabs(prova_search_double(search, number, "x")));
    }
    number = search ? prova_search_best(search, &best) : 0;
    prova_search_free(search);
    return number >= 1 && best < 0.5 ? 0 : 1;
}
