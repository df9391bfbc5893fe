#define _GNU_SOURCE
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of the year 9999. */
#define LAST_SECOND 253402300799

static void mount_or_give_up(const char *type, const char *path, unsigned long flags, const char *data) {
  mkdir(path, 0755);
  if (mount(type, path, type, flags, data) < 0) give_up("mount %s: %s", path, strerror(errno));
}

void system_mount_kernel_filesystems(void) {
  mount_or_give_up("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
  mount_or_give_up("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_or_give_up("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_or_give_up("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
  mount_or_give_up("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,ptmxmode=0666");
  symlink("/proc/self/fd", "/dev/fd");
  symlink("/proc/self/fd/0", "/dev/stdin");
  symlink("/proc/self/fd/1", "/dev/stdout");
  symlink("/proc/self/fd/2", "/dev/stderr");
}

/* A list has file names, each after all that it needs. */
void system_load_modules(const char *list) {
  char name[128], order_path[64];
  snprintf(order_path, sizeof order_path, "/modules/%s", list);
  FILE *order = fopen(order_path, "re");
  if (order == NULL) return; /* a kernel with everything built in */
  while (fgets(name, sizeof name, order) != NULL) {
    name[strcspn(name, "\n")] = '\0';
    char path[160];
    snprintf(path, sizeof path, "/modules/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
      say("module %s: %s", name, strerror(errno));
    if (fd >= 0) close(fd);
    unlink(path);
  }
  fclose(order);
}

bool system_read_line(const char *path, char *line, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, line, size - 1);
  if (fd >= 0) close(fd);
  if (length < 0) return false;
  line[length] = '\0';
  line[strcspn(line, "\n")] = '\0';
  return true;
}

static long virtio_number(const char *name) { return strtol(name + strcspn(name, "0123456789"), NULL, 10); }

size_t system_count_virtio(unsigned kind, const char *name) {
  DIR *devices = opendir("/sys/bus/virtio/devices");
  if (devices == NULL) return 0;
  size_t count = 0;
  struct dirent *entry;
  while ((entry = readdir(devices)) != NULL) {
    char path[320], value[16];
    if (entry->d_name[0] == '.' || (name != NULL && virtio_number(entry->d_name) >= virtio_number(name))) continue;
    snprintf(path, sizeof path, "/sys/bus/virtio/devices/%s/device", entry->d_name);
    if (system_read_line(path, value, sizeof value) && strtoul(value, NULL, 16) == kind) count++;
  }
  closedir(devices);
  return count;
}

void system_loopback_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo"};
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0) give_up("loopback: %s", strerror(errno));
  request.ifr_flags |= IFF_UP;
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) give_up("loopback: %s", strerror(errno));
  close(fd);
}

bool system_set_hostname(const char *name) {
  size_t length = strlen(name);
  return length > 0 && length <= 64 && sethostname(name, length) == 0;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool system_add_entropy(const char *hex) {
  struct {
    struct rand_pool_info info;
    unsigned char bytes[512];
  } pool = {0};
  size_t length = strlen(hex);
  if (length < 32 || length % 2 != 0 || length / 2 > sizeof pool.bytes) return false;
  for (size_t i = 0; i < length; i += 2) {
    int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    ((unsigned char *)pool.info.buf)[i / 2] = (unsigned char)(high << 4 | low);
  }
  pool.info.buf_size = (int)(length / 2);
  pool.info.entropy_count = (int)(length / 2 * 8);
  /* Stays open: a clone of a snapshot has less to do then. */
  static int fd = -1;
  if (fd < 0) fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
  bool done = fd >= 0 && ioctl(fd, RNDADDENTROPY, &pool) == 0 && ioctl(fd, RNDRESEEDCRNG) == 0;
  explicit_bzero(&pool, sizeof pool);
  return done;
}

bool system_set_time(const char *seconds) {
  struct timespec now = {0};
  const char *at = seconds;
  for (; *at >= '0' && *at <= '9'; at++) {
    now.tv_sec = now.tv_sec * 10 + (*at - '0');
    if (now.tv_sec > LAST_SECOND) return false;
  }
  if (at == seconds) return false;
  if (*at == '.') at++;
  for (long unit = 100000000; *at >= '0' && *at <= '9'; at++, unit /= 10) now.tv_nsec += (*at - '0') * unit;
  return *at == '\0' && clock_settime(CLOCK_REALTIME, &now) == 0;
}

void system_power_off(void) {
  sync();
  /* Firecracker ends with a reset: it has nothing that cuts the power. */
  if (!port_is_vsock()) reboot(RB_POWER_OFF);
  reboot(RB_AUTOBOOT);
  _exit(1);
}
