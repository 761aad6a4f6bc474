// Notes what a process does to files outside of one folder. Loaded with LD_PRELOAD by scripts/fuzz-files.mjs. Linux.
// WATCH_FOLDER=DIR   where everything may be written
// WATCH_LOG=FILE     gets a line for each call that would change something elsewhere, start a program or open a connection
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))

static void note(const char* call, const char* path) {
  const char* log = getenv("WATCH_LOG");
  if (log == NULL) return;
  char line[600];
  int length = snprintf(line, sizeof line, "%s %.500s\n", call, path);
  int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (file < 0) abort();
  if (syscall(SYS_write, file, line, length) != length) abort();
  syscall(SYS_close, file);
}

static void change(const char* call, const char* path) {
  const char* folder = getenv("WATCH_FOLDER");
  if (folder == NULL || path == NULL || strcmp(path, "/dev/null") == 0) return;
  size_t length = strlen(folder);
  int inside = strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
  if (!inside || strstr(path, "/../") != NULL) note(call, path);
}

static int writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0; }

#define MODE(mode)                                                       \
  va_list rest;                                                          \
  va_start(rest, flags);                                                 \
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
  va_end(rest)
#define OPEN(name)                                                       \
  int name(const char* path, int flags, ...) {                           \
    MODE(mode);                                                          \
    if (writes(flags)) change(#name, path);                              \
    return NEXT(#name, int (*)(const char*, int, ...))(path, flags, mode); \
  }
#define OPEN_AT(name)                                                    \
  int name(int at, const char* path, int flags, ...) {                   \
    MODE(mode);                                                          \
    if (writes(flags)) change(#name, path);                              \
    return NEXT(#name, int (*)(int, const char*, int, ...))(at, path, flags, mode); \
  }
#define STREAM(name)                                                     \
  FILE* name(const char* path, const char* mode) {                       \
    if (strpbrk(mode, "wa+") != NULL) change(#name, path);               \
    return NEXT(#name, FILE* (*)(const char*, const char*))(path, mode); \
  }
#define CHANGE(name, types, values)                                      \
  int name types {                                                       \
    change(#name, path);                                                 \
    return NEXT(#name, int (*) types) values;                            \
  }

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
STREAM(fopen)
STREAM(fopen64)
CHANGE(creat, (const char* path, mode_t mode), (path, mode))
CHANGE(mkdir, (const char* path, mode_t mode), (path, mode))
CHANGE(mkdirat, (int at, const char* path, mode_t mode), (at, path, mode))
CHANGE(rmdir, (const char* path), (path))
CHANGE(unlink, (const char* path), (path))
CHANGE(unlinkat, (int at, const char* path, int flags), (at, path, flags))
CHANGE(remove, (const char* path), (path))
CHANGE(truncate, (const char* path, off_t length), (path, length))
CHANGE(chmod, (const char* path, mode_t mode), (path, mode))
CHANGE(rename, (const char* from, const char* path), (from, path))
CHANGE(symlink, (const char* to, const char* path), (to, path))
CHANGE(link, (const char* to, const char* path), (to, path))

int execve(const char* path, char* const arguments[], char* const environment[]) {
  note("execve", path);
  return NEXT("execve", int (*)(const char*, char* const[], char* const[]))(path, arguments, environment);
}

int execvp(const char* path, char* const arguments[]) {
  note("execvp", path);
  return NEXT("execvp", int (*)(const char*, char* const[]))(path, arguments);
}

int connect(int socket, const struct sockaddr* address, socklen_t length) {
  note("connect", "");
  return NEXT("connect", int (*)(int, const struct sockaddr*, socklen_t))(socket, address, length);
}
