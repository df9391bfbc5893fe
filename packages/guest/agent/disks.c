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

#include <linux/virtio_ids.h>

#define MAX_RELEASED 64
#define DISKS_ARGUMENT "aleph.disks="
#define DRIVER "/sys/bus/virtio/drivers/virtio_blk/"

static char failure[256];
/* Names of virtio devices without their driver, such as `virtio3`. */
static char released[MAX_RELEASED][16];
static size_t released_count;
static bool code_mounted;
/* Names of the disks in the order of their slots, where the kernel's arguments tell them. */
static char slots[1024];

static const char *failed(const char *what) {
  snprintf(failure, sizeof failure, "%s: %s", what, strerror(errno));
  return failure;
}

/* Name of the disk's virtio device, such as `virtio3`. */
static bool find_virtio(const char *block, char *name, size_t size) {
  char path[300], target[300];
  snprintf(path, sizeof path, "/sys/block/%s/device", block);
  ssize_t length = readlink(path, target, sizeof target - 1);
  if (length < 0) return false;
  target[length] = '\0';
  const char *slash = strrchr(target, '/');
  return snprintf(name, size, "%s", slash == NULL ? target : slash + 1) < (int)size;
}

/* Firecracker gives disks serials of its own: there the kernel's arguments name them, in the order of their slots. */
static void read_slots(void) {
  char arguments[4096];
  if (!system_read_line("/proc/cmdline", arguments, sizeof arguments)) return;
  const char *names = strstr(arguments, DISKS_ARGUMENT);
  if (names == NULL) return;
  names += strlen(DISKS_ARGUMENT);
  snprintf(slots, sizeof slots, "%.*s", (int)strcspn(names, " "), names);
}

static bool name_of_slot(const char *block, char *serial, size_t size) {
  char device[16];
  if (slots[0] == '\0' || !find_virtio(block, device, sizeof device)) return false;
  const char *name = slots;
  for (size_t slot = system_count_virtio(VIRTIO_ID_BLOCK, device); slot > 0; slot--) {
    name = strchr(name, ',');
    if (name == NULL) return false;
    name++;
  }
  snprintf(serial, size, "%.*s", (int)strcspn(name, ","), name);
  return true;
}

static bool read_serial(const char *block, char *serial, size_t size) {
  char path[300];
  if (name_of_slot(block, serial, size)) return true;
  snprintf(path, sizeof path, "/sys/block/%s/serial", block);
  return system_read_line(path, serial, size);
}

bool disks_find(const char *serial, char *device, size_t size) {
  DIR *blocks = opendir("/sys/block");
  if (blocks == NULL) return false;
  bool found = false;
  struct dirent *entry;
  while (!found && (entry = readdir(blocks)) != NULL) {
    if (strncmp(entry->d_name, "vd", 2) != 0) continue;
    char value[64];
    if (!read_serial(entry->d_name, value, sizeof value) || strcmp(value, serial) != 0) continue;
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
  read_slots();
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
  rmdir("/opt/code");
  symlink("/code", "/opt/code");
  return NULL;
}

static bool tell_driver(const char *what, const char *device) {
  char path[96];
  snprintf(path, sizeof path, DRIVER "%s", what);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool done = write(fd, device, strlen(device)) > 0;
  close(fd);
  return done;
}

/* Without its driver a device keeps nothing of the disk: size, serial and rights are read anew when it comes back. */
const char *disks_release(void) {
  DIR *blocks = opendir("/sys/block");
  if (blocks == NULL) return failed("prepare: /sys/block");
  const char *reason = NULL;
  struct dirent *entry;
  while (reason == NULL && (entry = readdir(blocks)) != NULL) {
    char serial[64];
    if (strncmp(entry->d_name, "vd", 2) != 0 || !read_serial(entry->d_name, serial, sizeof serial)) continue;
    if (strcmp(serial, "runtime") == 0) continue;
    if (released_count == MAX_RELEASED || !find_virtio(entry->d_name, released[released_count], sizeof *released)) {
      reason = "prepare: a disk could not be released";
      continue;
    }
    if (tell_driver("unbind", released[released_count]))
      released_count++;
    else
      reason = failed("prepare: a disk could not be released");
  }
  closedir(blocks);
  return reason;
}

const char *disks_take(void) {
  for (; released_count > 0; released_count--)
    if (!tell_driver("bind", released[released_count - 1])) return failed("a disk could not be taken up");
  char device[32];
  if (code_mounted || !disks_find("code", device, sizeof device)) return NULL;
  if (mount(device, "/code", "squashfs", MS_RDONLY | MS_NODEV | MS_NOSUID, NULL) < 0)
    return failed("mount disk code (is it a squashfs image?)");
  code_mounted = true;
  return NULL;
}
