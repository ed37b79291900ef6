import { expect, test } from 'vitest';
import type { PageSubmission, Status, Submission } from '$lib/api/schema';
import { broughtUpToDate, continued, partsInWork, withChanged } from './listing';

const submission = (id: string, status: Status = 'scored'): Submission => ({ id, status }) as Submission;
const ids = (submissions: readonly Submission[]): string => submissions.map(({ id }) => id).join('');

test('what new submissions push out of the first part stays in the list', () => {
    const known = [submission('f'), submission('e'), submission('d'), submission('c'), submission('b')];
    expect(ids(broughtUpToDate(known, { items: [submission('h'), submission('g'), submission('f')], next: 'f' }))).toBe('hgfedcb');
});

test('a state that changed is shown, and what no longer belongs to the list is gone', () => {
    const known = [submission('c', 'running'), submission('b', 'queued'), submission('a', 'queued')];
    const now = broughtUpToDate(known, { items: [submission('c'), submission('a', 'running')], next: null });
    expect(now.map(({ id, status }) => `${id} ${status}`)).toEqual(['c scored', 'a running']);
});

test('what was pushed out of the first part is there once when the next part comes', () => {
    const known = broughtUpToDate([submission('c'), submission('b')], { items: [submission('d'), submission('c')], next: 'c' });
    expect(ids(known)).toBe('dcb');
    expect(ids(continued(known, { items: [submission('b'), submission('a')] }))).toBe('dcba');
});

test('one that was changed is shown as it is now, in its place', () => {
    const now = withChanged([submission('c'), submission('b'), submission('a')], submission('b', 'withdrawn'));
    expect(now.map(({ id, status }) => `${id} ${status}`)).toEqual(['c scored', 'b withdrawn', 'a scored']);
});

test('parts are read anew as far back as something waits', async () => {
    const parts: Record<string, PageSubmission> = {
        first: { items: [submission('f'), submission('e')], next: 'e' },
        e: { items: [submission('d'), submission('c')], next: 'c' },
        c: { items: [submission('b'), submission('a')], next: null },
    };
    const more = (after = 'first'): Promise<PageSubmission> => Promise.resolve(parts[after]!);
    const known = (waiting: string): Submission[] => [...'fedcba'].map((id) => submission(id, id === waiting ? 'queued' : 'scored'));
    expect(ids((await partsInWork(known('e'), more)).items)).toBe('fe');
    const read = await partsInWork(known('c'), more);
    expect([ids(read.items), read.next]).toEqual(['fedc', 'c']);
    expect(ids((await partsInWork(known('a'), more)).items)).toBe('fedcba');
});
