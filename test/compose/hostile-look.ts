/** TypeScript: answers which of `args.targets` (`address:port`) took a connection. */
export const TRY_TO_CONNECT = `
import { connect } from 'node:net';
const tries = args.targets.map((target) => new Promise((resolve) => {
  const [host, port] = target.split(':');
  const socket = connect({ host, port: Number(port) });
  const end = (open) => { socket.destroy(); resolve(open ? target : null); };
  socket.once('connect', () => end(true));
  socket.once('error', () => end(false));
  setTimeout(() => end(false), 2_000);
}));
return (await Promise.all(tries)).filter((target) => target !== null);`;

/** Python: answers everything it can read that is not the system's own (`seen`), and which places it could write (`written`). */
export const LOOK_AROUND = `
import os
SYSTEM = ('/usr', '/lib', '/lib32', '/lib64', '/bin', '/sbin', '/proc', '/sys', '/dev', '/node_modules')
seen = [repr(dict(os.environ))]

def read(path, limit=65536):
    try:
        with open(path, 'rb') as file:
            seen.append(path + ': ' + file.read(limit).decode('latin-1'))
    except OSError:
        pass

for folder, folders, files in os.walk('/'):
    if folder == '/':
        folders[:] = [name for name in folders if '/' + name not in SYSTEM]
    for name in files:
        if sum(map(len, seen)) < 4_000_000:
            read(os.path.join(folder, name))
for pid in (name for name in os.listdir('/proc') if name.isdigit()):
    for name in ('environ', 'cmdline', 'mountinfo', 'status'):
        read('/proc/' + pid + '/' + name)
    try:
        for fd in os.listdir('/proc/' + pid + '/fd'):
            seen.append(pid + ' fd ' + os.readlink('/proc/' + pid + '/fd/' + fd))
    except OSError:
        pass
for path in ('/run/secrets', '/var/lib/code-executor', '/app'):
    try:
        seen.append(path + repr(os.listdir(path)))
    except OSError:
        pass

written = []
for folder in ('/', '/usr', '/etc', '/usr/bin', '/workspace/servers', '/proc/sys/kernel'):
    try:
        with open(folder + '/written-by-program', 'w') as file:
            file.write('x')
        written.append(folder)
    except OSError:
        pass
{'seen': '\\n'.join(seen), 'written': written}`;
