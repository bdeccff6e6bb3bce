import type { PositionMap } from '@code-executor/sandbox';
import type { Statement } from './parse-typescript.ts';
import type { TextEdit } from './text-edit.ts';

/** A range of the text. */
export interface Place {
  readonly start?: number | null;
  readonly end?: number | null;
}

/**
 * A module cannot return, so the program becomes a function; what only a module may hold moves out of it, but for the imports that come
 * first anyway. `last` is the expression whose value is returned.
 */
export function wrapInFunction(
  edit: TextEdit,
  body: readonly Statement[],
  opening: string,
  last: Place | null = null,
): { readonly code: string; readonly positions: PositionMap } {
  const others = body.findIndex(({ type }) => type !== 'ImportDeclaration');
  const first = body[others]?.start ?? body.at(-1)?.end ?? 0;
  // An expression that stands before them is a directive: it is the first thing of all.
  const isBehindImports = last === null || (last.start ?? 0) >= first;
  edit.insert(isBehindImports ? first : 0, others < 0 && body.length > 0 ? `;${opening}` : opening);
  if (last !== null) {
    edit.insert(last.start ?? 0, 'return (');
    edit.insert(last.end ?? 0, ')');
  }
  const leading = isBehindImports ? (others < 0 ? body.length : others) : 0;
  for (const statement of body.slice(leading)) {
    const start = statement.start ?? 0;
    const end = statement.end ?? 0;
    switch (statement.type) {
      case 'ImportDeclaration':
      case 'TSImportEqualsDeclaration':
      case 'TSModuleDeclaration':
        edit.moveToEnd(start, end);
        break;
      case 'ExportNamedDeclaration':
        if (statement.declaration) edit.blank(start, statement.declaration.start ?? start);
        else edit.blank(start, end);
        break;
      case 'ExportAllDeclaration':
        edit.blank(start, end);
        break;
      case 'ExportDefaultDeclaration':
        // Beside a `return` nothing reads it, but what it evaluates still has to happen.
        if (isNamed(statement.declaration)) edit.blank(start, statement.declaration.start ?? start);
        else edit.overwrite(start, 'export default'.length, 'void');
        break;
    }
  }
  edit.append('\n};');
  return edit.finish();
}

const isNamed = (declaration: Extract<Statement, { type: 'ExportDefaultDeclaration' }>['declaration']): boolean =>
  (declaration.type === 'FunctionDeclaration' ||
    declaration.type === 'ClassDeclaration' ||
    declaration.type === 'TSInterfaceDeclaration') &&
  Boolean(declaration.id);

/** Neither exported nor of a kind that only a module may hold. */
export const canStandInFunction = ({ type }: Statement): boolean =>
  !type.startsWith('Export') && type !== 'TSExportAssignment' && type !== 'TSImportEqualsDeclaration' && type !== 'TSModuleDeclaration';

/**
 * Of what `wrapInFunction` leaves outside of the function. A runtime may be asked by attributes to run what is imported as it
 * translates, and a URL may hold a program itself; skills and files are programs of others.
 */
export function runsNothingAtOnce(statement: Statement): boolean {
  if (statement.type === 'TSImportEqualsDeclaration' || statement.type === 'TSModuleDeclaration') return false;
  if (statement.type !== 'ImportDeclaration') return true;
  const { source, attributes } = statement;
  return (attributes?.length ?? 0) === 0 && !source.value.includes('..') && OF_THE_RUNTIME_OR_A_WRAPPER.test(source.value);
}

/** Spelled straight: `servers/./skills/x` and `servers//skills/x` are skills. */
const OF_THE_RUNTIME_OR_A_WRAPPER = /^(?:node:[a-z_/]+|(?:\.|\/workspace)\/servers\/(?!skills\b)(?:[\w-][\w.-]*\/)*[\w-][\w.-]*)$/;
