type FindBinding = (server: string, name: string, digest: string) => Promise<string | null>;

const MOST_CHARACTERS = 16 * 1024 * 1024;

/** Remembers what calls of the tools that are in use need. The digest is part of what is asked, so nothing that is remembered is ever outdated. */
export function createBindingCache(find: FindBinding, mostCharacters = MOST_CHARACTERS): FindBinding {
  const known = new Map<string, string>();
  let characters = 0;
  return async (server, name, digest) => {
    const key = `${digest} ${server}.${name}`;
    const hit = known.get(key);
    if (hit !== undefined) {
      // The last in line is the one that was used last.
      known.delete(key);
      known.set(key, hit);
      return hit;
    }
    const binding = await find(server, name, digest);
    if (binding === null) return null;
    known.set(key, binding);
    characters += binding.length;
    for (const [oldest, text] of known) {
      if (characters <= mostCharacters) break;
      known.delete(oldest);
      characters -= text.length;
    }
    return binding;
  };
}
