import { expect, test } from 'vitest';
import document from '../../../openapi.json';
import { type OpenApi, referenceOf, type Type } from './openapi';

const reference = referenceOf(document as unknown as OpenApi);

test('every operation of the server’s document is there, once', () => {
    const methods = ['get', 'post', 'put', 'patch', 'delete'];
    const expected = Object.entries(document.paths).flatMap(([path, item]) =>
        Object.keys(item).filter((key) => methods.includes(key)).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const operations = reference.groups.flatMap(({ operations: all }) => all);
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(expected.sort());
    expect(new Set(operations.map(({ anchor }) => anchor)).size).toBe(expected.length);
});

test('every schema that is linked to is described', () => {
    const described = new Set(reference.schemas.map(({ name }) => name));
    const types: Type[] = [
        ...reference.groups.flatMap(({ operations }) =>
            operations.flatMap(({ parameters, body, responses }) => [
                ...parameters.map(({ type }) => type),
                ...(body ? [body.type] : []),
                ...responses.flatMap(({ type }) => (type ? [type] : [])),
            ]),
        ),
        ...reference.schemas.flatMap(({ fields, type }) => [...fields.map((field) => field.type), ...(type ? [type] : [])]),
    ];
    const linked = types.flat().flatMap((part) => (typeof part === 'string' ? [] : [part.schema]));
    expect(linked.filter((name) => !described.has(name))).toEqual([]);
    expect(linked.length).toBeGreaterThan(50);
});
