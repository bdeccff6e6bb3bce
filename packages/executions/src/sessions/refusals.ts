import { AppError } from '@code-executor/platform';

export const sessionNotFound = (sessionId: string): AppError =>
  new AppError(
    'SESSION_NOT_FOUND',
    `There is no session ${sessionId.slice(0, 64)} of yours. The first execution with a sessionId begins it.`,
  );

export const sessionBusy = (sessionId: string): AppError =>
  new AppError('SESSION_BUSY', `Session ${sessionId} is in use: it takes one execution or file at a time. Wait for its end, or cancel it.`);

export const otherLanguage = (sessionId: string, language: string, asked: string): AppError =>
  new AppError('INVALID_REQUEST', `Session ${sessionId} runs ${language}; take another sessionId for ${asked}.`, {
    details: { field: 'language' },
  });

export const tooManySessions = (whose: string, limit: number): AppError =>
  new AppError('SESSION_LIMIT', `${whose} ${limit} sessions, and no more are allowed. End one with DELETE /sessions/:id.`, {
    details: { limit },
  });

export const noRoomForSession = (): AppError =>
  new AppError('SESSION_LIMIT', 'The workers of this service keep as many sessions as they may. End one with DELETE /sessions/:id.');

export const sessionLost = (sessionId: string, reason: string): AppError =>
  new AppError(
    'SESSION_LOST',
    `Session ${sessionId} was lost with its files and variables: ${reason}. Nothing ran; the next execution begins it anew.`,
  );
