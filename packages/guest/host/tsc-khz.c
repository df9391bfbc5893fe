/*
 * Prints the frequency of this machine's time stamp counter in kHz. An emulated guest reads the same counter but
 * cannot measure it reliably on a busy host, so the kernel is told.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct reading {
  uint64_t ticks;
  double nanoseconds;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Of many readings the one taken in the shortest time: it was not interrupted. */
static struct reading take(void) {
  struct reading best = {0};
  double shortest = 1e18;
  for (int i = 0; i < 1000; i++) {
    double before = now();
    uint64_t ticks = __rdtsc();
    double after = now();
    if (after - before >= shortest) continue;
    shortest = after - before;
    best = (struct reading){ticks, (before + after) / 2};
  }
  return best;
}

int main(void) {
  struct reading first = take();
  struct timespec pause = {.tv_nsec = 200000000};
  nanosleep(&pause, NULL);
  struct reading last = take();
  printf("%.0f\n", (double)(last.ticks - first.ticks) / (last.nanoseconds - first.nanoseconds) * 1e6);
  return 0;
}
