// SPDX-License-Identifier: Apache-2.0
#include "CJemalloc.h"

// Read by jemalloc before main; the variable MALLOC_CONF goes before it (jemalloc(3), TUNING).
//
// An arena for each processor instead of four, because what is free in one helps none of the others; and memory goes back to
// the system a second after it was freed, by a thread of its own.
const char *malloc_conf = "percpu_arena:percpu,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true";
