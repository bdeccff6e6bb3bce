import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Of a server with no more tools than this, all are declared, so that a slip of the pen can be answered with the right name. */
const FEW_TOOLS = 60;

/**
 * Declarations of `tools.<server>.<tool>` for the servers and tools a program's text names. Declaring the whole catalog would
 * have every program check every wrapper.
 */
export function createToolGlobals(snapshotDir: string): (text: string) => string {
  const servers = directoriesIn(snapshotDir);
  const tools = new Map<string, readonly string[]>();

  return function toolGlobals(text) {
    if (!/\btools\b/.test(text)) return '';
    const words = new Set(text.match(/[A-Za-z_$][A-Za-z0-9_$]*/g));
    const members = servers
      .filter((server) => words.has(server) || text.includes(server))
      .map((server) => `${JSON.stringify(server)}: {\n${declarations(server, words, text)}};\n`);
    return `interface CodeExecutorTools {\n${members.join('')}}\n`;
  };

  function declarations(server: string, words: ReadonlySet<string>, text: string): string {
    const names = tools.get(server) ?? toolsIn(join(snapshotDir, server));
    tools.set(server, names);
    const declared = (names.length <= FEW_TOOLS ? names : names.filter((name) => words.has(name))).map(
      (name) => `  ${name}: typeof import('/workspace/servers/${server}/${name}.ts').${name};\n`,
    );
    // A tool may also be named as its server names it, `tools.everything['get-sum']`; what it takes is then left to the run.
    for (const [, , name = ''] of text.matchAll(/\[\s*(['"`])([^'"`\n]{1,200})\1\s*\]/g)) {
      if (!/^[A-Za-z0-9_$]+$/.test(name) && names.includes(name.replace(/[^A-Za-z0-9_$]+/g, '_')))
        declared.push(`  ${JSON.stringify(name)}: (args?: any) => Promise<any>;\n`);
    }
    return [...new Set(declared)].join('');
  }
}

const directoriesIn = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true })
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && entry.name !== 'aio')
    .map((entry) => entry.name);

const toolsIn = (dir: string): string[] =>
  readdirSync(dir)
    .filter((entry) => entry.endsWith('.ts') && entry !== 'index.ts')
    .map((entry) => entry.slice(0, -'.ts'.length));
