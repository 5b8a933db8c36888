// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>

/// Leaves out the count of all memory in use, for which each piece that is taken or given back waits for a lock of the
/// process; before any connection is opened. A function here, because Swift calls none of a variable number of arguments.
static inline int csqlite_forget_memory_use(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }
