/** The caller's own key never comes out again, wherever it got into an answer. */
export const mask = (text: string, secret: string | null): string =>
  secret === null || secret.length < 8 ? text : text.replaceAll(secret, '[key]');
