// SPDX-License-Identifier: Apache-2.0
#include "CJemalloc.h"

// Read by jemalloc before main; the variable MALLOC_CONF goes before it (jemalloc(3), TUNING).
//
// As many arenas as processors instead of four times as many, because what is free in one helps none of the others; and memory
// goes back to the system a second after it was freed, by a thread of its own. (percpu_arena does the same more strictly, but
// complains on standard error wherever a process may not use all processors.)
const char *malloc_conf =
    "narenas_ratio:1,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true,max_background_threads:1";
