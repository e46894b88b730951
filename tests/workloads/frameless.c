/*
 * frameless PAGES
 *
 * Touches PAGES pages, one fault each, in a function that others call that keep no frame pointers; then once more in the handler of
 * a signal, and in a thread.
 */
#pragma GCC optimize("O2", "omit-frame-pointer", "no-optimize-sibling-calls")
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "workload.h"

static const char line[] = "frameless PAGES";

#define APART __attribute__((noinline, noclone))

static long pages;
static volatile int sink;

APART static void inner(volatile char *memory)
{
    volatile char many[200];
    many[pages & 127] = 1;
    size_t size = page_size();
    for (long i = 0; i < pages; i++)
        memory[i * size] = many[pages & 127];
}

APART static void middle(void)
{
    volatile char *memory = anonymous(pages, MADV_NOHUGEPAGE);
    inner(memory);
    sink += memory[0];
}

APART static void outer(int way)
{
    volatile char many[100 + way];
    many[way] = 1;
    middle();
    sink += many[way];
}

static void handler(int number)
{
    outer(number);
}

static void *thread(void *argument)
{
    outer(2);
    return argument;
}

int main(int argc, char **argv)
{
    pthread_t other;

    if (argc != 2)
        usage(line);
    pages = number(argv[1], 1 << 20, line);
    outer(1);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    if (pthread_create(&other, NULL, thread, NULL) || pthread_join(other, NULL))
        refused("pthread_create");
    printf("pid=%d pages=%ld\n", getpid(), pages);
    return 0;
}
