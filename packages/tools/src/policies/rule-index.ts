import { compareRules, isUnconditional, type Rule } from './rule.ts';

/** The rules that cover one tool, in the order in which they count. */
export interface Candidates {
  /** For everybody. */
  readonly workspace: readonly Rule[];
  /** For somebody. */
  readonly principal: readonly Rule[];
  /** Those with limits, whatever they decide. */
  readonly limiting: readonly Rule[];
  /** The first that applies whatever the call; null: there is none. */
  readonly unconditional: Rule | null;
}

export interface RuleIndex {
  covering(address: string): Candidates;
}

interface Node {
  readonly children: Map<string, Node>;
  readonly exact: Rule[];
  /** Patterns that end with a `*` here. */
  readonly open: Rule[];
}

/** Tools that are remembered with their rules; the names are those of a catalog, so that no caller can fill it. */
const MOST_REMEMBERED = 50_000;

/** Rules by the segments of their patterns: a look-up touches only those that cover the tool, and each tool is looked up once. */
export function indexRules(rules: readonly Rule[]): RuleIndex {
  const root = newNode();
  for (const rule of rules) place(root, rule);
  const remembered = new Map<string, Candidates>();
  return {
    covering(address) {
      const known = remembered.get(address);
      if (known !== undefined) return known;
      const found: Rule[] = [];
      collect(root, address.split('.'), 0, found);
      const candidates = candidatesOf(found);
      if (remembered.size >= MOST_REMEMBERED) remembered.clear();
      remembered.set(address, candidates);
      return candidates;
    },
  };
}

const newNode = (): Node => ({ children: new Map(), exact: [], open: [] });

function place(root: Node, rule: Rule): void {
  const { segments } = rule.pattern;
  let node = root;
  for (const [index, segment] of segments.entries()) {
    if (segment === '*' && index === segments.length - 1) {
      node.open.push(rule);
      return;
    }
    let child = node.children.get(segment);
    if (child === undefined) {
      child = newNode();
      node.children.set(segment, child);
    }
    node = child;
  }
  node.exact.push(rule);
}

function collect(node: Node, parts: readonly string[], index: number, into: Rule[]): void {
  const part = parts[index];
  if (part === undefined) {
    into.push(...node.exact);
    return;
  }
  into.push(...node.open);
  const named = node.children.get(part);
  if (named !== undefined) collect(named, parts, index + 1, into);
  // A tool whose name has a segment * is reached by both ways at once.
  const any = part === '*' ? undefined : node.children.get('*');
  if (any !== undefined) collect(any, parts, index + 1, into);
}

function candidatesOf(found: readonly Rule[]): Candidates {
  const ordered = [...found].sort(compareRules);
  const deciding = ordered.filter(({ record }) => record.action !== 'limit');
  const workspace = deciding.filter(({ subject }) => subject === null);
  return {
    workspace,
    principal: deciding.filter(({ subject }) => subject !== null),
    limiting: ordered.filter(({ record }) => record.limits !== null),
    unconditional: workspace.find(isUnconditional) ?? null,
  };
}
