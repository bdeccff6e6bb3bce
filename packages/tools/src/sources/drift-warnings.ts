import type { Catalog } from '../catalog/catalog.ts';

const MOST = 20;

/** Which tools of an integration have changed since they were accepted. */
export function driftWarnings(catalog: Catalog, server: string): string[] {
  const drifted = [...catalog.tools(server).values()].filter(({ driftedAt }) => driftedAt !== null);
  const named = drifted
    .slice(0, MOST)
    .map(
      ({ tool, driftedAt }) =>
        `${tool.name.slice(0, 80)}: its definition changed on ${driftedAt?.toISOString()}; it needs approval until an allow policy that covers it is added`,
    );
  return drifted.length > MOST ? [...named, `… and ${drifted.length - MOST} more whose definitions changed`] : named;
}
