/* Makes numbers of what is told apart by them. */
#ifndef PFSCRIPT_HASH_H
#define PFSCRIPT_HASH_H

#include "template.h"

/* Odd numbers with well-mixed bits: the fractional parts of the golden ratio and of the square root of 3. */
#define PF_MULTIPLIER 0x9e3779b97f4a7c15ULL
#define PF_OTHER_MULTIPLIER 0xbb67ae8584caa73bULL

/* Brings high bits down, which a multiplication only carries up: the bits that address-space layout varies are high. */
static __always_inline __u64 fold(__u64 hash)
{
	return hash ^ hash >> 32;
}

#endif
