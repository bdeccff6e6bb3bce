import { AppError } from '@code-executor/platform';
import { DENIED_CALLS, JUDGED_CALLS } from './denied-calls.ts';

type FilterArchitecture = 'x64' | 'arm64';

/**
 * The sandbox's one seccomp filter as raw `struct sock_filter[]` (8 bytes an instruction, little endian): what
 * `prctl(PR_SET_SECCOMP)` takes and what `bwrap --seccomp` reads. Everything not named in `denied-calls.ts` is allowed;
 * calls whose verdict does not hang on arguments cost nothing, since the kernel caches it per call.
 * Throws AppError SANDBOX_UNAVAILABLE for any other architecture than x64 and arm64.
 */
export function seccompFilter(architecture: string = process.arch): Buffer {
  if (architecture !== 'x64' && architecture !== 'arm64') {
    throw new AppError('SANDBOX_UNAVAILABLE', `There is no seccomp filter for the architecture ${architecture}`);
  }
  const column = architecture === 'x64' ? 0 : 1;
  const judged = (name: keyof typeof JUDGED_CALLS, verdict: Instruction[]): Instruction[] =>
    whenCallIs(JUDGED_CALLS[name][column], verdict);
  const program: Instruction[] = [
    load(OFFSET_ARCHITECTURE),
    jumpIfEqual(AUDIT_ARCHITECTURE[architecture], 1, 0),
    fail(ENOSYS),
    load(OFFSET_CALL),
    // x32 calls carry this bit and would slip past every number below.
    ...(architecture === 'x64' ? [jumpIfAtLeast(X32_BIT, 0, 1), fail(ENOSYS)] : []),
    ...judged('mmap', [
      load(argument(3)),
      jumpIfSet(MAP_HUGETLB, 3, 0),
      jumpIfSet(MAP_ANONYMOUS, 0, 1),
      jumpIfSet(MAP_SHARED, 1, 0),
      ALLOW,
      fail(EPERM),
    ]),
    ...judged('fcntl', [load(argument(1)), jumpIfEqual(F_SETSIG, 2, 0), jumpIfEqual(F_SETPIPE_SZ, 1, 0), ALLOW, fail(EPERM)]),
    ...judged('ioctl', [load(argument(1)), jumpIfEqual(TIOCSTI, 2, 0), jumpIfEqual(TIOCLINUX, 1, 0), ALLOW, fail(EPERM)]),
    ...judged('clone', [
      load(argument(0)),
      jumpIfSet(CLONE_NEW_ANY, 4, 0),
      // The signal of the child's death: SIGCONT would wake a frozen parent.
      keepBits(0xff),
      jumpIfEqual(0, 1, 0),
      jumpIfEqual(SIGCHLD, 0, 1),
      ALLOW,
      fail(EPERM),
    ]),
    ...judged('prctl', [
      load(argument(0)),
      // Orphans are init's alone: that is how it hears of processes that wake.
      jumpIfEqual(PR_SET_CHILD_SUBREAPER, 4, 0),
      jumpIfEqual(PR_SET_PDEATHSIG, 0, 2),
      load(argument(1)),
      jumpIfEqual(SIGCONT, 1, 0),
      ALLOW,
      fail(EPERM),
    ]),
    // Its flags lie behind a pointer, which a filter cannot follow; libc falls back to clone.
    ...judged('clone3', [fail(ENOSYS)]),
    ...judged('socket', SOCKET_VERDICT),
    ...judged('socketpair', [load(argument(0)), jumpIfEqual(AF_UNIX, 0, 1), ALLOW, fail(EAFNOSUPPORT)]),
    ...judged('setsockopt', BUFFER_VERDICT),
    ...judged('personality', [load(argument(0)), jumpIfEqual(0, 1, 0), jumpIfEqual(PERSONALITY_QUERY, 0, 1), ALLOW, fail(EPERM)]),
    // Every session is a scheduling group of its own: a program with sixty of them would get sixty shares of the CPU.
    // It is told that it succeeded, since daemons and `start_new_session` want no more than that.
    ...judged('setsid', [fail(0)]),
    ...Object.values(DENIED_CALLS).flatMap((numbers) => whenCallIs(numbers[column], [fail(EPERM)])),
    ALLOW,
  ];
  return encode(program);
}

interface Instruction {
  readonly code: number;
  readonly whenTrue: number;
  readonly whenFalse: number;
  readonly operand: number;
}

/** Runs `verdict`, which ends in a return on every path, for one call; the accumulator still holds the number otherwise. */
function whenCallIs(number: number | null, verdict: Instruction[]): Instruction[] {
  return number === null ? [] : [jumpIfEqual(number, 0, verdict.length), ...verdict];
}

const load = (offset: number): Instruction => ({ code: 0x20, whenTrue: 0, whenFalse: 0, operand: offset });
const keepBits = (mask: number): Instruction => ({ code: 0x54, whenTrue: 0, whenFalse: 0, operand: mask });
const jumpIfEqual = (value: number, whenTrue: number, whenFalse: number): Instruction => ({
  code: 0x15,
  whenTrue,
  whenFalse,
  operand: value,
});
const jumpIfAtLeast = (value: number, whenTrue: number, whenFalse: number): Instruction => ({
  code: 0x35,
  whenTrue,
  whenFalse,
  operand: value,
});
const jumpIfSet = (mask: number, whenTrue: number, whenFalse: number): Instruction => ({ code: 0x45, whenTrue, whenFalse, operand: mask });
const giveBack = (action: number): Instruction => ({ code: 0x06, whenTrue: 0, whenFalse: 0, operand: action });
/** SECCOMP_RET_ERRNO; 0 lets the call appear to succeed without being made. */
const fail = (errno: number): Instruction => giveBack(0x0005_0000 | errno);
const ALLOW = giveBack(0x7fff_0000);

/** Offsets into `struct seccomp_data`; of an argument the low half, which is all that `int` and flag arguments use. */
const OFFSET_CALL = 0;
const OFFSET_ARCHITECTURE = 4;
const argument = (index: number): number => 16 + 8 * index;

const AUDIT_ARCHITECTURE: Readonly<Record<FilterArchitecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
const X32_BIT = 0x4000_0000;

const EPERM = 1;
const ENOSYS = 38;
const EPROTONOSUPPORT = 93;
const EAFNOSUPPORT = 97;

const MAP_SHARED = 0x01;
const MAP_ANONYMOUS = 0x20;
const MAP_HUGETLB = 0x4_0000;
const F_SETSIG = 10;
const F_SETPIPE_SZ = 1031;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
/** NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NEW_ANY = 0x7e02_0000;
const SIGCHLD = 17;
const SIGCONT = 18;
const PR_SET_PDEATHSIG = 1;
const PR_SET_CHILD_SUBREAPER = 36;
const PERSONALITY_QUERY = 0xffff_ffff;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;

/** AF_UNIX of any type; of the internet families only plain TCP and UDP. */
const SOCKET_VERDICT: Instruction[] = [
  load(argument(0)),
  jumpIfEqual(AF_UNIX, 10, 0),
  jumpIfEqual(AF_INET, 1, 0),
  jumpIfEqual(AF_INET6, 0, 9),
  load(argument(1)),
  keepBits(0xf),
  jumpIfEqual(1, 1, 0),
  jumpIfEqual(2, 0, 6),
  load(argument(2)),
  jumpIfEqual(0, 2, 0),
  jumpIfEqual(6, 1, 0),
  jumpIfEqual(17, 0, 2),
  ALLOW,
  fail(EAFNOSUPPORT),
  fail(EPROTONOSUPPORT),
];

/** Bytes in socket buffers belong to no process: what a socket holds by default is bound enough. Told as if it were done. */
const BUFFER_VERDICT: Instruction[] = [
  load(argument(1)),
  jumpIfEqual(SOL_SOCKET, 0, 4),
  load(argument(2)),
  jumpIfEqual(SO_SNDBUF, 1, 0),
  jumpIfEqual(SO_RCVBUF, 0, 1),
  fail(0),
  ALLOW,
];

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach((instruction, index) => {
    bytes.writeUInt16LE(instruction.code, index * 8);
    bytes.writeUInt8(instruction.whenTrue, index * 8 + 2);
    bytes.writeUInt8(instruction.whenFalse, index * 8 + 3);
    bytes.writeUInt32LE(instruction.operand >>> 0, index * 8 + 4);
  });
  return bytes;
}
