/*
 * reused [MIB]
 *
 * touches() writes to MIB MiB (32 unless told) of small blocks and frees all but the last, so that the heap keeps its pages; keeps()
 * then allocates three quarters of that, of which it writes to the first byte of each block alone. So the pages are touched by the one, and
 * what is in them is the other's. Of the blocks of keeps(), each fourth is given back, by free() or by realloc() to no bytes, and each fourth grows by realloc() to twice its size.
 * Prints the bytes that keeps() has at last, and what realloc() has of it (grown).
 */
#include "workload.h"

static const char line[] = "reused [MIB]";

enum { SIZE = 4000 };

static char **blocks;

static void touches(long count)
{
    for (long i = 0; i < count; i++)
        blocks[i] = memset(malloc(SIZE), 1, SIZE);
    for (long i = 0; i + 1 < count; i++)
        free(blocks[i]);
}

static long keeps(long count, long *grown)
{
    long kept = 0;
    *grown = 0;
    for (long i = 0; i < count; i++) {
        char *block = malloc(SIZE);
        *block = 1;
        switch (i % 4) {
        case 0:
            if (i % 8)
                free(block);
            else
                blocks[i] = realloc(block, 0);
            break;
        case 1:
            blocks[i] = realloc(block, 2 * SIZE);
            *grown += 2 * SIZE;
            break;
        default:
            blocks[i] = block;
            kept += SIZE;
        }
    }
    return kept + *grown;
}

int main(int argc, char **argv)
{
    long mib = argc > 1 ? number(argv[1], 1 << 10, line) : 32;
    long count = (mib << 20) / SIZE;
    blocks = calloc(count, sizeof *blocks);
    touches(count);
    long grown;
    long kept = keeps(count * 3 / 4, &grown);
    printf("pid=%d kept=%ld grown=%ld\n", getpid(), kept, grown);
    return 0;
}
