/** Of whom what is kept is. */
export interface ArtifactOwner {
  readonly workspaceId: string;
  readonly principalId: string;
}

export const ownerKey = ({ workspaceId, principalId }: ArtifactOwner): string => `${workspaceId}/${principalId}`;

/**
 * Bytes that somebody may still have kept: nobody has more kept than what is free then, so that one who fills what there is
 * leaves others room.
 */
export function roomFor(owner: string, usedBytes: ReadonlyMap<string, number>, totalBytes: number): number {
  const used = [...usedBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
  return Math.max(0, Math.floor((totalBytes - used - (usedBytes.get(owner) ?? 0)) / 2));
}
