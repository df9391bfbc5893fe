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
  system_load_modules("order");
  if (port_is_vsock()) system_load_modules("vsock");
  system_loopback_up();
  loop_init();
  generation_init();
  program_init();
  control_init();
  port_init();
  loop_run();
}
