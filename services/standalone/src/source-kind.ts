/** What a kind of source of one's own is written with: `createExecutor({ plugins })`. */
export { AppError } from '@code-executor/platform';
export type {
  FetchContext,
  InvokeContext,
  InvokeResult,
  ParseContext,
  ParsedSource,
  SourceDocument,
  SourceKind,
  SourceTool,
} from '@code-executor/tools';
