// Preloaded into a process under test: makes system calls fail as a full disk or a bad sector would.
//   FAULT_FULL=PREFIX:BYTES  writes to files whose path starts with PREFIX fail with ENOSPC after BYTES bytes in all
//   FAULT_OPEN=SUFFIX        files whose path ends with SUFFIX cannot be opened for reading (EIO)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static long written = 0;

static int full(int fd, size_t count) {
  const char* rule = getenv("FAULT_FULL");
  if (rule == NULL) return 0;
  const char* colon = strrchr(rule, ':');
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < colon - rule || strncmp(path, rule, colon - rule) != 0) return 0;
  if (__atomic_add_fetch(&written, count, __ATOMIC_RELAXED) <= atol(colon + 1)) return 0;
  errno = ENOSPC;
  return 1;
}

static size_t total(const struct iovec* parts, int count) {
  size_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
  return bytes;
}

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))

ssize_t write(int fd, const void* data, size_t count) {
  if (full(fd, count)) return -1;
  return NEXT("write", ssize_t (*)(int, const void*, size_t))(fd, data, count);
}

ssize_t pwrite64(int fd, const void* data, size_t count, off64_t at) {
  if (full(fd, count)) return -1;
  return NEXT("pwrite64", ssize_t (*)(int, const void*, size_t, off64_t))(fd, data, count, at);
}

ssize_t pwrite(int fd, const void* data, size_t count, off_t at) { return pwrite64(fd, data, count, at); }

ssize_t writev(int fd, const struct iovec* parts, int count) {
  if (full(fd, total(parts, count))) return -1;
  return NEXT("writev", ssize_t (*)(int, const struct iovec*, int))(fd, parts, count);
}

static int broken(const char* path) {
  const char* suffix = getenv("FAULT_OPEN");
  if (suffix == NULL || strlen(path) < strlen(suffix)) return 0;
  if (strcmp(path + strlen(path) - strlen(suffix), suffix) != 0) return 0;
  errno = EIO;
  return 1;
}

#define OPEN(name)                                                       \
  int name(const char* path, int flags, ...) {                           \
    if (broken(path)) return -1;                                         \
    va_list rest;                                                        \
    va_start(rest, flags);                                               \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                        \
    return NEXT(#name, int (*)(const char*, int, ...))(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
