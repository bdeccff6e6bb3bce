// A minimal runner for tests of what surrounds it: evaluates the program as the body of an asynchronous function.
import { readSync, writeSync } from 'node:fs';

const CHANNEL = 3;

function send(type: number, text: string): void {
  const payload = Buffer.from(text);
  const frame = Buffer.alloc(5 + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt8(type, 4);
  payload.copy(frame, 5);
  for (let at = 0; at < frame.length; ) at += writeSync(CHANNEL, frame, at);
}

function read(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; ) {
    const got = readSync(CHANNEL, buffer, at, bytes - at, null);
    if (got === 0) process.exit(0);
    at += got;
  }
  return buffer;
}

send(1, '{}');
const run = JSON.parse(read(read(5).readUInt32BE(0)).toString());
const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor;
try {
  const value = await new AsyncFunction(run.code)();
  send(5, value === undefined ? '' : JSON.stringify(value));
} catch (error) {
  send(6, JSON.stringify({ code: 'UNCAUGHT', message: String(error) }));
}
