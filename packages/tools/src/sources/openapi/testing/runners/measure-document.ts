import { readFileSync, writeSync } from 'node:fs';
import type { DocumentKind } from '../../../port.ts';
import { measureDocument } from '../measure-document.ts';

/** `node measure-document.ts KIND FILE [SHARE]`: what a document takes in a process of its own, as JSON. */
const [, , kind = 'openapi', file = '', share = '1'] = process.argv;
writeSync(1, JSON.stringify(await measureDocument(kind as DocumentKind, readFileSync(file, 'utf8'), Number(share))));
