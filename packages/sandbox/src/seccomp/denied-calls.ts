/** Number of a system call on x86_64 and on aarch64; null where the architecture has no such call. */
type CallNumbers = readonly [x64: number | null, arm64: number | null];

/**
 * Calls that fail with EPERM whatever their arguments. Numbers: Linux `arch/x86/entry/syscalls/syscall_64.tbl` and
 * `include/uapi/asm-generic/unistd.h`.
 */
export const DENIED_CALLS: Readonly<Record<string, CallNumbers>> = {
  // Memory that RLIMIT_DATA and the tmpfs limits do not see.
  memfd_create: [319, 279],
  memfd_secret: [447, 447],
  shmget: [29, 194],
  shmat: [30, 196],
  shmctl: [31, 195],
  semget: [64, 190],
  msgget: [68, 186],
  mq_open: [240, 180],
  vmsplice: [278, 75],
  // Signals that wake a frozen program: a timer or a message queue may send SIGCONT to a stopped process.
  timer_create: [222, 107],
  mq_notify: [244, 184],
  // Other processes.
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  // Mounts and namespaces.
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  statmount: [457, 457],
  listmount: [458, 458],
  open_tree_attr: [467, 467],
  unshare: [272, 97],
  setns: [308, 268],
  // Large attack surfaces that no program needs.
  bpf: [321, 280],
  perf_event_open: [298, 241],
  // Its queues come out of one number for the whole machine (fs.aio-max-nr).
  io_setup: [206, 0],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  userfaultfd: [323, 282],
  fanotify_init: [300, 262],
  fanotify_mark: [301, 263],
  lookup_dcookie: [212, 18],
  nfsservctl: [180, 42],
  modify_ldt: [154, null],
  uselib: [134, null],
  sysfs: [139, null],
  ustat: [136, null],
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  // Files by handle, and programs that have no path.
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  execveat: [322, 281],
  // The machine itself.
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  acct: [163, 89],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  syslog: [103, 116],
  vhangup: [153, 58],
  iopl: [172, null],
  ioperm: [173, null],
};

/** Calls that are judged by their arguments, or that fail otherwise than with EPERM. */
export const JUDGED_CALLS = {
  clone: [56, 220],
  clone3: [435, 435],
  fcntl: [72, 25],
  ioctl: [16, 29],
  mmap: [9, 222],
  personality: [135, 92],
  prctl: [157, 167],
  setsid: [112, 157],
  setsockopt: [54, 208],
  socket: [41, 198],
  socketpair: [53, 199],
} as const satisfies Readonly<Record<string, CallNumbers>>;
