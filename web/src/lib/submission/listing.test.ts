import { expect, test } from 'vitest';
import type { Status, Submission } from '$lib/api/schema';
import { broughtUpToDate } from './listing';

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
