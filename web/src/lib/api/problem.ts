/** What a server's refusal says to a person. */
import { error } from '@sveltejs/kit';
import { asSentence, listed } from '$lib/format/prose';
import type { Problem, ProblemLine } from './schema';

/** The server said no, or could not be reached. `message` is a sentence that can be shown as it is. */
export class Refusal extends Error {
    /** The HTTP status; 0 where there was no answer. */
    readonly status: number;
    /** Places in an uploaded file, at most ten. */
    readonly lines: readonly ProblemLine[];

    constructor(status: number, message: string, lines: readonly ProblemLine[] = [], options?: ErrorOptions) {
        super(message, options);
        this.name = 'Refusal';
        this.status = status;
        this.lines = lines;
    }

    static offline(cause: unknown): Refusal {
        return new Refusal(0, 'The server cannot be reached. Check your connection, then try again.', [], { cause });
    }
}

/** The refusal that an answer with an error status is, from its `application/problem+json` where it has one. */
export function refusalOf(response: Response, body: unknown): Refusal {
    if (isProblem(body)) return new Refusal(response.status, sentence(body.detail || body.title), body.errors ?? []);
    return new Refusal(response.status, `The server answered ${response.status} ${response.statusText}`.trim() + '.');
}

/** Any failure as a sentence for a person. */
export function explain(failure: unknown): string {
    if (failure instanceof Refusal) return failure.message;
    if (failure instanceof TypeError) return Refusal.offline(failure).message;
    return failure instanceof Error ? sentence(failure.message) : sentence(String(failure));
}

/**
 * Runs a page's loading, so that a refusal becomes the page that explains it (`+error.svelte`).
 *
 * @throws SvelteKit's `HttpError`; anything that is not a refusal as it is.
 */
export async function orErrorPage<T>(loading: Promise<T>): Promise<T> {
    try {
        return await loading;
    } catch (failure) {
        if (!(failure instanceof Refusal)) throw failure;
        const offline = failure.status === 0;
        error(offline ? 503 : failure.status, { message: failure.message, offline, errors: failure.lines });
    }
}

/** `line 3: class 0; …` or `row 2: …`. */
export function place(line: ProblemLine): string {
    if (line.line !== undefined && line.line !== null) return `line ${line.line}`;
    if (line.row !== undefined && line.row !== null) return `row ${line.row}`;
    return '';
}

export interface SameFault {
    /** `lines 3, 4 and 9`; empty where the fault has no place. */
    places: string;
    detail: string;
}

/** Places with the same fault as one, in the order of the first of each. */
export function grouped(lines: readonly ProblemLine[]): SameFault[] {
    const numbers = new Map<string, { unit: 'line' | 'row' | ''; detail: string; at: number[] }>();
    for (const { line, row, detail } of lines) {
        const at = line ?? row ?? null;
        const unit = at === null ? '' : typeof line === 'number' ? 'line' : 'row';
        const same = numbers.get(unit + detail) ?? { unit, detail, at: [] };
        numbers.set(unit + detail, { ...same, at: at === null ? same.at : [...same.at, at] });
    }
    return [...numbers.values()].map(({ unit, detail, at }) => ({
        places: at.length === 0 ? '' : `${unit}${at.length > 1 ? 's' : ''} ${listed(at.map(String))}`,
        detail,
    }));
}

/** Whether `sentence` says no more than one of the places does: `line 3: class 0`. */
export function repeatsPlace(sentence: string, lines: readonly ProblemLine[]): boolean {
    return lines.some((line) => place(line) !== '' && sentence.toLowerCase().startsWith(`${place(line)}: `));
}

function isProblem(body: unknown): body is Problem {
    return typeof body === 'object' && body !== null && 'detail' in body && typeof body.detail === 'string';
}

/** A sentence of the server's as plain text: names that it marks as code are quoted. */
export function sentence(text: string): string {
    return asSentence(text.replace(/`([^`]*)`/g, '“$1”'));
}
