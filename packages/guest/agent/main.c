#include "agent.h"

#include <sys/stat.h>
#include <unistd.h>

int main(void) {
  if (getpid() != 1) {
    say("the guest agent is the init of a microVM, not a command");
    return 1;
  }
  umask(022);
  system_mount_kernel_filesystems();
  console_open();
  system_load_modules();
  system_loopback_up();
  loop_init();
  generation_init();
  program_init();
  control_init();
  channel_init();
  loop_run();
}
