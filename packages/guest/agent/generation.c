#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint32_t *counter;

void generation_init(void) {
  int fd = open(GENERATION_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
  if (fd < 0 || ftruncate(fd, sizeof *counter) < 0) give_up(GENERATION_FILE ": %s", strerror(errno));
  void *mapped = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) give_up(GENERATION_FILE ": %s", strerror(errno));
  close(fd);
  counter = mapped;
}

void generation_next(void) { atomic_fetch_add(counter, 1); }
