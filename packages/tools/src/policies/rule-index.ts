import { type RankedRules, rankedRules } from './ranked-rules.ts';
import { compareRules, isUnconditional, type Rule } from './rule.ts';

/** The rules that cover one tool, in the order in which they count. */
export interface Candidates {
  /** For everybody. */
  readonly workspace: RankedRules;
  /** For somebody. */
  readonly principal: RankedRules;
  /** Those with limits, whatever they decide: a limit narrows, also where it stands in a rule that allows. */
  readonly limiting: RankedRules;
  /** Those that do nothing but limit. */
  readonly limits: readonly Rule[];
  /** The first that applies whatever the call; null: there is none. */
  readonly unconditional: Rule | null;
}

export interface RuleIndex {
  covering(address: string): Candidates;
}

interface Node {
  readonly children: Map<string, Node>;
  readonly exact: Group;
  /** Patterns that end with a `*` here. */
  readonly open: Group;
}

/** Rules that cover the same tools. */
interface Group {
  readonly number: number;
  readonly rules: Rule[];
}

/** Tools that are remembered with their rules; the names are those of a catalog, so that no caller can fill it. */
const MOST_REMEMBERED = 50_000;

/** Rules by the segments of their patterns: a look-up touches only those that cover the tool, and each tool is looked up once. */
export function indexRules(rules: readonly Rule[]): RuleIndex {
  let groups = 0;
  const newGroup = (): Group => {
    groups += 1;
    return { number: groups, rules: [] };
  };
  const newNode = (): Node => ({ children: new Map(), exact: newGroup(), open: newGroup() });
  const root = newNode();
  for (const rule of rules) place(root, rule, newNode);
  const remembered = new Map<string, Candidates>();
  /** By the groups that cover a tool: most tools of a server share theirs. */
  const shared = new Map<string, Candidates>();
  return {
    covering(address) {
      const known = remembered.get(address);
      if (known !== undefined) return known;
      if (remembered.size >= MOST_REMEMBERED) {
        remembered.clear();
        shared.clear();
      }
      const found: Group[] = [];
      collect(root, address.split('.'), 0, found);
      const key = found.map(({ number }) => number).join();
      const candidates = shared.get(key) ?? candidatesOf(found.flatMap((group) => group.rules));
      remembered.set(address, candidates);
      shared.set(key, candidates);
      return candidates;
    },
  };
}

function place(root: Node, rule: Rule, newNode: () => Node): void {
  const { segments } = rule.pattern;
  let node = root;
  for (const [index, segment] of segments.entries()) {
    if (segment === '*' && index === segments.length - 1) {
      node.open.rules.push(rule);
      return;
    }
    let child = node.children.get(segment);
    if (child === undefined) {
      child = newNode();
      node.children.set(segment, child);
    }
    node = child;
  }
  node.exact.rules.push(rule);
}

function collect(node: Node, parts: readonly string[], index: number, into: Group[]): void {
  const part = parts[index];
  if (part === undefined) {
    if (node.exact.rules.length > 0) into.push(node.exact);
    return;
  }
  if (node.open.rules.length > 0) into.push(node.open);
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
    workspace: rankedRules(workspace),
    principal: rankedRules(deciding.filter(({ subject }) => subject !== null)),
    limiting: rankedRules(ordered.filter(({ record }) => record.limits !== null).map(asLimit)),
    limits: ordered.filter(({ record }) => record.action === 'limit'),
    unconditional: workspace.find(isUnconditional) ?? null,
  };
}

const asLimit = (rule: Rule): Rule => (rule.record.action === 'allow' ? { ...rule, record: { ...rule.record, action: 'limit' } } : rule);
