import { randomBytes } from 'node:crypto';

export interface Part {
  readonly name: string | null;
  readonly filename?: string | null | undefined;
  readonly contentType?: string | null | undefined;
  readonly body: Uint8Array | string;
}

/**
 * A multipart body. Of our own because `FormData` gives every part with a media type a file name, and an upstream that reads a JSON part takes
 * one with a file name for a file.
 */
export function multipartBody(parts: readonly Part[]): { readonly body: Uint8Array; readonly boundary: string } {
  const boundary = `----executor${randomBytes(18).toString('hex')}`;
  const chunks: Uint8Array[] = [];
  for (const { name, filename, contentType, body } of parts) {
    const head = [`--${boundary}`];
    if (name !== null) {
      const file = filename === null || filename === undefined ? '' : `; filename="${quoted(filename)}"`;
      head.push(`Content-Disposition: form-data; name="${quoted(name)}"${file}`);
    }
    if (contentType !== null && contentType !== undefined) head.push(`Content-Type: ${contentType}`);
    chunks.push(Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.from(body), Buffer.from('\r\n'));
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`));
  return { body: Buffer.concat(chunks), boundary };
}

/** As the HTML standard escapes names in a form. */
const quoted = (text: string): string =>
  text
    .toWellFormed()
    .replace(/\r\n?|\n/g, '%0D%0A')
    .replace(/"/g, '%22')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the header
    .replace(/[\u0000-\u001f\u007f]/g, '_');
