/*
 * functions N
 *
 * Calls N times each: twice(0), twice(1), …, each of which returns the double; ninth(1, …, 8, 900), whose last arguments are on
 * the stack; and letters("seventeen letters").
 */
#include "workload.h"

static const char line[] = "functions N";

__attribute__((noinline)) long twice(long number)
{
    return 2 * number;
}

__attribute__((noinline)) long ninth(long a, long b, long c, long d, long e, long f, long g, long h, long i)
{
    return a + b + c + d + e + f + g + h + i;
}

__attribute__((noinline)) long letters(const char *text)
{
    return (long)strlen(text);
}

int main(int argc, char **argv)
{
    long calls = only_number(argc, argv, 100000000, line);
    static const char text[] = "seventeen letters";
    /* Programs can't read a page that was never touched. */
    long sum = text[0] - 's';
    for (long call = 0; call < calls; call++)
        sum += twice(call) + ninth(1, 2, 3, 4, 5, 6, 7, 8, 900) + letters(text);
    printf("pid=%d calls=%ld sum=%ld\n", getpid(), calls, sum);
    return 0;
}
