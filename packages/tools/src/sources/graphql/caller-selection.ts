import { AppError } from '@code-executor/platform/errors';
import { type DocumentNode, GraphQLError, Kind, parse, type SelectionSetNode, visit } from 'graphql';

const MOST_TOKENS = 5_000;
const MOST_FIELDS = 500;
const DEEPEST = 15;

/**
 * A caller's selection, checked as far as it can be without the schema, to be put between the braces of a field: it is one selection set
 * and nothing else. Its lines and columns stay as they are. @throws AppError INVALID_ARGUMENTS saying where.
 */
export function callerSelection(text: string, argument: string): string {
  const bare = withoutBraces(text);
  if (bare.trim() === '') throw refused(argument, 'names no field; leave it out for the default selection');
  const document = parsed(bare, argument);
  const [definition, ...others] = document.definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION || others.length > 0) {
    throw refused(argument, 'must be one selection such as "id name owner { login }"');
  }
  check(definition.selectionSet, argument);
  return bare;
}

/** `{ id }` and `id` mean the same. A blank stands where a brace was, so that places stay. */
function withoutBraces(text: string): string {
  const braced = /^(\s*)\{([\s\S]*)\}(\s*)$/.exec(text);
  return braced === null ? text : `${braced[1]} ${braced[2]} ${braced[3]}`;
}

function parsed(text: string, argument: string): DocumentNode {
  try {
    return parse(`{\n${text}\n}`, { maxTokens: MOST_TOKENS });
  } catch (error) {
    if (error instanceof GraphQLError) throw misplaced(argument, error.message, error.locations?.[0], 1);
    throw refused(argument, 'nests too deep');
  }
}

function check(selection: SelectionSetNode, argument: string): void {
  let fields = 0;
  let depth = 0;
  const refuse = (
    node: { readonly loc?: { readonly startToken: { readonly line: number; readonly column: number } } },
    what: string,
  ): never => {
    throw misplaced(argument, what, node.loc?.startToken, 1);
  };
  visit(selection, {
    Variable: (node) => refuse(node, 'variables cannot be used; write the value'),
    FragmentSpread: (node) => refuse(node, 'named fragments cannot be used; write `... on TYPE { … }`'),
    Directive: (node) => refuse(node, 'directives cannot be used'),
    SelectionSet: {
      enter(node) {
        depth += 1;
        if (depth > DEEPEST) refuse(node, `nests deeper than ${DEEPEST} levels`);
      },
      leave() {
        depth -= 1;
      },
    },
    Field(node) {
      fields += 1;
      if (fields > MOST_FIELDS) refuse(node, `names more than ${MOST_FIELDS} fields`);
    },
  });
}

/** `linesBefore`: of the document that the place is of, before the selection begins. */
export function misplaced(
  argument: string,
  why: string,
  place: { readonly line: number; readonly column: number } | undefined,
  linesBefore: number,
): AppError {
  const where = place === undefined ? '' : `, line ${place.line - linesBefore}, column ${place.column}`;
  return new AppError('INVALID_ARGUMENTS', `${argument}${where}: ${why}`.slice(0, 1_000));
}

const refused = (argument: string, why: string): AppError => new AppError('INVALID_ARGUMENTS', `${argument}: ${why}`);
