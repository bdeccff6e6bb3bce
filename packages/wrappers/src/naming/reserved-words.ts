const JAVASCRIPT_WORDS =
  'break case catch class const continue debugger default delete do else enum export extends false finally for function if import in ' +
  'instanceof new null return super switch this throw true try typeof var void while with ' +
  // Reserved in modules and strict code, and names TypeScript refuses to declare.
  'arguments await eval implements interface let package private protected public static yield undefined globalThis';

/** Members every object has, and `then`: a module that exports `then` is called by `await import(…)`. */
const OBJECT_MEMBERS =
  'constructor toString toLocaleString valueOf hasOwnProperty isPrototypeOf propertyIsEnumerable prototype then ' +
  '__proto__ __defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__';

const PYTHON_WORDS =
  'False None True and as assert async await break class continue def del elif else except finally for from global if import in is ' +
  'lambda nonlocal not or pass raise return try while with yield match case type _ __debug__';

/** `$call` is what generated files call the runtime; `index` is the file that gathers a server's tools. */
const TYPESCRIPT_RESERVED = wordSet(`${JAVASCRIPT_WORDS} ${OBJECT_MEMBERS} $call index`);

/** `_rt` is what generated files call the runtime. `match`, `case`, `type` and `_` are words only in some places; as names they mislead. */
const PYTHON_RESERVED = wordSet(`${PYTHON_WORDS} _rt TYPE_CHECKING`);

/** Names of the files that stand beside the servers' directories, in either language. */
const BESIDE_SERVERS = wordSet('discovery runtime _runtime globals index aio tools servers meta_of');

const isDunder = (name: string): boolean => name.startsWith('__') && name.endsWith('__');

export const isReservedInTypeScript = (name: string): boolean => TYPESCRIPT_RESERVED.has(name);
export const isReservedInPython = (name: string): boolean => PYTHON_RESERVED.has(name) || isDunder(name);
export const isReservedBesideServers = (name: string): boolean => BESIDE_SERVERS.has(name.toLowerCase()) || isDunder(name);
export const isReservedServerIdentifier = (name: string): boolean =>
  isReservedInTypeScript(name) || isReservedInPython(name) || isReservedBesideServers(name);

function wordSet(words: string): ReadonlySet<string> {
  return new Set(words.split(' '));
}
