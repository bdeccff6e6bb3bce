import {
  type GraphQLField,
  type GraphQLNamedOutputType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isInterfaceType,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
} from 'graphql';

/** One selected field with what is selected in it, or `... on TYPE` (`type` set). */
export interface Selected {
  readonly name: string;
  readonly field: GraphQLField<unknown, unknown> | null;
  readonly selection: Selection | null;
}

/** What is selected in one object, interface or union. */
export interface Selection {
  readonly type: GraphQLNamedOutputType;
  readonly fields: readonly Selected[];
  /** By type name: what is selected where the object is of this type. Each begins with `__typename`. */
  readonly fragments: readonly { readonly type: GraphQLNamedOutputType; readonly fields: readonly Selected[] }[];
}

/** Fields of plain values that are taken of an object, by how deep it lies. Its length is the depth limit. */
const MOST_FIELDS_BY_DEPTH = [40, 16, 6] as const;
/** In the whole selection. */
const MOST_FIELDS = 120;
const MOST_FRAGMENTS = 8;
const MOST_FIELDS_OF_FRAGMENT = 6;
/** What says most about an object where not all of its fields are taken. */
const TELLING =
  /^(?:id|databaseId|key|slug|code|name|title|login|email|number|state|status|url|createdAt|updatedAt|description|body|message|field)$/;

/**
 * What a call asks for where it does not say itself: plain values to a depth, nothing that needs an argument, and of a list that comes in
 * pages the objects of the page. Null: the type is a plain value.
 */
export function defaultSelection(schema: GraphQLSchema, type: GraphQLOutputType): Selection | null {
  const named = getNamedType(type);
  if (isLeafType(named)) return null;
  return select(named, { schema, depth: 0, budget: { fields: MOST_FIELDS }, path: [named.name] });
}

interface Place {
  readonly schema: GraphQLSchema;
  readonly depth: number;
  readonly budget: { fields: number };
  /** Types that are open above: none is selected within itself. */
  readonly path: readonly string[];
}

function select(type: GraphQLNamedOutputType, place: Place): Selection {
  if (isObjectType(type) || isInterfaceType(type)) {
    const connection = isObjectType(type) ? selectPage(type, place) : null;
    if (connection !== null) return connection;
  }
  const fields = isUnionType(type) ? [] : ownFields(type, place);
  const fragments = isAbstractType(type) ? fragmentsOf(type, fields, place) : [];
  const withType = isAbstractType(type) || (fields.length === 0 && fragments.length === 0) ? [TYPENAME, ...fields] : fields;
  return { type, fields: withType, fragments };
}

const TYPENAME: Selected = { name: '__typename', field: null, selection: null };

function ownFields(type: GraphQLNamedOutputType, place: Place): Selected[] {
  const selectable = selectableFields(type);
  const most = Math.min(MOST_FIELDS_BY_DEPTH[place.depth] ?? 0, place.budget.fields);
  const leaves = mostTelling(
    selectable.filter((field) => isLeafType(getNamedType(field.type))),
    most,
  );
  place.budget.fields -= leaves.length;
  const chosen = new Map<string, Selected>(leaves.map((field) => [field.name, { name: field.name, field, selection: null }]));
  if (place.depth + 1 < MOST_FIELDS_BY_DEPTH.length) {
    for (const field of selectable) {
      const inner = getNamedType(field.type);
      if (isLeafType(inner) || place.path.includes(inner.name) || place.budget.fields <= 0) continue;
      // A page within another object may ask for its size at run time, and multiplies what comes.
      if (pageOf(inner) !== null && (place.depth > 0 || !isPayload(type))) continue;
      const selection = select(inner, { ...place, depth: place.depth + 1, path: [...place.path, inner.name] });
      chosen.set(field.name, { name: field.name, field, selection });
    }
  }
  // In the schema's order, which is the author's.
  return selectable.flatMap((field) => chosen.get(field.name) ?? []);
}

/** What a mutation answers with: the object it is about lies one step below. */
const isPayload = (type: GraphQLNamedOutputType): boolean => /Payload$|Response$|Result$/.test(type.name);

const fieldsOf = (type: GraphQLNamedOutputType): GraphQLField<unknown, unknown>[] =>
  isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];

const selectableFields = (type: GraphQLNamedOutputType): GraphQLField<unknown, unknown>[] =>
  fieldsOf(type).filter((field) => field.deprecationReason == null && !field.args.some(isRequiredArgument) && !field.name.startsWith('_'));

function mostTelling(fields: readonly GraphQLField<unknown, unknown>[], most: number): GraphQLField<unknown, unknown>[] {
  if (fields.length <= most) return [...fields];
  const telling = fields.filter((field) => TELLING.test(field.name));
  return [...telling, ...fields.filter((field) => !TELLING.test(field.name))].slice(0, Math.max(most, 0));
}

/**
 * Of an interface or a union: what its types have besides. A name stands once: two fragments that mean different types by it would not
 * be a valid request.
 */
function fragmentsOf(type: GraphQLNamedOutputType, own: readonly Selected[], place: Place): Selection['fragments'] {
  if (!isAbstractType(type) || place.depth + 1 >= MOST_FIELDS_BY_DEPTH.length) return [];
  const typeOfName = new Map(own.flatMap(({ name, field }) => (field === null ? [] : [[name, String(field.type)] as const])));
  const fragments: { type: GraphQLNamedOutputType; fields: Selected[] }[] = [];
  for (const possible of place.schema.getPossibleTypes(type).slice(0, MOST_FRAGMENTS)) {
    const taken = new Set(own.map(({ name }) => name));
    const leaves = selectableFields(possible).filter(
      (field) =>
        isLeafType(getNamedType(field.type)) &&
        !taken.has(field.name) &&
        (typeOfName.get(field.name) ?? String(field.type)) === String(field.type),
    );
    const chosen = mostTelling(leaves, Math.min(MOST_FIELDS_OF_FRAGMENT, place.budget.fields));
    place.budget.fields -= chosen.length;
    for (const field of chosen) typeOfName.set(field.name, String(field.type));
    if (chosen.length > 0)
      fragments.push({ type: possible, fields: chosen.map((field) => ({ name: field.name, field, selection: null })) });
  }
  return fragments;
}

/** A page of Relay's (`edges { node }`, often `nodes` too): its objects, and what is needed for the next page. */
function selectPage(type: GraphQLNamedOutputType, place: Place): Selection | null {
  const page = pageOf(type);
  if (page === null || place.depth + 1 >= MOST_FIELDS_BY_DEPTH.length) return null;
  const inner = getNamedType(page.objects.type);
  if (place.path.includes(inner.name)) return null;
  const below = (named: GraphQLNamedOutputType): Selection =>
    select(named, { ...place, depth: place.depth + 1, path: [...place.path, named.name] });
  const objects: Selected = { name: page.objects.name, field: page.objects, selection: isLeafType(inner) ? null : below(inner) };
  const list: Selected =
    page.edges === null
      ? objects
      : { name: 'edges', field: page.edges, selection: { type: getNamedType(page.edges.type), fields: [objects], fragments: [] } };
  const plain = selectableFields(type).filter((field) => isLeafType(getNamedType(field.type)));
  const counts = mostTelling(plain, 4).map((field) => ({ name: field.name, field, selection: null }));
  const pageInfo = selectableFields(type).find((field) => field.name === 'pageInfo');
  const infoType = pageInfo === undefined ? null : getNamedType(pageInfo.type);
  const info: Selected[] =
    pageInfo === undefined || infoType === null || isLeafType(infoType)
      ? []
      : [{ name: 'pageInfo', field: pageInfo, selection: { type: infoType, fields: leavesOf(infoType), fragments: [] } }];
  return { type, fields: [...counts, list, ...info], fragments: [] };
}

function leavesOf(type: GraphQLNamedOutputType): Selected[] {
  const leaves = selectableFields(type).filter((field) => isLeafType(getNamedType(field.type)));
  return leaves.length === 0 ? [TYPENAME] : leaves.slice(0, 8).map((field) => ({ name: field.name, field, selection: null }));
}

/** The fields of a page: its objects, directly or within its edges. */
function pageOf(
  type: GraphQLNamedOutputType,
): { readonly objects: GraphQLField<unknown, unknown>; readonly edges: GraphQLField<unknown, unknown> | null } | null {
  if (!isObjectType(type)) return null;
  const { edges, nodes, pageInfo } = type.getFields();
  if (edges === undefined || pageInfo === undefined || edges.args.some(isRequiredArgument)) return null;
  if (nodes !== undefined && isListType(getNullableType(nodes.type)) && !nodes.args.some(isRequiredArgument)) {
    return { objects: nodes, edges: null };
  }
  const edge = getNamedType(edges.type);
  const node = isObjectType(edge) || isInterfaceType(edge) ? edge.getFields().node : undefined;
  return node === undefined || node.args.some(isRequiredArgument) ? null : { objects: node, edges };
}

/** As it stands in a request, without the outermost braces. */
export function printSelection(selection: Selection): string {
  const fields = selection.fields.map((selected) =>
    selected.selection === null ? selected.name : `${selected.name} { ${printSelection(selected.selection)} }`,
  );
  const fragments = selection.fragments.map(({ type, fields: own }) => `... on ${type.name} { ${own.map(({ name }) => name).join(' ')} }`);
  return [...fields, ...fragments].join(' ');
}
