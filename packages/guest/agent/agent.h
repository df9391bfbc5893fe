/*
 * The guest agent: PID 1 of every microVM. It prepares the machine, runs one program as an
 * unprivileged user and carries that program's connections over a single channel to the host.
 * Everything runs on one thread around one epoll loop.
 */
#ifndef ALEPH_AGENT_H
#define ALEPH_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AGENT_VERSION "3.2"
#define PROGRAM_UID 1000
#define PROGRAM_PORT 8080
/* Abstract, whatever is mounted where. Runtimes listen there besides, because TCP costs several times as much. */
#define PROGRAM_SOCKET "@aleph/program"
#define EGRESS_PORT 3128
#define API_SOCKET "/tmp/socat-socket"
#define GENERATION_FILE "/dev/shm/aleph-generation"

/* ---- loop.c: one epoll loop ---- */

/* Embed as the first member of whatever owns the descriptor. */
struct watcher {
  int fd;
  uint32_t events; /* what epoll currently reports, 0 when not registered */
  void (*on_event)(struct watcher *watcher, uint32_t events);
};

void loop_init(void);
/* Asks for `events`; 0 takes the descriptor out of the loop (so a hang-up cannot spin it). */
void loop_watch(struct watcher *watcher, uint32_t events);
/* Sets the timer of a watched timerfd; 0 stops it. */
void loop_set_timer(struct watcher *timer, long first_ms, long interval_ms);
void loop_run(void) __attribute__((noreturn));

/* ---- console.c: the agent's own lines in the VM's log ---- */

void console_open(void);
/* The descriptor that programs inherit as standard output and error. */
int console_fd(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says why and powers off: for what cannot be reported over the channel. */
void give_up(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* ---- system.c: kernel services ---- */

void system_mount_kernel_filesystems(void);
/* Loads what a list in /modules names, in its order. */
void system_load_modules(const char *list);
void system_loopback_up(void);
/* The first line of a small file, without its end. */
bool system_read_line(const char *path, char *line, size_t size);
/*
 * How many virtio devices of this kind the machine has, whether or not a driver has them; with `name`, such as
 * `virtio3`, only those that stand before it.
 */
size_t system_count_virtio(unsigned kind, const char *name);
bool system_set_hostname(const char *name);
bool system_add_entropy(const char *hex);
bool system_set_time(const char *seconds);
void system_power_off(void) __attribute__((noreturn));

/* ---- disks.c: virtio-blk disks and the root file system ---- */

/* Makes the disk `runtime` the root. NULL when all went well, else the reason. */
const char *disks_prepare(void);
/*
 * Lets go of every disk but the runtime's: a machine restored from a snapshot taken now may have other disks in
 * the same places.
 */
const char *disks_release(void);
/* Takes up the disks that were released, and mounts `code`. */
const char *disks_take(void);
/* The host names each disk, by its virtio-blk serial or by its slot; letters depend on probing order. */
bool disks_find(const char *serial, char *device, size_t size);
void disks_make_directories(const char *path);

/* ---- mounts.c: volumes ---- */

/*
 * "device:path:fstype:mode": device is a disk serial and mode ro, rw, or cow (writes go to memory), or
 * "tmpfs:path:tmpfs:<MiB>". NULL when mounted, else the reason.
 */
const char *mounts_add(const char *specification);

/* ---- port.c: the one way to the host, a virtio-serial port or a vsock connection ---- */

#define PORT_NAME "aleph.channel"
#define VSOCK_PORT 52

/* Whether the machine has a vsock, whose drivers are loaded for it alone. */
bool port_is_vsock(void);
/* Listens at the vsock port, or takes the virtio-serial port. */
void port_init(void);
/* As read and write; 0 or less: nothing now, and an event will come. */
ssize_t port_read(void *buffer, size_t size);
ssize_t port_write(const void *bytes, size_t length);
/* A host has said hello: a hang-up seen before was that of an earlier one. */
void port_settle(void);

/* ---- channel.c: frames over the port ---- */

enum frame_type {
  FRAME_PADDING = 0x00,
  FRAME_HELLO = 0x01,
  FRAME_CONTROL = 0x02,
  FRAME_EVENT = 0x03,
  FRAME_OPEN = 0x10,
  FRAME_DATA = 0x11,
  FRAME_END = 0x12,
  FRAME_RESET = 0x13,
  FRAME_WINDOW = 0x14,
};

#define FRAME_HEADER 9
#define FRAME_MAX_PAYLOAD 65536

/* Takes in what the port has. */
void channel_receive(void);
/* Starts a session: what was queued for an earlier host is dropped. */
void channel_begin_session(void);
/* The host is gone: resets every stream and forgets a frame left unfinished. */
void channel_end_session(void);
/* Queues a frame; dropped when no host has said hello. */
void channel_send(uint8_t type, uint32_t stream, const void *payload, size_t length);
/* True while so much is queued that streams should stop reading from their sockets. */
bool channel_is_congested(void);
/* Writes what the port takes. Called once per turn of the loop. */
void channel_flush(void);

/* ---- connect.c: connections to servers inside the guest ---- */

/* Whether something listens on the program's port; where else it does is remembered for `connect_to`. */
bool connect_finds_program(void);
/* A connection to a port of this guest, `connecting` until it takes bytes; -1 with errno. */
int connect_to(uint16_t port, bool *connecting);

/* ---- streams.c: connections inside the guest, carried over the channel ---- */

void streams_on_frame(uint8_t type, uint32_t id, const uint8_t *payload, size_t length);
void streams_reset_all(void);
/* Takes up reading again after congestion, frees what ended. Called once per turn of the loop. */
void streams_settle(void);
/* Has the host take a connection that the program made to `destination`, as the host calls it; takes over `fd`. */
void streams_offer(int fd, const char *destination);
/* Connects to the program ahead of the first stream to it, which then takes this connection; false with errno. */
bool streams_open_spare(void);

/* ---- outgoing.c: where programs connect to, to reach the host ---- */

bool outgoing_listen_for_egress(void);
/* Offers the node's own API to programs, by HTTP over a unix socket. */
bool outgoing_listen_for_api(void);

/* ---- spare.c: a connection to the program that a snapshot holds, for the first stream of a clone ---- */

/* NULL, or why not; `done` runs when the program has taken it and sleeps again. */
const char *spare_open(void (*done)(void));

/* ---- control.c: verbs of the host, events of the guest ---- */

/* Mounts the disks; a failure is told to the host at hello and at start. */
void control_init(void);
void control_on_frame(const uint8_t *payload, size_t length);
/* Sends an event: a verb, then key, value, …, NULL. */
void control_event(const char *verb, ...) __attribute__((sentinel));

/* Tells the host that the program ended; completes a halt under way. */
void control_on_program_exit(const char *code, const char *signal);

/* ---- program.c: the one program ---- */

enum program_state { PROGRAM_IDLE, PROGRAM_STARTING, PROGRAM_READY, PROGRAM_EXITED };

void program_init(void);
/* Each returns NULL, or why it was refused. */
const char *program_add_env(const char *name, const char *value);
const char *program_add_argument(const char *argument);
const char *program_set_directory(const char *directory);
const char *program_set_entrypoint(const char *entrypoint);
const char *program_start(void);
/* Asks the program and its children to end. */
void program_stop(void);
enum program_state program_state(void);
const char *program_state_name(void);
/* Whether the program's process waits for something at this moment. */
bool program_sleeps(void);
/*
 * Starts the runtime's own process before its program is known, if the runtime says that it can wait for one; a
 * snapshot then holds what every program of this runtime needs. `done` runs when the process waits, or at once.
 */
const char *program_start_ahead(void (*done)(void));

/* ---- child.c: a process of the program's user ---- */

struct child {
  char *const *argv, *const *environment;
  const char *directory;
  /* What a waiting runtime reads its program from; -1: none. */
  int handover;
};

/* Starts it and has its renewal socket watched. 0, or the errno that says why it does not run. */
int child_start(struct child child, pid_t *pid);
/* Moves a descriptor clear of those that a child takes. */
int child_descriptor(int fd);

/* ---- generation.c: a counter in a file that programs map, another one in every clone of a snapshot ---- */

void generation_init(void);
void generation_next(void);

/* ---- renewal.c: fresh random state for a program restored from a snapshot ---- */

void renewal_init(void);
/* Takes over the socket to the program. */
void renewal_watch(int fd);
/* Calls `done` when the program has registered, or is gone. */
void renewal_on_registration(void (*done)(void));
void renewal_forget(void);
/* Asks a program that registered for it to renew its random state; `done` runs when it has. */
void renewal_ask(void (*done)(void));
/* Asks it to run through what serving a request takes, without a request; `done` runs when it has. */
void rehearsal_ask(void (*done)(void));

/* ---- runtime.c: /aleph/runtime.json of the runtime image ---- */

struct runtime_sink {
  const char *(*argument)(const char *argument);
  const char *(*env)(const char *name, const char *value);
  /* Set when the runtime's process can be started before its program is known; may be NULL. */
  bool *waits;
};

/* Reads `command`, `env` and `waits` into the sink. NULL, or why not. A missing file is an empty runtime. */
const char *runtime_read(const struct runtime_sink *sink);

#endif
