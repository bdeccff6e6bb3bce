import type { Approvals } from '../approvals/approvals.ts';
import type { Audit } from '../audit/port.ts';
import type { callTool } from '../call-tool.ts';
import type { CallRecorder } from '../calls/call-recorder.ts';
import type { FindPrincipal } from '../calls/may-call.ts';
import type { RotatingSeal } from '../integrations/seal.ts';
import type { GuardedHttp } from '../outbound/port.ts';
import type { CallLimits } from '../policies/call-limits.ts';
import type { ManageMcpDependencies } from '../sources/mcp/mcp-servers.ts';
import type { DocumentReader } from '../sources/reading/read-document.ts';

/** What the workspaces of one process have in common: the database's journal and record, the key that seals, threads, and ways out. */
export interface SharedTools {
  readonly seal: RotatingSeal;
  readonly audit: Audit;
  readonly limits: CallLimits;
  readonly recorder: CallRecorder;
  readonly approvals: Approvals;
  readonly reader: DocumentReader;
  readonly outbound: GuardedHttp;
  /** Of the machine that stdio servers run on. */
  readonly host: Omit<ManageMcpDependencies['host'], 'outbound'>;
  readonly findPrincipal: FindPrincipal;
  readonly call: typeof callTool;
  readonly now: () => number;
  /** A change has committed that other processes do not know of. */
  committed(): void;
}
