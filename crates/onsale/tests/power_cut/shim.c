/* Logs what a process does to its files, and the moment before it says something.
 *
 * Loaded with LD_PRELOAD into the program under test. Every call that changes files under
 * ONSALE_TEST_ROOT is carried out and then appended to the file ONSALE_TEST_LOG as one record; a sync is
 * logged as it begins and as it ends, and is not carried out but takes ONSALE_TEST_SYNC_MS instead, since
 * disks are rebuilt from the log; what goes to a socket, or to standard output, is logged before it is sent.
 * A record is written with one call to a file opened with O_APPEND, so that the log is in one order, and
 * whatever a thread knows to have happened stands before what it does next.
 *
 * Shared memory (-shm of SQLite) is mapped and not seen; it is made anew from the log after a crash. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind {
    WRITE = 1, TRUNCATE = 2, SYNC_BEGIN = 3, SYNC_END = 4, CREATE = 5, RENAME = 6, LINK = 7, UNLINK = 8,
    MAKE_FOLDER = 9, SEND = 10, SAY = 11
};

struct head {
    uint32_t kind, pid, path_bytes, second_path_bytes;
    uint64_t offset, bytes;
};

#define PARTS_MAX 64

static const char *root, *log_path;
static size_t root_bytes;
static long sync_ms;
static int log_file = -1;

__attribute__((constructor)) static void start(void) {
    root = getenv("ONSALE_TEST_ROOT");
    log_path = getenv("ONSALE_TEST_LOG");
    const char *ms = getenv("ONSALE_TEST_SYNC_MS");
    sync_ms = ms ? atol(ms) : 0;
    if (!root || !log_path) return;
    root_bytes = strlen(root);
    log_file = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static int is_ours(const char *path) {
    return log_file >= 0 && strncmp(path, root, root_bytes) == 0 && (path[root_bytes] == '/' || !path[root_bytes]);
}

/* The file's path as it is now; 0 if it is none of ours. */
static int path_of(int fd, char *path) {
    char link[64] = "/proc/self/fd/", digits[16];
    int count = 0, at = (int)strlen(link);
    if (fd < 0 || log_file < 0) return 0;
    do digits[count++] = (char)('0' + fd % 10); while ((fd /= 10));
    while (count) link[at++] = digits[--count];
    link[at] = 0;
    ssize_t bytes = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (bytes <= 0) return 0;
    path[bytes] = 0;
    return is_ours(path);
}

/* A path as a call has it, made absolute; 0 if it is none of ours. */
static int whole_path(int folder, const char *name, char *path) {
    size_t bytes = 0;
    if (log_file < 0 || !name) return 0;
    if (name[0] != '/') {
        if (folder == AT_FDCWD) {
            if (syscall(SYS_getcwd, path, PATH_MAX) < 0) return 0;
        } else if (!path_of(folder, path)) {
            return 0;
        }
        bytes = strlen(path);
        path[bytes++] = '/';
    }
    if (bytes + strlen(name) >= PATH_MAX) return 0;
    strcpy(path + bytes, name);
    return is_ours(path);
}

static void note(enum kind kind, const char *path, const char *second, uint64_t offset, const struct iovec *data,
                 int parts, uint64_t bytes) {
    struct iovec record[PARTS_MAX + 3];
    int before = errno, count = 0;
    struct head head = {kind, (uint32_t)getpid(), (uint32_t)strlen(path), (uint32_t)strlen(second), offset, 0};
    record[count++] = (struct iovec){&head, sizeof head};
    record[count++] = (struct iovec){(void *)path, head.path_bytes};
    record[count++] = (struct iovec){(void *)second, head.second_path_bytes};
    /* Only what was done of it. */
    for (int part = 0; part < parts && part < PARTS_MAX && head.bytes < bytes; part++) {
        size_t length = data[part].iov_len;
        if (length > bytes - head.bytes) length = (size_t)(bytes - head.bytes);
        record[count++] = (struct iovec){data[part].iov_base, length};
        head.bytes += length;
    }
    syscall(SYS_writev, log_file, record, count);
    errno = before;
}

static uint64_t total(const struct iovec *data, int parts) {
    uint64_t bytes = 0;
    for (int part = 0; part < parts && part < PARTS_MAX; part++) bytes += data[part].iov_len;
    return bytes;
}

static int is_socket(int fd) {
    struct stat status;
    return log_file >= 0 && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static void note_said(int fd, const struct iovec *data, int parts) {
    if (fd == STDOUT_FILENO && log_file >= 0) note(SAY, "", "", 0, data, parts, total(data, parts));
    else if (is_socket(fd)) note(SEND, "", "", 0, data, parts, total(data, parts));
}

static void note_written(int fd, int64_t offset, const struct iovec *data, int parts, ssize_t done) {
    char path[PATH_MAX];
    if (done <= 0 || !path_of(fd, path)) return;
    if (offset < 0) offset = lseek(fd, 0, SEEK_CUR) - done;
    note(WRITE, path, "", (uint64_t)offset, data, parts, (uint64_t)done);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    struct iovec data = {(void *)bytes, length};
    note_said(fd, &data, 1);
    ssize_t done = syscall(SYS_write, fd, bytes, length);
    note_written(fd, -1, &data, 1, done);
    return done;
}

ssize_t writev(int fd, const struct iovec *data, int parts) {
    note_said(fd, data, parts);
    ssize_t done = syscall(SYS_writev, fd, data, parts);
    note_written(fd, -1, data, parts, done);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    struct iovec data = {(void *)bytes, length};
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, length, offset);
    note_written(fd, offset, &data, 1, done);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    return sendto(fd, bytes, length, flags, NULL, 0);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
    struct iovec data = {(void *)bytes, length};
    note_said(fd, &data, 1);
    return syscall(SYS_sendto, fd, bytes, length, flags, to, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    note_said(fd, message->msg_iov, (int)message->msg_iovlen);
    return syscall(SYS_sendmsg, fd, message, flags);
}

int ftruncate64(int fd, off64_t length) {
    char path[PATH_MAX];
    int done = (int)syscall(SYS_ftruncate, fd, length);
    if (done == 0 && path_of(fd, path)) note(TRUNCATE, path, "", (uint64_t)length, NULL, 0, 0);
    return done;
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

static int sync_file(int fd) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return (int)syscall(SYS_fdatasync, fd);
    note(SYNC_BEGIN, path, "", 0, NULL, 0, 0);
    struct timespec pause = {sync_ms / 1000, sync_ms % 1000 * 1000000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {}
    note(SYNC_END, path, "", 0, NULL, 0, 0);
    return 0;
}

int fsync(int fd) {
    return sync_file(fd);
}

int fdatasync(int fd) {
    return sync_file(fd);
}

static int open_file(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    int is_named = (flags & O_CREAT) && whole_path(folder, name, path);
    int is_new = is_named && syscall(SYS_faccessat, folder, name, F_OK) != 0;
    int fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (fd >= 0 && is_new) note(CREATE, path, "", 0, NULL, 0, 0);
    if (fd >= 0 && !is_new && (flags & O_TRUNC) && path_of(fd, path)) note(TRUNCATE, path, "", 0, NULL, 0, 0);
    return fd;
}

#define MODE(flags, mode) \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open64(const char *name, int flags, ...) {
    mode_t mode = 0;
    MODE(flags, mode)
    return open_file(AT_FDCWD, name, flags, mode);
}

int open(const char *name, int flags, ...) {
    mode_t mode = 0;
    MODE(flags, mode)
    return open_file(AT_FDCWD, name, flags, mode);
}

int openat64(int folder, const char *name, int flags, ...) {
    mode_t mode = 0;
    MODE(flags, mode)
    return open_file(folder, name, flags, mode);
}

int openat(int folder, const char *name, int flags, ...) {
    mode_t mode = 0;
    MODE(flags, mode)
    return open_file(folder, name, flags, mode);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    char before[PATH_MAX], after[PATH_MAX];
    int is_named = whole_path(from_folder, from, before) && whole_path(to_folder, to, after);
    int done = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
    if (done == 0 && is_named) note(RENAME, before, after, 0, NULL, 0, 0);
    return done;
}

int rename(const char *from, const char *to) {
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    char before[PATH_MAX], after[PATH_MAX];
    int is_named = whole_path(from_folder, from, before) && whole_path(to_folder, to, after);
    int done = (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
    if (done == 0 && is_named) note(LINK, before, after, 0, NULL, 0, 0);
    return done;
}

int link(const char *from, const char *to) {
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    int is_named = whole_path(folder, name, path);
    int done = (int)syscall(SYS_unlinkat, folder, name, flags);
    if (done == 0 && is_named) note(UNLINK, path, "", 0, NULL, 0, 0);
    return done;
}

int unlink(const char *name) {
    return unlinkat(AT_FDCWD, name, 0);
}

int mkdirat(int folder, const char *name, mode_t mode) {
    char path[PATH_MAX];
    int is_named = whole_path(folder, name, path);
    int done = (int)syscall(SYS_mkdirat, folder, name, mode);
    if (done == 0 && is_named) note(MAKE_FOLDER, path, "", 0, NULL, 0, 0);
    return done;
}

int mkdir(const char *name, mode_t mode) {
    return mkdirat(AT_FDCWD, name, mode);
}

/* What would change files unseen ends the test loudly instead. */
static int unseen(int fd, const char *call) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return 0;
    struct iovec data = {(void *)call, strlen(call)};
    note(SAY, path, "unseen", 0, &data, 1, data.iov_len);
    errno = ENOSYS;
    return -1;
}

ssize_t pwritev64(int fd, const struct iovec *data, int parts, off64_t offset) {
    if (unseen(fd, "pwritev")) return -1;
    return syscall(SYS_pwritev, fd, data, parts, offset, 0);
}

ssize_t pwritev(int fd, const struct iovec *data, int parts, off_t offset) {
    return pwritev64(fd, data, parts, offset);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    if (unseen(fd, "fallocate")) return -1;
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
    return fallocate64(fd, mode, offset, length);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    return unseen(fd, "posix_fallocate") ? ENOSYS : (int)syscall(SYS_fallocate, fd, 0, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length) {
    return posix_fallocate64(fd, offset, length);
}
