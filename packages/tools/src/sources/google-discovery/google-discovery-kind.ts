import { topLevelText } from '../openapi/document/top-level-text.ts';
import { invokeOperation, probeUpstream } from '../openapi/openapi-kind.ts';
import type { SourceKind } from '../port.ts';
import { type GoogleBinding, parseDiscovery } from './parse-discovery.ts';

/** APIs of Google, and others described by the same format. */
export const googleDiscoveryKind: SourceKind<GoogleBinding> = {
  kind: 'google-discovery',
  detect({ text }) {
    // Looking for a key among those at the top takes its time in a large document that has none.
    if (!text.includes('discovery')) return null;
    const found = topLevelText(text, ['kind', 'discoveryVersion']);
    if (found === null) return null;
    const isDiscovery = found.key === 'kind' ? found.value === 'discovery#restDescription' : /^v\d/.test(found.value);
    return isDiscovery ? 'Google Discovery' : null;
  },
  parse: parseDiscovery,
  invoke(binding, args, context) {
    const { upload } = binding;
    if (upload === undefined || args.media === undefined || args.media === null) return invokeOperation(binding, args, context);
    const { body: metadata, media: file, ...others } = args;
    const uploading = { ...binding, ...upload, body: { kind: 'related' as const, contentType: 'multipart/related' } };
    return invokeOperation(uploading, { ...others, body: { metadata, file } }, context);
  },
  probe: probeUpstream,
};
