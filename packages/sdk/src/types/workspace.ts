/** A tenant of the service. */
export interface Workspace {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  /** The operator's own: its admins make and remove the others. */
  readonly home: boolean;
}

export interface WorkspaceWithKey extends Workspace {
  readonly keyId: string;
  /** The secret of an admin key; it is answered this once. */
  readonly key: string;
}
