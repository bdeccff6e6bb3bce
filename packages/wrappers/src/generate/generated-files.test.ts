import { execFileSync } from 'node:child_process';
import type { ToolDefinition } from '@code-executor/contracts';
import fc from 'fast-check';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { hostileTool } from '../testing/hostile-tools.ts';
import { exampleCall } from './example-call.ts';
import { generateToolFiles, toolSignature } from './tool-files.ts';

const tool = (changes: Partial<ToolDefinition>): ToolDefinition => ({
  server: 'demo',
  name: 'do_it',
  description: 'Does it.',
  inputSchema: { type: 'object', properties: {} },
  ...changes,
});

const sources = (definition: ToolDefinition) => {
  const [typescript, python] = generateToolFiles(definition);
  return { typescript: typescript?.source ?? '', python: python?.source ?? '' };
};

describe('generated files', () => {
  test('whatever a definition holds, its TypeScript file is the same five statements around the right address', () => {
    fc.assert(
      fc.property(hostileTool, (definition) => {
        const { typescript } = sources(definition);
        const output = ts.transpileModule(typescript, { reportDiagnostics: true, compilerOptions: { module: ts.ModuleKind.ESNext } });
        expect(output.diagnostics ?? [], typescript).toEqual([]);
        const file = ts.createSourceFile('tool.ts', typescript, ts.ScriptTarget.ESNext, true);
        expect(file.statements.length, typescript).toBe(5);
        const [imports, args, result, call, exported] = file.statements;
        expect(imports && ts.isImportDeclaration(imports)).toBe(true);
        for (const type of [args, result]) expect(type && (ts.isInterfaceDeclaration(type) || ts.isTypeAliasDeclaration(type))).toBe(true);
        expect(exported && ts.isExportAssignment(exported)).toBe(true);
        if (!call || !ts.isFunctionDeclaration(call)) throw new Error(`no function in ${typescript}`);
        expect(calledAddress(call)).toBe(`${definition.server}.${definition.name}`);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
        expect(typescript).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
        expect(commentsOf(typescript)).not.toContain('@ts-');
      }),
      { numRuns: 400 },
    );
  });

  test('whatever a definition holds, its Python file is the same six statements around the right address', () => {
    const definitions = fc.sample(hostileTool, { numRuns: 400, seed: 7 }).concat(fc.sample(hostileTool, 400));
    const verdicts = parsePython(definitions.map((definition) => sources(definition).python));
    for (const [index, definition] of definitions.entries()) {
      const verdict = verdicts[index];
      expect(verdict, sources(definition).python).toMatchObject({
        body: ['ImportFrom', 'ImportFrom', 'Assign', 'If', 'FunctionDef', 'Expr'],
        functionBody: ['Expr', 'Return'],
        address: units(`${definition.server}.${definition.name}`),
      });
    }
  });

  test('whatever a definition holds, examples and signatures parse', () => {
    const definitions = fc.sample(hostileTool, 300);
    for (const definition of definitions) {
      const example = `async () => {\n${exampleCall(definition, 'typescript').replace(/^import.*$/m, '')}\n}`;
      const signature = `declare const x: {\n${toolSignature(definition).replace(/^[^(]*/, 'f')} };`;
      for (const source of [example, signature]) {
        const diagnostics = ts.transpileModule(source, { reportDiagnostics: true }).diagnostics ?? [];
        expect(diagnostics, source).toEqual([]);
      }
      expect(toolSignature(definition)).not.toContain('\n');
    }
    expect(parsePython(definitions.map((definition) => exampleCall(definition, 'python'))).every((verdict) => verdict !== null)).toBe(true);
  });

  test('a signature of a large schema stays short, the file has it whole', () => {
    const level = (depth: number): unknown =>
      depth === 0 ? { type: 'string' } : { type: 'object', properties: { left: level(depth - 1), right: level(depth - 1) } };
    const definition = tool({ inputSchema: { type: 'object', properties: { tree: level(7) } } });
    const signature = toolSignature(definition);
    expect(signature.length).toBeLessThan(2_500);
    expect(signature).toContain('tree?: { left?: { left?:');
    expect(sources(definition).typescript.match(/: string;/g)).toHaveLength(128);
  });

  test('a schema says its types in both languages', () => {
    const definition = tool({
      inputSchema: {
        type: 'object',
        required: ['path', 'class'],
        properties: {
          path: { type: 'string', description: 'Where.' },
          class: { enum: ['a', 'b'] },
          'max-size': { type: 'integer', default: 5, minimum: 1 },
          edits: { type: 'array', items: { $ref: '#/$defs/edit' } },
          point: { type: 'array', prefixItems: [{ type: 'number' }, { type: 'number' }], items: false, minItems: 2 },
          maybe: { anyOf: [{ type: 'string' }, { type: 'null' }] },
          tree: { $ref: '#/$defs/tree' },
        },
        $defs: {
          edit: { type: 'object', properties: { old: { type: 'string' } }, required: ['old'], additionalProperties: false },
          tree: { type: 'object', properties: { children: { type: 'array', items: { $ref: '#/$defs/tree' } } } },
        },
      },
      outputSchema: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
    });
    expect(toolSignature(definition)).toBe(
      'demo.do_it(args: { path: string; class: "a" | "b"; "max-size"?: number; edits?: Array<{ old: string }>; point?: [number, number]; ' +
        'maybe?: string | null; tree?: { children?: Array<any> } }): Promise<{ n: number }>',
    );
    const { typescript, python } = sources(definition);
    expect(typescript).toContain('/** (minimum 1, default 5) */\n  "max-size"?: number;');
    expect(python).toContain(
      'def do_it(path: str, class_: Literal["a", "b"], max_size: int = _rt.UNSET, edits: list[DoItEditsItem] = _rt.UNSET',
    );
    expect(python).toContain('"max-size": max_size');
    expect(exampleCall(definition, 'python')).toBe('from servers.demo import do_it\n\ndo_it(path="…", **{"class": "a"})\n');
  });

  test('a schema without bounds is cut instead of followed', () => {
    let deep: Record<string, unknown> = { type: 'string' };
    for (let level = 0; level < 5000; level += 1) deep = { type: 'array', items: deep };
    const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`p${index}`, { type: 'string', enum: ['x'] }]));
    const doubling = {
      $ref: '#/$defs/0',
      $defs: Object.fromEntries(
        Array.from({ length: 30 }, (_, index) => [
          index,
          { type: 'object', properties: { a: { $ref: `#/$defs/${index + 1}` }, b: { $ref: `#/$defs/${index + 1}` } } },
        ]),
      ),
    };
    for (const inputSchema of [deep, { type: 'object', properties: wide }, doubling, { allOf: [{ $ref: '#' }, { $ref: '#' }] }]) {
      const { typescript, python } = sources(tool({ inputSchema, description: 'x'.repeat(1_000_000) }));
      expect(typescript.length + python.length).toBeLessThan(250_000);
    }
  });
});

function commentsOf(source: string): string {
  const scanner = ts.createScanner(ts.ScriptTarget.ESNext, false, ts.LanguageVariant.Standard, source);
  let comments = '';
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    if (kind === ts.SyntaxKind.SingleLineCommentTrivia || kind === ts.SyntaxKind.MultiLineCommentTrivia) comments += scanner.getTokenText();
  }
  return comments;
}

function calledAddress(declaration: ts.FunctionDeclaration): string | null {
  const [statement, ...others] = declaration.body?.statements ?? [];
  if (
    others.length > 0 ||
    !statement ||
    !ts.isReturnStatement(statement) ||
    !statement.expression ||
    !ts.isCallExpression(statement.expression)
  )
    return null;
  const [address] = statement.expression.arguments;
  return address && ts.isStringLiteral(address) ? address.text : null;
}

/** UTF-16 units: a string with lone surrogates cannot cross a process as text. */
const units = (text: string): number[] => Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));

interface PythonVerdict {
  body: string[];
  functionBody: string[];
  address: number[] | null;
}

/** What CPython reads each source as; null where it does not parse. */
function parsePython(texts: readonly string[]): (PythonVerdict | null)[] {
  const answer = execFileSync('/usr/bin/python3', ['-I', '-c', PARSE], {
    input: JSON.stringify(texts),
    maxBuffer: 64 << 20,
    encoding: 'utf8',
  });
  return JSON.parse(answer);
}

const PARSE = `
import ast, json, sys
def units(text):
    data = text.encode("utf-16-le", "surrogatepass")
    return [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]
def verdict(source):
    try:
        tree = ast.parse(source)
        compile(source, "tool.py", "exec")
    except (SyntaxError, ValueError):
        return None
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    body = functions[0].body if functions else []
    returned = body[-1].value if body and isinstance(body[-1], ast.Return) else None
    address = returned.args[0].value if isinstance(returned, ast.Call) else None
    return {
        "body": [type(node).__name__ for node in tree.body],
        "functionBody": [type(node).__name__ for node in body],
        "address": None if address is None else units(address),
    }
json.dump([verdict(source) for source in json.load(sys.stdin)], sys.stdout)
`;
