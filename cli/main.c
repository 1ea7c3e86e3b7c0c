/* The binary: everything is in the library, so that tests can call it. */
#include "cli/command.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
