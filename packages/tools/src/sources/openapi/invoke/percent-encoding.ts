/** Everything but unreserved characters, as RFC 6570 has it for `{name}`. */
export const encodeValue = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (unit) => `%${unit.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * Reserved characters stay, but for those that would end the value: `&` and `+` have a meaning in a query, `#` ends it, and brackets are
 * not allowed there (OpenAPI 3.0.4, "allowReserved"). So no value brings a parameter of its own.
 */
export const encodeReserved = (text: string): string =>
  encodeURI(text.toWellFormed())
    .replace(/%25([0-9A-Fa-f]{2})/g, '%$1')
    .replace(/[&+#[\]]/g, (unit) => `%${unit.charCodeAt(0).toString(16).toUpperCase()}`);

/** A literal part of a path template: escapes that it holds already stay. */
export const encodeLiteral = (text: string): string =>
  encodeURI(text.toWellFormed())
    .replace(/%25([0-9A-Fa-f]{2})/g, '%$1')
    .replace(/#/g, '%23')
    .replace(/\?/g, '%3F');
