export { nearest } from './config/nearest.ts';
export { readConfig, wholeNumber } from './config/read-config.ts';
export { type Database, openDatabase } from './database/open-database.ts';
export { AppError, isAppError, messageOf } from './errors.ts';
export { createLogger, LOG_LEVELS, type Logger, type LogLevel } from './logger.ts';
export { type Closable, closeAll, closeOnSignal } from './shutdown.ts';
