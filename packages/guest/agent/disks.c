#define _GNU_SOURCE
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char failure[256];

static const char *failed(const char *what) {
  snprintf(failure, sizeof failure, "%s: %s", what, strerror(errno));
  return failure;
}

/* The host names each disk by its virtio-blk serial; letters depend on probing order. */
bool disks_find(const char *serial, char *device, size_t size) {
  DIR *blocks = opendir("/sys/block");
  if (blocks == NULL) return false;
  bool found = false;
  struct dirent *entry;
  while (!found && (entry = readdir(blocks)) != NULL) {
    if (strncmp(entry->d_name, "vd", 2) != 0) continue;
    char path[300], value[64];
    snprintf(path, sizeof path, "/sys/block/%s/serial", entry->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, value, sizeof value - 1);
    if (fd >= 0) close(fd);
    if (length < 0) continue;
    value[length] = '\0';
    value[strcspn(value, "\n")] = '\0';
    if (strcmp(value, serial) != 0) continue;
    found = snprintf(device, size, "/dev/%s", entry->d_name) < (int)size;
  }
  closedir(blocks);
  return found;
}

void disks_make_directories(const char *path) {
  char partial[256];
  snprintf(partial, sizeof partial, "%s", path);
  for (char *slash = strchr(partial + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(partial, 0755);
    *slash = '/';
  }
  mkdir(partial, 0755);
}

/* Read-only squashfs below, memory above: programs may write anywhere, nothing survives. */
static const char *overlay_root(const char *device) {
  mkdir("/lower", 0755);
  mkdir("/upper", 0755);
  mkdir("/root", 0755);
  if (mount(device, "/lower", "squashfs", MS_RDONLY | MS_NODEV | MS_NOSUID, NULL) < 0)
    return failed("mount disk runtime (is it a squashfs image?)");
  if (mount("tmpfs", "/upper", "tmpfs", MS_NODEV | MS_NOSUID, "mode=0755") < 0) return failed("mount tmpfs");
  mkdir("/upper/data", 0755);
  mkdir("/upper/work", 0755);
  if (mount("overlay", "/root", "overlay", MS_NODEV | MS_NOSUID,
            "lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work") < 0)
    return failed("mount overlay");
  const char *moved[] = {"dev", "proc", "sys"};
  for (size_t i = 0; i < 3; i++) {
    char from[16], to[24];
    snprintf(from, sizeof from, "/%s", moved[i]);
    snprintf(to, sizeof to, "/root/%s", moved[i]);
    mkdir(to, 0755);
    if (mount(from, to, NULL, MS_MOVE, NULL) < 0) return failed("move kernel file systems");
  }
  if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
    return failed("switch root");
  return NULL;
}

const char *disks_prepare(void) {
  char device[32];
  if (disks_find("runtime", device, sizeof device)) {
    const char *reason = overlay_root(device);
    if (reason != NULL) return reason;
  }
  mkdir("/tmp", 01777);
  chmod("/tmp", 01777);
  mkdir("/run", 0755);
  disks_make_directories("/home/app");
  if (chown("/home/app", PROGRAM_UID, PROGRAM_UID) < 0) return failed("chown /home/app");
  mkdir("/code", 0755);
  /* Where programs of the first runtimes look for themselves. */
  disks_make_directories("/opt");
  symlink("/code", "/opt/code");
  if (disks_find("code", device, sizeof device) &&
      mount(device, "/code", "squashfs", MS_RDONLY | MS_NODEV | MS_NOSUID, NULL) < 0)
    return failed("mount disk code (is it a squashfs image?)");
  return NULL;
}
