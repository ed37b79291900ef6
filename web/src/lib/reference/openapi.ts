/** An OpenAPI 3.1 document as the reference page shows it: only what this server's document uses. */

export interface Reference {
    title: string;
    description: string;
    groups: readonly Group[];
    schemas: readonly NamedSchema[];
}

export interface Group {
    name: string;
    description: string;
    operations: readonly Operation[];
}

export interface Operation {
    /** For links: `get-challenges-slug`. */
    anchor: string;
    method: string;
    path: string;
    summary: string;
    description: string;
    /** Whether it works without an account. */
    isOpen: boolean;
    parameters: readonly { name: string; where: string; type: Type; isRequired: boolean; description: string }[];
    body: { media: string; type: Type } | null;
    responses: readonly { status: string; description: string; media: string; type: Type | null }[];
}

export interface NamedSchema {
    name: string;
    description: string;
    fields: readonly Field[];
    /** For those that are no objects: `"open" | "closed"`. */
    type: Type | null;
}

export interface Field {
    name: string;
    type: Type;
    isRequired: boolean;
    description: string;
}

/** A type in words, with the names of schemas in it apart, to be linked. */
export type Type = readonly (string | { schema: string })[];

interface Schema {
    $ref?: string;
    type?: string | string[];
    format?: string;
    description?: string;
    enum?: unknown[];
    items?: Schema;
    oneOf?: Schema[];
    anyOf?: Schema[];
    allOf?: Schema[];
    properties?: Record<string, Schema>;
    additionalProperties?: Schema | boolean;
    required?: string[];
}

interface Content {
    content?: Record<string, { schema?: Schema }>;
    description?: string;
}

interface RawOperation extends Record<string, unknown> {
    tags?: string[];
    summary?: string;
    description?: string;
    parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
    requestBody?: Content;
    responses?: Record<string, Content>;
    security?: Record<string, unknown>[];
}

export interface OpenApi {
    info: { title: string; description?: string };
    tags?: { name: string; description?: string }[];
    paths: Record<string, Record<string, unknown>>;
    components?: { schemas?: Record<string, Schema> };
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

export function referenceOf(document: OpenApi): Reference {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
        METHODS.flatMap((method) => {
            const raw = item[method] as RawOperation | undefined;
            return raw ? [{ tag: raw.tags?.[0] ?? 'other', operation: operationOf(method, path, raw) }] : [];
        }),
    );
    const known = document.tags ?? [];
    const others = [...new Set(operations.map(({ tag }) => tag))].filter((tag) => !known.some(({ name }) => name === tag));
    const groups = [...known, ...others.map((name) => ({ name, description: '' }))].map(({ name, description = '' }) => ({
        name,
        description,
        operations: operations.filter(({ tag }) => tag === name).map(({ operation }) => operation),
    }));
    return {
        title: document.info.title,
        description: document.info.description ?? '',
        groups: groups.filter((group) => group.operations.length > 0),
        schemas: Object.entries(document.components?.schemas ?? {})
            .filter(([name]) => !name.startsWith('Page_'))
            .map(([name, schema]) => namedSchema(name, schema)),
    };
}

function operationOf(method: string, path: string, raw: RawOperation): Operation {
    const [media, body] = Object.entries(raw.requestBody?.content ?? {})[0] ?? [];
    return {
        anchor: `${method}${path.replace('/api/v1', '').replace(/[^a-zA-Z]+/g, '-').replace(/-$/, '')}`,
        method: method.toUpperCase(),
        path,
        summary: raw.summary ?? '',
        description: raw.description ?? '',
        isOpen: !raw.security || raw.security.some((scheme) => Object.keys(scheme).length === 0),
        parameters: (raw.parameters ?? []).map((parameter) => ({
            name: parameter.name,
            where: parameter.in,
            type: typeOf(parameter.schema),
            isRequired: parameter.required ?? false,
            description: parameter.description ?? '',
        })),
        body: media && body?.schema ? { media, type: typeOf(body.schema) } : null,
        responses: Object.entries(raw.responses ?? {}).map(([status, response]) => {
            const [type, content] = Object.entries(response.content ?? {})[0] ?? [];
            const isBinary = type !== undefined && /octet-stream|csv/.test(type);
            return {
                status,
                description: response.description ?? '',
                media: type ?? '',
                type: content?.schema && !isBinary ? typeOf(content.schema) : null,
            };
        }),
    };
}

function namedSchema(name: string, schema: Schema): NamedSchema {
    const fields = Object.entries(schema.properties ?? {}).map(([field, type]) => ({
        name: field,
        type: typeOf(type),
        isRequired: schema.required?.includes(field) ?? false,
        description: type.description ?? type.oneOf?.find(({ description }) => description)?.description ?? '',
    }));
    return { name, description: schema.description ?? '', fields, type: fields.length > 0 ? null : typeOf(schema) };
}

function typeOf(schema: Schema | undefined): Type {
    if (!schema) return ['anything'];
    if (schema.$ref) return pageOf(schema.$ref.replace('#/components/schemas/', ''));
    if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(' | ')];
    const choices = schema.oneOf ?? schema.anyOf;
    if (choices) return separated(choices.map(typeOf), ' | ');
    if (schema.allOf) return separated(schema.allOf.map(typeOf), ' & ');
    const types = [schema.type ?? []].flat();
    return separated(
        types.map((type): Type => {
            if (type === 'array') return [...typeOf(schema.items), '[]'];
            if (type === 'object' && typeof schema.additionalProperties === 'object') {
                return ['{key: ', ...typeOf(schema.additionalProperties), '}'];
            }
            return [type === 'string' && schema.format ? (schema.format === 'date-time' ? 'time' : schema.format) : type];
        }),
        ' | ',
    );
}

/** `Page_Submission` is a part of a list of submissions. */
function pageOf(name: string): Type {
    return name.startsWith('Page_') ? ['{items: ', { schema: name.slice(5) }, '[], next: string | null}'] : [{ schema: name }];
}

function separated(types: readonly Type[], separator: string): Type {
    return types.flatMap((type, index) => (index === 0 ? type : [separator, ...type]));
}
