/** The public HTTP API, typed by its OpenAPI document. Nothing else in these pages talks to the server. */
import createClient from 'openapi-fetch';
import { Refusal, refusalOf } from './problem';
import type { paths } from './schema';

export const api = createClient<paths>({
    // Looked up at each call, so that a test's replacement is used. A page's `load` passes its own.
    fetch: (request) => globalThis.fetch(request),
});

interface Answer<T> {
    data?: T;
    error?: unknown;
    response: Response;
}

/**
 * The document in an answer.
 *
 * @throws {Refusal} where the server refused, or could not be reached.
 */
export async function answer<T>(asked: Promise<Answer<T>>): Promise<NonNullable<T>> {
    const { data, response } = await accepted(asked);
    if (data === undefined || data === null) {
        throw new Refusal(response.status, 'The server sent an empty answer. Reload the page.');
    }
    return data;
}

/**
 * An answer without a document (204).
 *
 * @throws {Refusal} where the server refused, or could not be reached.
 */
export async function accepted<T>(asked: Promise<Answer<T>>): Promise<Answer<T>> {
    let received: Answer<T>;
    try {
        received = await asked;
    } catch (cause) {
        throw Refusal.offline(cause);
    }
    if (!received.response.ok) throw refusalOf(received.response, received.error);
    return received;
}

/** Some of the fields of `T`, at any depth. */
export type Some<T> = T extends readonly unknown[] ? T : T extends object ? { [field in keyof T]?: Some<T[field]> } : T;

/**
 * The body of a PATCH, which names what changes and nothing else; also of a request whose other fields have defaults. The
 * generated types ask for every field that has a default, as answers always hold them.
 */
export function only<T>(changes: Some<T>): T {
    return changes as T;
}
