/** All that a call of one operation needs, as JSON: it is stored with the tool. */
export interface OpenApiBinding {
  /** Upper case. */
  readonly method: string;
  /** The path template, `{name}` where a parameter goes. May bring a fixed query. */
  readonly path: string;
  /** Where a document sends this operation elsewhere than its others: `url` takes the place of `standard`. */
  readonly server?: { readonly url: string; readonly standard: string | null } | undefined;
  readonly parameters: readonly ParameterBinding[];
  readonly body?: BodyBinding | undefined;
  /** The `Accept` header. */
  readonly accept: string;
  /** Names of security schemes: one of the lists suffices, all of its schemes are needed. Empty: nothing is. */
  readonly security: readonly (readonly string[])[];
}

export const PARAMETER_PLACES = ['path', 'query', 'header', 'cookie'] as const;
export type ParameterPlace = (typeof PARAMETER_PLACES)[number];

/** How a value becomes text. `tabDelimited` is `collectionFormat: tsv` of 2.0. */
export const STYLES = ['matrix', 'label', 'simple', 'form', 'spaceDelimited', 'pipeDelimited', 'tabDelimited', 'deepObject'] as const;
export type Style = (typeof STYLES)[number];

export interface ParameterBinding {
  /** As the upstream spells it. */
  readonly name: string;
  /** The tool's argument that holds its value. */
  readonly argument: string;
  readonly in: ParameterPlace;
  readonly style: Style;
  readonly explode: boolean;
  readonly allowReserved?: true | undefined;
  /** The value goes as JSON text (`content: application/json`). */
  readonly asJson?: true | undefined;
  /** A path parameter that spans segments, as Google's `{+name}` does. */
  readonly spansSegments?: true | undefined;
}

export type BodyKind = 'json' | 'form' | 'multipart' | 'related' | 'binary' | 'text';

export interface BodyBinding {
  readonly kind: BodyKind;
  /** The media type that is declared, parameters included. */
  readonly contentType: string;
  /** By property, for forms and multipart. */
  readonly encoding?: Readonly<Record<string, PartEncoding>> | undefined;
}

export interface PartEncoding {
  readonly contentType?: string | undefined;
  readonly style?: Style | undefined;
  readonly explode?: boolean | undefined;
  readonly allowReserved?: true | undefined;
}
