import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenAdapter, openAdapter, runIn, spec } from '../boot/testing/open-adapter.ts';
import { DENIED_CALLS, JUDGED_CALLS } from './denied-calls.ts';
import { seccompFilter } from './filter.ts';

const EPERM = 1;
const ENOSYS = 38;
const AUDIT = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;

describe('the seccomp filter as the kernel runs it', () => {
  describe.skipIf(process.getuid?.() === 0)('in a sandbox (not as root)', () => {
    let open: OpenAdapter;
    beforeAll(async () => {
      open = await openAdapter('launcher');
    });
    afterAll(() => open.close());
    const calls = async (code: string): Promise<unknown> => {
      const sandbox = await open.adapter.boot(spec('python'));
      const end = await runIn(
        sandbox,
        `import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\ndef call(*args):\n  ctypes.set_errno(0)\n  done = libc.syscall(*[ctypes.c_long(a) for a in args])\n  return errno.errorcode.get(ctypes.get_errno(), done) if done == -1 else "made"\n${code}`,
      );
      expect(end.error).toBeNull();
      return end.result;
    };
    const column = process.arch === 'x64' ? 0 : 1;

    it('refuses every call of the list with EPERM', async () => {
      const numbers = Object.fromEntries(
        Object.entries(DENIED_CALLS).flatMap(([name, pair]) => (pair[column] === null ? [] : [[name, pair[column]]])),
      );
      const answers = await calls(`result = {name: call(number, 0, 0, 0, 0, 0) for name, number in ${JSON.stringify(numbers)}.items()}`);
      expect(answers).toEqual(Object.fromEntries(Object.keys(numbers).map((name) => [name, 'EPERM'])));
    });

    it('judges calls by their arguments', async () => {
      const n = Object.fromEntries(Object.entries(JUDGED_CALLS).map(([name, pair]) => [name, pair[column]]));
      const answers = await calls(`
import os, mmap, socket
def sock(*args):
    try: socket.socket(*args).close(); return "made"
    except OSError as error: return errno.errorcode[error.errno]
result = {
  "shared anonymous": call(${n.mmap}, 0, 4096, 3, 0x21, -1, 0), "private anonymous": call(${n.mmap}, 0, 4096, 3, 0x22, -1, 0),
  "huge pages": call(${n.mmap}, 0, 4096, 3, 0x40022, -1, 0),
  "F_SETSIG": call(${n.fcntl}, 1, 10, 18), "F_SETPIPE_SZ": call(${n.fcntl}, 1, 1031, 1 << 20), "F_GETFL": call(${n.fcntl}, 1, 3),
  "TIOCSTI": call(${n.ioctl}, 0, 0x5412, 0), "clone3": call(${n.clone3}, 0, 0),
  "clone user": call(${n.clone}, 0x10000000 | 17, 0, 0, 0, 0), "clone net": call(${n.clone}, 0x40000000 | 17, 0, 0, 0, 0),
  "clone that says SIGCONT": call(${n.clone}, 18, 0, 0, 0, 0), "subreaper": call(${n.prctl}, 36, 1),
  "SIGCONT at the parent's death": call(${n.prctl}, 1, 18), "SIGTERM at the parent's death": call(${n.prctl}, 1, 15), "name": call(${n.prctl}, 16, ctypes.addressof(ctypes.create_string_buffer(16))),
  "personality query": call(${n.personality}, 0xffffffff), "personality no randomisation": call(${n.personality}, 0x40000),
  "setsid": call(${n.setsid}), "own session": os.getsid(0) == os.getpid(),
  "unix": sock(socket.AF_UNIX), "tcp": sock(socket.AF_INET), "udp6": sock(socket.AF_INET6, socket.SOCK_DGRAM),
  "raw": sock(socket.AF_INET, socket.SOCK_RAW, 1), "icmp": sock(socket.AF_INET, socket.SOCK_DGRAM, 1), "mptcp": sock(socket.AF_INET, socket.SOCK_STREAM, 262),
  "netlink": sock(socket.AF_NETLINK, socket.SOCK_RAW), "packet": sock(socket.AF_PACKET, socket.SOCK_RAW), "vsock": sock(40), "alg": sock(38, socket.SOCK_SEQPACKET),
}`);
      expect(answers).toEqual({
        'shared anonymous': 'EPERM',
        'private anonymous': 'made',
        'huge pages': 'EPERM',
        F_SETSIG: 'EPERM',
        F_SETPIPE_SZ: 'EPERM',
        F_GETFL: 'made',
        TIOCSTI: 'EPERM',
        clone3: 'ENOSYS',
        'clone user': 'EPERM',
        'clone net': 'EPERM',
        'clone that says SIGCONT': 'EPERM',
        subreaper: 'EPERM',
        "SIGCONT at the parent's death": 'EPERM',
        "SIGTERM at the parent's death": 'made',
        name: 'made',
        'personality query': 'made',
        'personality no randomisation': 'EPERM',
        setsid: 'made',
        'own session': true,
        unix: 'made',
        tcp: 'made',
        udp6: 'made',
        raw: 'EPROTONOSUPPORT',
        icmp: 'EPROTONOSUPPORT',
        mptcp: 'EPROTONOSUPPORT',
        netlink: 'EAFNOSUPPORT',
        packet: 'EAFNOSUPPORT',
        vsock: 'EAFNOSUPPORT',
        alg: 'EAFNOSUPPORT',
      });
    });

    it('lets ordinary programs be: threads, children, pools of processes, event loops', async () => {
      const sandbox = await open.adapter.boot(spec('python'));
      const { error, result } = await runIn(
        sandbox,
        `
import asyncio, concurrent.futures, multiprocessing, subprocess, tempfile, threading
def square(n): return n * n
multiprocessing.set_start_method("fork")
with concurrent.futures.ThreadPoolExecutor(16) as pool: threads = sum(pool.map(square, range(100)))
with multiprocessing.Pool(2) as pool: processes = sum(pool.map(abs, range(-10, 0)))
async def main():
    child = await asyncio.create_subprocess_exec("sort", stdin=-1, stdout=-1)
    return (await child.communicate(b"b\\na\\n"))[0].decode()
with tempfile.NamedTemporaryFile() as file: file.write(b"x")
result = [threads, processes, asyncio.run(main()), subprocess.run("echo hi", shell=True, capture_output=True, start_new_session=True).stdout.decode()]`,
      );
      expect(error).toBeNull();
      expect(result).toEqual([328_350, 55, 'a\nb\n', 'hi\n']);
    });
  });

  it('allows what it does not name and refuses other architectures, on both that it is made for', () => {
    for (const [architecture, column] of [
      ['x64', 0],
      ['arm64', 1],
    ] as const) {
      const filter = seccompFilter(architecture);
      const named = new Set([...Object.values(DENIED_CALLS), ...Object.values(JUDGED_CALLS)].map((pair) => pair[column]));
      for (const [name, pair] of Object.entries(DENIED_CALLS)) {
        if (pair[column] !== null)
          expect(judge(filter, AUDIT[architecture], pair[column]), `${name} on ${architecture}`).toBe(0x5_0000 | EPERM);
      }
      fc.assert(
        fc.property(fc.nat(600), (number) => {
          fc.pre(!named.has(number));
          expect(judge(filter, AUDIT[architecture], number)).toBe(0x7fff_0000);
          expect(judge(filter, 0x4000_0003, number)).toBe(0x5_0000 | ENOSYS);
          if (architecture === 'x64') expect(judge(filter, AUDIT.x64, 0x4000_0000 + number)).toBe(0x5_0000 | ENOSYS);
        }),
      );
    }
  });
});

/** The kernel's verdict on a call whose arguments are all zero: classic BPF over `struct seccomp_data`. */
function judge(filter: Buffer, architecture: number, call: number): number {
  let accumulator = 0;
  for (let at = 0; at < filter.length; ) {
    const [code, operand] = [filter.readUInt16LE(at), filter.readUInt32LE(at + 4)];
    const jump = (taken: boolean): number => 8 + 8 * filter.readUInt8(at + (taken ? 2 : 3));
    if (code === 0x20) accumulator = operand === 0 ? call : operand === 4 ? architecture : 0;
    if (code === 0x54) accumulator &= operand;
    if (code === 0x06) return operand;
    if (code === 0x15) at += jump(accumulator === operand);
    else if (code === 0x35) at += jump(accumulator >= operand);
    else if (code === 0x45) at += jump((accumulator & operand) !== 0);
    else at += 8;
  }
  throw new Error('The filter ends without a verdict');
}
