#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* Memory mounts hold the writable side of copy-on-write volumes. */
#define COW_FOLDER "/run/aleph"
/* EXT4_IOC_RESIZE_FS, which older headers lack. */
#define RESIZE_EXT4 _IOW('f', 16, uint64_t)
#define MAX_OPEN_FOLDERS 32

static char failure[384];

static const char *failed(const char *path) {
  snprintf(failure, sizeof failure, "mount %s: %s", path, strerror(errno));
  return failure;
}

static const char *give_to_program(const char *path) {
  return chown(path, PROGRAM_UID, PROGRAM_UID) < 0 ? failed(path) : NULL;
}

static const char *mount_memory(const char *path, const char *mib) {
  char options[64];
  char *end;
  long size = strtol(mib, &end, 10);
  if (*end != '\0' || size < 1 || size > 1 << 20) return "mount: size must be a number of MiB";
  snprintf(options, sizeof options, "size=%ldm,mode=0755", size);
  if (mount("tmpfs", path, "tmpfs", MS_NODEV | MS_NOSUID, options) < 0) return failed(path);
  return give_to_program(path);
}

/* The image below, memory above: the program may write, nothing survives. */
static const char *mount_copy_on_write(const char *device, const char *path, const char *type) {
  static int count;
  char base[64], lower[80], upper[80], work[80], options[300];
  snprintf(base, sizeof base, COW_FOLDER "/%d", count++);
  snprintf(lower, sizeof lower, "%s/lower", base);
  snprintf(upper, sizeof upper, "%s/memory/upper", base);
  snprintf(work, sizeof work, "%s/memory", base);
  disks_make_directories(lower);
  disks_make_directories(work);
  if (mount(device, lower, type, MS_RDONLY | MS_NODEV | MS_NOSUID, NULL) < 0 ||
      mount("tmpfs", work, "tmpfs", MS_NODEV | MS_NOSUID, "mode=0755") < 0)
    return failed(path);
  snprintf(work, sizeof work, "%s/memory/work", base);
  if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0) return failed(path);
  snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
  if (mount("overlay", path, "overlay", MS_NODEV | MS_NOSUID, options) < 0) return failed(path);
  return give_to_program(path);
}

/* Lets a mounted ext4 file system use all of its disk. */
static bool grow(const char *device, const char *path) {
  int disk = open(device, O_RDONLY | O_CLOEXEC), folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct statfs facts;
  uint64_t bytes;
  bool done = false;
  if (disk >= 0 && folder >= 0 && ioctl(disk, BLKGETSIZE64, &bytes) == 0 && fstatfs(folder, &facts) == 0) {
    uint64_t blocks = bytes / (uint64_t)facts.f_bsize;
    done = ioctl(folder, RESIZE_EXT4, &blocks) == 0;
  }
  int reason = errno;
  close(disk);
  close(folder);
  errno = reason;
  return done;
}

static int give_one(const char *path, const struct stat *facts, int type, struct FTW *place) {
  (void)type;
  (void)place;
  return facts->st_uid == 0 ? lchown(path, PROGRAM_UID, PROGRAM_UID) : 0;
}

/*
 * A disk that began as a published image: it is larger than its file system, and what belongs to root in it belongs to
 * the program, which was root where such images were made for. The topmost folder comes last, and says it was done.
 */
static const char *take_over(const char *device, const char *path) {
  struct stat top;
  if (!grow(device, path)) say("the file system at %s does not grow to its disk: %s", path, strerror(errno));
  if (stat(path, &top) < 0) return failed(path);
  if (top.st_uid == PROGRAM_UID) return NULL;
  if (nftw(path, give_one, MAX_OPEN_FOLDERS, FTW_PHYS | FTW_MOUNT | FTW_DEPTH) != 0) return failed(path);
  return give_to_program(path);
}

const char *mounts_add(const char *specification) {
  static char copy[512];
  if (snprintf(copy, sizeof copy, "%s", specification) >= (int)sizeof copy) return "mount: specification too long";
  char *rest = copy;
  const char *serial = strsep(&rest, ":"), *path = strsep(&rest, ":");
  const char *type = strsep(&rest, ":"), *mode = strsep(&rest, ":");
  if (mode == NULL || rest != NULL || path[0] != '/' || strstr(path, "/..") != NULL)
    return "mount: expected device:path:fstype:mode";
  disks_make_directories(path);
  if (strcmp(type, "tmpfs") == 0) return mount_memory(path, mode);
  char device[32];
  if (!disks_find(serial, device, sizeof device)) {
    snprintf(failure, sizeof failure, "mount: no disk with serial %s", serial);
    return failure;
  }
  if (strcmp(mode, "cow") == 0) return mount_copy_on_write(device, path, type);
  bool grows = strcmp(mode, "grow") == 0, writable = grows || strcmp(mode, "rw") == 0;
  if (mount(device, path, type, (writable ? 0 : MS_RDONLY) | MS_NODEV | MS_NOSUID, NULL) < 0) return failed(path);
  if (grows) return take_over(device, path);
  return writable ? give_to_program(path) : NULL;
}
