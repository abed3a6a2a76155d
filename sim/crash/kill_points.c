/*
 * Kill points: a process that kills itself at a chosen write to its files.
 *
 * Loaded with LD_PRELOAD, this counts the system calls that change files below one
 * folder, and at the n-th raises SIGKILL: before the call, after half of the bytes of a
 * write (halfway through any other call is after it), or after it. Nothing is counted
 * until kill_points_arm() is called, which the child of the fork server does through
 * ctypes; the program under test knows nothing of all this.
 *
 * Every counted call is named on a line of the trace descriptor before it is made:
 *
 *     <n> <call> <path below the folder>
 *
 * The trace outlives the process, so that whoever killed it can say where in words.
 * One process, one folder. Threads may write at the same time; each call has one number.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum moment { BEFORE = 0, HALFWAY = 1, AFTER = 2 };

static char folder[PATH_MAX];
static size_t folder_length; /* 0: not armed */
static int trace_fd = -1;
static long strike_at; /* from 1; 0: count only */
static enum moment strike_when;
static long counted;

/* Start to count. Returns 0, or -1 when the folder's name is too long. */
int kill_points_arm(const char *below, int trace, long at, int when)
{
    size_t length = strlen(below);
    if (length == 0 || length >= sizeof folder)
        return -1;
    memcpy(folder, below, length + 1);
    trace_fd = trace;
    strike_at = at;
    strike_when = (enum moment)when;
    counted = 0;
    folder_length = length;
    return 0;
}

/* How many calls have been counted since kill_points_arm(). */
long kill_points_counted(void)
{
    return __atomic_load_n(&counted, __ATOMIC_SEQ_CST);
}

static void die(void)
{
    /* Straight to the kernel: no handler, no buffer, no atexit function runs. */
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* The part of a path below the folder, or NULL when it is elsewhere. */
static const char *below_folder(const char *path)
{
    if (strncmp(path, folder, folder_length) != 0 || path[folder_length] != '/')
        return NULL;
    return path + folder_length + 1;
}

/* Number this call and trace it; when it is the one, die now or say that it is. */
static int strikes(const char *call, const char *path)
{
    const char *name;
    char line[PATH_MAX + 64];
    long number;
    int length;

    if (folder_length == 0 || (name = below_folder(path)) == NULL)
        return 0;
    number = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, name);
    if (trace_fd >= 0 && length > 0)
        syscall(SYS_write, trace_fd, line, (size_t)length);
    if (number != strike_at)
        return 0;
    if (strike_when == BEFORE)
        die();
    return 1;
}

static int strikes_fd(const char *call, int fd)
{
    char link[64];
    char path[PATH_MAX];
    ssize_t length;

    if (folder_length == 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = '\0';
    return strikes(call, path);
}

/* How much of a write that strikes is carried out. */
static size_t share(size_t count)
{
    return strike_when == HALFWAY ? count / 2 : count;
}

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    static ssize_t (*next)(int, const void *, size_t);
    ssize_t done;
    int hit = strikes_fd("write", fd);

    if (next == NULL)
        next = real("write");
    done = next(fd, bytes, hit ? share(count) : count);
    if (hit)
        die();
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    ssize_t done;
    int hit = strikes_fd("pwrite", fd);

    if (next == NULL)
        next = real("pwrite64");
    done = next(fd, bytes, hit ? share(count) : count, offset);
    if (hit)
        die();
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return pwrite64(fd, bytes, count, offset);
}

#define CALL_ON_FD(name, word, parameters, arguments) \
    int name parameters \
    { \
        static int(*next) parameters; \
        int hit = strikes_fd(word, fd); \
        int result; \
        if (next == NULL) \
            next = real(#name); \
        result = next arguments; \
        if (hit) \
            die(); \
        return result; \
    }

CALL_ON_FD(fsync, "fsync", (int fd), (fd))
CALL_ON_FD(fdatasync, "fdatasync", (int fd), (fd))
CALL_ON_FD(ftruncate, "ftruncate", (int fd, off_t length), (fd, length))
CALL_ON_FD(ftruncate64, "ftruncate", (int fd, off64_t length), (fd, length))

int rename(const char *from, const char *to)
{
    static int (*next)(const char *, const char *);
    int hit = strikes("rename", to);
    int result;

    if (next == NULL)
        next = real("rename");
    result = next(from, to);
    if (hit)
        die();
    return result;
}

int unlink(const char *path)
{
    static int (*next)(const char *);
    int hit = strikes("unlink", path);
    int result;

    if (next == NULL)
        next = real("unlink");
    result = next(path);
    if (hit)
        die();
    return result;
}
