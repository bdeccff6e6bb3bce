/** About how long a value is as JSON, in characters; it stops counting, and says more than `limit`, where that is reached. */
export function sizeWithin(value: unknown, limit: number): number {
  let size = 0;
  const stack: unknown[] = [value];
  while (stack.length > 0 && size <= limit) {
    const next = stack.pop();
    if (typeof next === 'string') size += next.length + 2;
    else if (typeof next !== 'object' || next === null) size += 8;
    else if (Array.isArray(next)) {
      size += next.length + 2;
      for (const item of next) stack.push(item);
    } else {
      size += 2;
      for (const [name, member] of Object.entries(next)) {
        size += name.length + 4;
        stack.push(member);
      }
    }
  }
  return size;
}
