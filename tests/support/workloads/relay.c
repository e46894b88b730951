/*
 * relay PAGES COMMAND [ARGUMENT...]
 *
 * Touches PAGES pages of anonymous memory in baton(), then executes COMMAND as the same process, so that one process id
 * has two programs, one after the other. -DBATON=name names the function otherwise.
 */
#include "workload.h"

#ifndef BATON
#define BATON baton
#endif

__attribute__((noinline)) static void BATON(long pages)
{
    write_each_page(anonymous(pages, MADV_NOHUGEPAGE), pages, RUSAGE_SELF);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        usage("relay PAGES [COMMAND [ARGUMENT...]]");
    BATON(number(argv[1], 1 << 20, "relay"));
    if (argc == 2)
        return 0;
    execv(argv[2], argv + 2);
    refused(argv[2]);
}
