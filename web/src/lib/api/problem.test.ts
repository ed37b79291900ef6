import { describe, expect, test } from 'vitest';
import { accepted, answer } from './client';
import { explain, grouped, place, Refusal, refusalOf } from './problem';

const refused = (status: number, body: unknown): Refusal => refusalOf(new Response(null, { status, statusText: 'Bad Gateway' }), body);

describe('a refusal', () => {
    test('is the problem’s sentence, with its lines', () => {
        const problem = { type: 'about:blank', title: 'Conflict', status: 409, detail: 'there is no challenge `pets`', errors: [{ line: 3, detail: 'class 0' }] };
        const refusal = refused(409, problem);
        expect(explain(refusal)).toBe('There is no challenge “pets”.');
        expect(refusal.lines.map(place)).toEqual(['line 3']);
    });
    test('keeps what begins with a name of the field', () => {
        expect(refused(422, { detail: 'schedule.closes must be later than schedule.opens' }).message).toBe('schedule.closes must be later than schedule.opens.');
    });
    test('has words where a proxy answered instead', () => {
        expect(refused(502, '<html>').message).toBe('The server answered 502 Bad Gateway.');
    });
});

test('faults that repeat are said once, with all their places', () => {
    const lines = [
        { line: 3, detail: 'class 0' },
        { line: 7, detail: 'a blank line' },
        { line: 8, detail: 'class 0' },
        { line: 9, detail: 'class 0' },
        { row: 3, detail: 'class 0' },
        { detail: 'too short' },
    ];
    expect(grouped(lines).map(({ places, detail }) => `${places}: ${detail}`)).toEqual([
        'lines 3, 8 and 9: class 0',
        'line 7: a blank line',
        'row 3: class 0',
        ': too short',
    ]);
});

describe('an answer', () => {
    test('is the document', async () => {
        await expect(answer(Promise.resolve({ data: { me: null }, response: new Response() }))).resolves.toEqual({ me: null });
    });
    test('that never came is offline', async () => {
        const failure = await answer(Promise.reject(new TypeError('Failed to fetch'))).catch((caught: unknown) => caught);
        expect(failure).toMatchObject({ status: 0, message: 'The server cannot be reached. Check your connection, then try again.' });
    });
    test('without a body is accepted', async () => {
        await expect(accepted(Promise.resolve({ response: new Response(null, { status: 204 }) }))).resolves.toBeDefined();
    });
});
