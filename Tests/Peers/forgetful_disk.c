// SPDX-License-Identifier: Apache-2.0
// Writes down what a process does to its database files, in order, so that a test can reckon what a disk would hold that
// loses everything not yet synced. Preloaded into the program; VITRINE_DISK_LOG names the log.
//
// Records: kind (1 byte), file (4), offset or size (8), length (8), bytes; numbers in the machine's order.
//   O  a file is opened, its path follows    W  written    T  cut or grown to a size    S  synced    U  removed, path follows
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { descriptors = 1 << 16, files = 64 };
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int32_t file_of[descriptors];  // 0 is a file that nobody watches
static char *paths[files];
static int log_descriptor = -1;

static ssize_t (*real_write)(int, const void *, size_t);
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("VITRINE_DISK_LOG");
    real_write = REAL(write);
    if (path) log_descriptor = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static int is_watched(const char *path) {
    const char *name = strstr(path, "shop.sqlite");
    return log_descriptor >= 0 && name && !strstr(name, "-shm");
}

static int32_t number_of(const char *path) {
    for (int32_t n = 1; n < files; n++) {
        if (!paths[n]) paths[n] = strdup(path);
        if (strcmp(paths[n], path) == 0) return n;
    }
    abort();
}

static void note(char kind, int32_t file, uint64_t offset, const void *bytes, uint64_t length) {
    char head[21];
    head[0] = kind;
    memcpy(head + 1, &file, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &length, 8);
    if (real_write(log_descriptor, head, sizeof head) != sizeof head) abort();
    if (length && real_write(log_descriptor, bytes, length) != (ssize_t)length) abort();
}

static int opened(int descriptor, const char *path) {
    if (descriptor < 0 || descriptor >= descriptors) return descriptor;
    pthread_mutex_lock(&turn);
    file_of[descriptor] = 0;
    if (is_watched(path)) {
        file_of[descriptor] = number_of(path);
        note('O', file_of[descriptor], 0, path, strlen(path));
    }
    pthread_mutex_unlock(&turn);
    return descriptor;
}

#define OPEN(name)                                   \
    int name(const char *path, int flags, ...) {     \
        va_list more;                                \
        va_start(more, flags);                       \
        mode_t mode = va_arg(more, mode_t);          \
        va_end(more);                                \
        return opened(REAL(name)(path, flags, mode), path); \
    }
OPEN(open)
OPEN(open64)

static int32_t watched(int descriptor) {
    return descriptor >= 0 && descriptor < descriptors ? file_of[descriptor] : 0;
}

#define CHANGE(descriptor, call, kind, offset, bytes, length)            \
    int32_t file = watched(descriptor);                                  \
    if (!file) return call;                                              \
    pthread_mutex_lock(&turn);                                           \
    __typeof__(call) result = call;                                      \
    if (result >= 0) note(kind, file, offset, bytes, (uint64_t)(length)); \
    pthread_mutex_unlock(&turn);                                         \
    return result;

ssize_t pwrite(int d, const void *bytes, size_t count, off_t offset) {
    CHANGE(d, REAL(pwrite)(d, bytes, count, offset), 'W', offset, bytes, result)
}
ssize_t pwrite64(int d, const void *bytes, size_t count, off64_t offset) {
    CHANGE(d, REAL(pwrite64)(d, bytes, count, offset), 'W', offset, bytes, result)
}
ssize_t write(int d, const void *bytes, size_t count) {
    CHANGE(d, real_write(d, bytes, count), 'W', lseek(d, 0, SEEK_CUR) - result, bytes, result)
}
int ftruncate(int d, off_t size) { CHANGE(d, REAL(ftruncate)(d, size), 'T', size, "", 0) }
int ftruncate64(int d, off64_t size) { CHANGE(d, REAL(ftruncate64)(d, size), 'T', size, "", 0) }
int fsync(int d) { CHANGE(d, REAL(fsync)(d), 'S', 0, "", 0) }
int fdatasync(int d) { CHANGE(d, REAL(fdatasync)(d), 'S', 0, "", 0) }

int close(int d) {
    if (d >= 0 && d < descriptors) file_of[d] = 0;
    return REAL(close)(d);
}

int unlink(const char *path) {
    if (!is_watched(path)) return REAL(unlink)(path);
    pthread_mutex_lock(&turn);
    int result = REAL(unlink)(path);
    if (result == 0) note('U', number_of(path), 0, path, strlen(path));
    pthread_mutex_unlock(&turn);
    return result;
}
