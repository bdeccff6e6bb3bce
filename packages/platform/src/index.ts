export { AppError, isAppError, messageOf } from './errors.ts';
