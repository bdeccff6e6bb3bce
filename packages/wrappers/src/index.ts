export { exampleCall } from './generate/example-call.ts';
export type { GeneratedFile } from './generate/server-files.ts';
export { generateToolFiles, toolSignature, type WrapperLanguage, wrapperSource } from './generate/tool-files.ts';
export { type CodeName, codeAddresses, codeNames } from './naming/code-names.ts';
export { typeScriptType } from './schema/typescript-type.ts';
export { createWorkspaceWrapperStores, type WorkspaceWrapperStores } from './store/workspace-stores.ts';
export { createWrapperStore, type WrapperSnapshot, type WrapperStore, type WrapperStoreOptions } from './store/wrapper-store.ts';
export { jsDoc, plainProse, quoteTypeScript } from './text/quote.ts';
