/*
 * markers N
 *
 * Passes its USDT markers N times each: plain with -7, "seven" and the number of the pass; copied, in two places, with 1
 * and with 2; and asked, if its semaphore says that somebody listens, as often as heard says.
 *
 * The notes are written out, as sys/sdt.h does it, so that its package need not be installed.
 */
#include "workload.h"

static const char line[] = "markers N";

#define NOTE(name, semaphore, arguments)                                                                                  \
    "990: nop\n"                                                                                                         \
    ".pushsection .note.stapsdt, \"\", \"note\"\n"                                                                       \
    ".balign 4\n"                                                                                                        \
    ".4byte 992f-991f, 994f-993f, 3\n"                                                                                   \
    "991: .asciz \"stapsdt\"\n"                                                                                          \
    "992: .balign 4\n"                                                                                                   \
    "993: .8byte 990b, 0, " semaphore "\n"                                                                               \
    ".asciz \"workload\"\n"                                                                                              \
    ".asciz \"" name "\"\n"                                                                                              \
    ".asciz \"" arguments "\"\n"                                                                                         \
    "994: .balign 4\n"                                                                                                   \
    ".popsection\n"

#if defined(__x86_64__)
#define PLACES "-4@%k0 8@%1 8@%2"
#define FIRST "4@$1"
#define SECOND "4@$2"
#else
#define PLACES "-4@%w0 8@%1 8@%2"
#define FIRST "4@1"
#define SECOND "4@2"
#endif

__attribute__((section(".probes"))) volatile unsigned short asked_semaphore;

int main(int argc, char **argv)
{
    long passes = only_number(argc, argv, 100000000, line);
    /* Programs can't read a page that was never touched. */
    static const char seven[] = "seven";
    long heard = seven[0] - 's';
    for (long pass = 0; pass < passes; pass++) {
        __asm__ volatile(NOTE("plain", "0", PLACES) ::"r"(-7), "r"(seven), "r"(pass));
        __asm__ volatile(NOTE("copied", "0", FIRST));
        __asm__ volatile(NOTE("copied", "0", SECOND));
        if (asked_semaphore) {
            __asm__ volatile(NOTE("asked", "asked_semaphore", ""));
            heard++;
        }
    }
    printf("pid=%d passes=%ld heard=%ld\n", getpid(), passes, heard);
    return 0;
}
